"""The worker process: one lane per assigned partition, started at assignment, stopped at revocation."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from functools import partial
from itertools import compress
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust.types import TP

from schemas.topics import INPUT_TOPICS
from schemas.units import DAY_MS
from stream.errors import LogRecreatedError
from stream.metrics import worker as metrics
from stream.outcomes.declaration import questions_of
from stream.worker.applying import Fenced
from stream.worker.background import Background
from stream.worker.chunk_app import ChunkApp, Subscription, chunk_app
from stream.worker.emptied import refuse_emptied, tell_older
from stream.worker.fetched import Fetched
from stream.worker.lanes import Lanes
from stream.worker.log_check import check_logs, compare_logs
from stream.worker.log_watch import LogWatch, Read
from stream.worker.model_watch import ModelWatch
from stream.worker.output_watch import OutputWatch, known_topics
from stream.worker.pace import Pace
from stream.worker.partition_lane import PartitionLane, Shared, cancelled, claim, partition_lane
from stream.worker.plan import WorkerPlan
from stream.worker.producer import start_outbox_producer, stop_producer
from stream.worker.retrying import retrying
from stream.worker.running import fail_with
from stream.worker.topic_watch import TopicWatch
from stream.worker.turns import Turns
from stream.worker.watching import Watch

REPORT_EVERY_S = 1.0  # how often the consumer group is told our positions, for lag monitors

log = structlog.get_logger()


class WorkerProcess:
    """Owns the lanes of the assigned partitions and the producer they share."""

    def __init__(self, plan: WorkerPlan, loop: asyncio.AbstractEventLoop) -> None:
        self._plan = plan
        self._lanes: Lanes[PartitionLane] = Lanes()
        self._reached: dict[int, int] = {}  # partition -> version that its last lane had applied when it was stopped
        declared = plan.rules.outcomes
        self._models = ModelWatch(
            plan.models, plan.keyring, declared.names, lockstep=plan.lockstep, questions=questions_of(declared.outcomes)
        )
        self._later = Background(plan.limits.background_ms)
        self._turns = Turns(pace=Pace(plan.gather_ms / 1000))
        self._topics = TopicWatch(INPUT_TOPICS, plan.partitions, self._partition_count)
        compare = partial(compare_logs, plan.membership.servers)
        self._logs = LogWatch(compare, self._read_of)
        self._producer: AIOKafkaProducer | None = None
        self._background: list[asyncio.Task[None]] = []
        self.failure: BaseException | None = None
        subscription = Subscription(
            membership=plan.membership,
            topics=INPUT_TOPICS,
            positions_of=self._assigned,
            deliver=self._deliver,
            revoked=self._revoked,
            stopping=self._stop,
            gather_s=lambda: self._turns.pace.gather_s,
        )
        self.app: ChunkApp = chunk_app(subscription, loop)

    async def _deliver(self, fetched: Fetched) -> None:
        running = self._lanes.get(fetched.tp.partition)
        if running is not None:
            await running.lane.deliver(fetched)

    async def _assigned(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Claim the partitions, start their lanes, and say where each topic goes on."""
        log.info("partitions assigned", partitions=sorted({tp.partition for tp in assigned}))
        await self._stop_lanes(set(self._lanes))  # of an assignment that this one has overtaken
        self._logs.forget()
        return await self._start_lanes(assigned)

    async def _start_lanes(self, tps: set[TP]) -> Mapping[TP, int]:
        if self._lanes.have_ended:
            return {}
        shared = await self._shared()
        await self._topics.settled()
        await retrying(lambda: asyncio.to_thread(self._plan.check_instance))
        claimed = [await claim(self._plan, partition) for partition in sorted({tp.partition for tp in tps})]
        for each in claimed:  # by one version up from what was there
            before = each.partition, each.head.version - 1, self._reached.get(each.partition, 0)
            refuse_emptied(*before)
            tell_older(*before)
        await retrying(lambda: asyncio.to_thread(self._plan.check_deployment))  # as it is since they are ours
        heads = {each.partition: each.head for each in claimed}
        log_starts = await shared.consumer.log_starts(tps)
        applied = {
            tp: heads[tp.partition].positions[tp.topic] for tp in tps if tp.topic in heads[tp.partition].positions
        }
        await check_logs(self._plan.membership.servers, applied, log_starts)
        self._logs.note(applied)
        lanes = [partition_lane(shared, each, _of(log_starts, each.partition)) for each in claimed]
        started = await asyncio.gather(*(self._lanes.start(lane.claimed.partition, lane) for lane in lanes))
        positions: dict[TP, int] = {}
        for lane in compress(lanes, started):
            positions |= lane.positions
        return positions

    async def _stop_lanes(self, partitions: Collection[int]) -> None:
        self._reached |= {each: self._lanes[each].applying.reached for each in partitions if each in self._lanes}
        await self._lanes.stop(partitions)

    async def _shared(self) -> Shared:
        if self._producer is None:
            self._producer = await start_outbox_producer(self._plan.membership.servers)
            await retrying(self._models.refresh)
            self._background += [self._spawn(self._report_positions()), self._spawn(self._models.run())]
            self._background += [self._spawn(self._watch().run()), self._spawn(self._topics.run())]
            outputs = OutputWatch(self._topics_waited_for, partial(known_topics, self._producer))
            self._background += [self._spawn(outputs.run()), self._spawn(self._watch_logs())]
        of_process = self._plan, self.app.chunk_consumer, self._producer, self._models, self._later, self._turns
        return Shared(*of_process, self._spawn, self._run_lane)

    async def _run_lane(self, running: PartitionLane) -> None:
        stream_time_ms = running.claimed.head.stream_time_ms
        try:
            if stream_time_ms:
                await self._models.reached(stream_time_ms // DAY_MS)
            await running.lane.run()
        except Fenced as fence:
            self._background.append(self._spawn(self._reclaim(running, str(fence))))

    async def _reclaim(self, fenced: PartitionLane, owner: str) -> None:
        """Another owner is in Redis. If the group still has us for the partition, claim it back; else drop it."""
        partition = fenced.claimed.partition
        metrics.FENCES.labels(partition).inc()
        log.warning("another worker claimed a partition", partition=partition, owner=owner)
        await self._stop_lanes({partition})
        consumer = self.app.chunk_consumer
        while tps := {TP(*tp) for tp in consumer.assignment() if tp.partition == partition}:
            try:
                await consumer.commit_positions({tp: fenced.positions[tp] for tp in tps if tp in fenced.positions})
            except (CommitFailedError, IllegalStateError):
                return  # the group goes on without us, or is about to assign anew
            except KafkaError as error:
                log.warning(
                    "kafka does not say whether a partition is still ours", partition=partition, error=repr(error)
                )
                await asyncio.sleep(REPORT_EVERY_S)
                continue
            for tp, offset in (await self._start_lanes(tps)).items():
                await consumer.seek_to(tp, offset)
                await consumer.release(tp)  # the lane before this one may have held it
            return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        task.add_done_callback(partial(fail_with, self))
        return task

    async def _revoked(self, revoked: set[TP]) -> None:
        await self._stop_lanes({tp.partition for tp in revoked})

    async def _stop(self) -> None:
        await self._lanes.end()
        await cancelled(self._background)
        if self._producer is not None:
            await stop_producer(self._producer)
            self._producer = None

    def _watch(self) -> Watch:
        consumer, figures = self.app.chunk_consumer, self._plan.figures
        return Watch(consumer, figures, self._resume_offsets, self._stream_times_ms, live=self._plan.live)

    def _read_of(self) -> Read:
        return self.app.chunk_consumer.read.told()

    async def _watch_logs(self) -> None:
        """Look at the logs until cancelled. What a replaced one cost is known now, and to no later start by itself."""
        try:
            await self._logs.run()
        except LogRecreatedError as error:
            refusal = str(error)
            await retrying(lambda: asyncio.to_thread(self._plan.note_replaced_log, refusal))
            raise

    def _partition_count(self, topic: str) -> int | None:
        return self.app.chunk_consumer.partition_count(topic)

    def _topics_waited_for(self, at_least_s: float) -> set[str]:
        """Topics of the next messages of each lane that have waited for so long."""
        lanes = self._lanes.values()
        return {topic for running in lanes for topic in running.publisher.topics_waited_for(at_least_s)}

    def _positions(self) -> dict[TP, int]:
        """How far each topic of each lane is applied."""
        return {
            TP(topic, partition): offset
            for partition, running in self._lanes.items()
            for topic, offset in running.applying.applied.items()
        }

    def _resume_offsets(self) -> dict[TP, int]:
        """`_positions`, with the topics that nothing has been applied of yet."""
        started = {tp: offset for running in self._lanes.values() for tp, offset in running.positions.items()}
        return started | self._positions()

    def _stream_times_ms(self) -> dict[int, int]:
        """Partition -> stream time of its lane."""
        return {partition: running.lane.stream_time_ms for partition, running in self._lanes.items()}

    async def _report_positions(self) -> None:
        """Tell the group where we are. Redis is the truth, so an error here is only logged, once until it is over."""
        failing = False
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            try:
                await self.app.chunk_consumer.commit_positions(self._positions())
                failing = False
            except Exception as error:  # noqa: BLE001 - any failure of a report is reported, none may stop a lane
                metrics.POSITION_REPORTS_FAILED.inc()
                if not failing:
                    log.info("positions are not reported to the group", error=type(error).__name__)
                failing = True


def _of(offsets: Mapping[TP, int], partition: int) -> dict[TP, int]:
    return {tp: offset for tp, offset in offsets.items() if tp.partition == partition}
