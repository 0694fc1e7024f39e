"""The worker process: one lane per assigned partition, started at assignment, stopped at revocation."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaProducer
from faust.types import TP

from schemas.decode import DecodeRules, decode
from schemas.topics import INPUT_TOPICS
from stream.chunk import Rules
from stream.errors import LogRecreatedError
from stream.metrics import worker as metrics
from stream.ports import Head, ModelStore, PartitionStore
from stream.signing import Keyring
from stream.worker.applying import Applying, Fenced
from stream.worker.assembly import Assembly
from stream.worker.chunk_app import ChunkApp, Subscription, chunk_app
from stream.worker.inbox import Inbox
from stream.worker.lane import Lane, LaneLimits
from stream.worker.model_watch import ModelWatch
from stream.worker.retrying import retrying
from stream.worker.publisher import OutboxPublisher, outbox_producer
from stream.worker.transport import Fetched

REPORT_EVERY_S = 1.0  # how often the consumer group is told our positions, for lag monitors

CANCEL_AGAIN_S = 0.2

log = structlog.get_logger()


@dataclass(frozen=True)
class WorkerPlan:
    """Everything a worker is made of, decided before it starts."""

    group: str
    servers: tuple[str, ...]
    session_timeout_ms: int
    partitions: int
    live: bool
    lockstep: bool
    idempotent: bool
    due_at_once: int
    limits: LaneLimits
    rules: Rules
    decoding: DecodeRules
    owner: str
    store_of: Callable[[int], PartitionStore]
    models: ModelStore
    keyring: Keyring


@dataclass
class _Running:
    lane: Lane
    applying: Applying
    store: PartitionStore
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class WorkerProcess:
    """Owns the lanes of the assigned partitions and the producer they share."""

    def __init__(self, plan: WorkerPlan, loop: asyncio.AbstractEventLoop) -> None:
        self._plan = plan
        self._running: dict[int, _Running] = {}
        self._watch = ModelWatch(plan.models, plan.keyring)
        self._producer: AIOKafkaProducer | None = None
        self._background: list[asyncio.Task[None]] = []
        self.failure: BaseException | None = None
        subscription = Subscription(
            group=plan.group,
            servers=plan.servers,
            topics=INPUT_TOPICS,
            session_timeout_ms=plan.session_timeout_ms,
            positions_of=self._assigned,
            deliver=self._deliver,
            revoked=self._revoked,
            stopping=self._stop,
        )
        self.app: ChunkApp = chunk_app(subscription, loop)

    async def _deliver(self, fetched: Fetched) -> None:
        running = self._running.get(fetched.tp.partition)
        if running is not None:
            await running.lane.deliver(fetched)

    async def _assigned(self, assigned: set[TP]) -> dict[TP, int]:
        """Claim the partitions, start their lanes, and say where each topic goes on."""
        await self._start_shared()
        by_partition: dict[int, set[TP]] = defaultdict(set)
        for tp in assigned:
            by_partition[tp.partition].add(tp)
        positions: dict[TP, int] = {}
        for partition, tps in sorted(by_partition.items()):
            positions |= await self._start_lane(partition, tps)
        return positions

    async def _start_shared(self) -> None:
        if self._producer is not None:
            return
        self._producer = outbox_producer(self._plan.servers, idempotent=self._plan.idempotent)
        await self._producer.start()
        await retrying(self._watch.refresh)
        self._spawn(self._background, self._report_positions())
        if not self._plan.lockstep:
            self._spawn(self._background, self._watch.run())

    async def _start_lane(self, partition: int, tps: set[TP]) -> dict[TP, int]:
        plan, store = self._plan, self._plan.store_of(partition)
        head = await retrying(lambda: store.claim(plan.owner))
        ranges = await self.app.chunk_consumer.log_range(tps)
        positions = _starts(head, ranges)
        inbox = Inbox({tp.topic: offset for tp, offset in positions.items()}, self._decode)
        publisher = OutboxPublisher(partition, self._shared_producer())
        assembly = Assembly(partition, plan.partitions, plan.rules, lockstep=plan.lockstep)
        starts = {tp.topic: first for tp, (first, _) in ranges.items()}
        applying = Applying(partition, plan.owner, store, publisher, assembly, plan.due_at_once, starts)
        await retrying(lambda: applying.load(head))
        lane = Lane(
            partition,
            head,
            inbox,
            self.app.chunk_consumer,
            store,
            publisher,
            applying,
            self._watch,
            plan.limits,
            _wall_ms if plan.live else None,
            lockstep=plan.lockstep,
        )
        running = self._running[partition] = _Running(lane, applying, store)
        self._spawn(running.tasks, publisher.run())
        self._spawn(running.tasks, self._run_lane(partition, lane))
        log.info("lane started", partition=partition, stream_time_ms=head.stream_time_ms, version=head.version)
        return positions

    def _shared_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("lanes start after the producer")
        return self._producer

    def _decode(self, topic: str, value: bytes | None, timestamp_ms: int) -> object:
        return decode(topic, value, timestamp_ms, self._plan.decoding)

    async def _run_lane(self, partition: int, lane: Lane) -> None:
        try:
            await lane.run()
        except Fenced as fence:
            await self._fenced(partition, fence)

    async def _fenced(self, partition: int, fence: Fenced) -> None:
        """Another worker claimed the partition. If the group still says it is ours, claim it back; else drop the lane."""
        log.warning("another worker claimed a partition", partition=partition, owner=str(fence))
        tps = {TP(*tp) for tp in self.app.chunk_consumer.assignment() if tp.partition == partition}
        self._running.pop(partition, None)
        if tps and not self.app.rebalancing:
            for tp, offset in (await self._start_lane(partition, tps)).items():
                await self.app.chunk_consumer.seek_to(tp, offset)

    def _spawn(self, tasks: list[asyncio.Task[None]], work: "asyncio.Future[None] | object") -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        task.add_done_callback(self._ended)
        tasks.append(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A lane that fails ends the process, loudly and without committing."""
        if task.cancelled() or task.exception() is None or self.failure is not None:
            return
        self.failure = task.exception()
        log.critical("the worker stops", error=repr(self.failure), exc_info=self.failure)
        self._crash = asyncio.ensure_future(self.app.crash(self.failure))

    async def _revoked(self, revoked: set[TP]) -> None:
        for partition in {tp.partition for tp in revoked}:
            running = self._running.pop(partition, None)
            if running is not None:
                await _cancelled(running.tasks)
                await running.store.close()
                log.info("lane stopped", partition=partition)

    async def _stop(self) -> None:
        await self._revoked({TP("", partition) for partition in list(self._running)})
        await _cancelled(self._background)
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def _report_positions(self) -> None:
        """Tell the group where we are. Redis is the truth, so an error here is only logged."""
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            offsets = {
                TP(topic, partition): offset
                for partition, running in self._running.items()
                for topic, offset in running.applying.applied.items()
            }
            try:
                await self.app.chunk_consumer.commit_positions(offsets)
            except Exception as error:  # noqa: BLE001 - any failure of a report is reported, none may stop a lane
                metrics.POSITION_REPORTS_FAILED.inc()
                log.info("positions were not reported to the group", error=repr(error))


def _starts(head: Head, ranges: Mapping[TP, tuple[int, int]]) -> dict[TP, int]:
    """Where each topic goes on: where Redis is, else at the start of the log.

    Raises:
        LogRecreatedError: a log ends before the position Redis has applied.
    """
    starts = {}
    for tp, (first, end) in ranges.items():
        known = head.positions.get(tp.topic)
        if known is not None and known.next_offset > end:
            raise LogRecreatedError(
                f"topic {tp.topic} partition {tp.partition} ends at offset {end:,}, but Redis has applied "
                f"{known.next_offset:,}. The topic was deleted or its data lost. Wipe Redis and replay the history, or "
                "point EBB_REDIS_URL at the Redis of this Kafka."
            )
        if known is not None and first > known.next_offset:
            metrics.LOG_GAPS.labels(tp.topic).inc(first - known.next_offset)
            log.error("records were lost to retention", topic=tp.topic, partition=tp.partition, lost=first - known.next_offset)
        starts[tp] = max(known.next_offset if known else 0, first)
    return starts


async def _cancelled(tasks: list["asyncio.Task[None]"]) -> None:
    """Cancel until they have ended: a cancellation that arrives while a client reconnects can be lost."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
    tasks.clear()


def _wall_ms() -> int:
    return int(time.time() * 1000)
