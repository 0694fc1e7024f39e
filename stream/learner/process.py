"""The learner process: one consumer of the labels log; signed models out, each saved with its metrics and offset."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.messages import Label, LabelRecord, ModelDecision
from schemas.misfits import MALFORMED
from schemas.topics import LABELS
from stream.errors import ModelRefusedError
from stream.learner.drift import say
from stream.learner.reading import read_label_record
from stream.learner.teaching import Teacher
from stream.learning.lockstep import Lockstep
from stream.metrics import learner as metrics
from stream.ports import LogPosition
from stream.worker.chunk_app import ChunkApp, Membership, Subscription, chunk_app
from stream.worker.fetched import Fetched
from stream.worker.log_check import check_logs, compare_logs
from stream.worker.log_watch import LogWatch, Read
from stream.worker.partition_lane import cancelled
from stream.worker.retrying import retrying
from stream.worker.running import fail_with
from stream.worker.watching import LOOK_EVERY_S, lags

QUEUED_AT_MOST = 200_000  # labels waiting to be learned; more hold the topic

log = structlog.get_logger()

LABELS_PARTITION = TP(LABELS, 0)


@dataclass(frozen=True)
class LearnerPlan:
    """Everything a learner is made of, decided before it starts."""

    membership: Membership
    partitions: int
    lockstep: bool
    publish_every_ms: int
    teacher: Teacher


class LearnerProcess:
    """Reads labels, teaches, publishes: at each complete epoch in lockstep, every so often live."""

    def __init__(self, plan: LearnerPlan, loop: asyncio.AbstractEventLoop) -> None:
        self._plan, self._teacher = plan, plan.teacher
        self._tasks: list[asyncio.Task[None]] = []
        compare = partial(compare_logs, plan.membership.servers)
        self._log = LogWatch(compare, self._read_of)
        self.failure: BaseException | None = None
        self._begin(0)
        subscription = Subscription(
            membership=plan.membership,
            topics=(LABELS,),
            positions_of=self._assigned,
            deliver=self._deliver,
            revoked=self._revoked,
            stopping=self._stop,
        )
        self.app: ChunkApp = chunk_app(subscription, loop)

    def _begin(self, next_offset: int) -> None:
        """Nothing has been read before `next_offset`."""
        self._next_offset = self._learned = next_offset
        self._published_s = 0.0
        self._tail = next_offset
        self._epochs = Lockstep(self._plan.partitions, self._teacher.epoch_day)
        self._arrived: asyncio.Queue[Sequence[Any]] = asyncio.Queue()
        self._queued, self._held = 0, False
        self._waiting: list[Label] = []
        self._decided: list[ModelDecision] = []

    async def _assigned(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Restore the learners and go on at the earliest offset one of them needs."""
        await self._stop()
        if LABELS_PARTITION not in assigned:
            return {}
        log_starts = await self.app.chunk_consumer.log_starts({LABELS_PARTITION})
        applied = await retrying(self._restored, metrics.STORE_RETRIES)
        servers, at = self._plan.membership.servers, {LABELS_PARTITION: LogPosition(applied)}
        await check_logs(servers, at, log_starts, lambda _, lost: metrics.LOST.inc(lost))
        self._begin(max(applied, log_starts[LABELS_PARTITION]))
        self._log.forget()
        self._tasks = [asyncio.ensure_future(work) for work in (self._learn(), self._watch(), self._log.run())]
        for task in self._tasks:
            task.add_done_callback(partial(fail_with, self))
        log.info("learner started", offset=self._next_offset, epoch_day=self._teacher.epoch_day)
        return {LABELS_PARTITION: self._next_offset}

    async def _restored(self) -> int:
        """Take up what was saved, once it can be verified: until a person has mended it, nothing is learned."""
        told = ""
        while True:
            try:
                return await self._teacher.restore()
            except ModelRefusedError as error:
                if str(error) != told:
                    log.error("nothing is learned until this is mended; models in force stay", error=str(error))  # noqa: TRY400
                told = str(error)
            await asyncio.sleep(LOOK_EVERY_S)

    def _read_of(self) -> Read:
        return self.app.chunk_consumer.read.told()

    async def _deliver(self, fetched: Fetched) -> None:
        """Queue what continues the log; too much holds the topic."""
        records = fetched.continuing(self._tail)
        if not records:
            return
        self._tail = records[-1].offset + 1
        self._queued += len(records)
        self._arrived.put_nowait(records)
        if self._queued > QUEUED_AT_MOST and not self._held:
            self._held = True
            await self.app.chunk_consumer.hold(LABELS_PARTITION)

    async def _learn(self) -> None:
        while True:
            try:
                records = await asyncio.wait_for(self._arrived.get(), self._plan.publish_every_ms / 1000)
            except TimeoutError:
                records = []
            if records:
                await self._take(records)
            if not self._plan.lockstep:
                await self._teach_now_and_then()

    async def _take(self, records: Sequence[Any]) -> None:
        for offset, record in _readable(records):
            if not self._plan.lockstep:
                self._waiting.extend([record] if isinstance(record, Label) else [])
                self._decided.extend([record] if isinstance(record, ModelDecision) else [])
                continue
            for epoch in self._epochs.add(offset, record):
                await self._teach(epoch.labels, epoch.day, epoch.resume_offset, epoch.decisions)
        self._next_offset = records[-1].offset + 1
        self._queued -= len(records)
        if self._held and self._queued < QUEUED_AT_MOST // 2:
            self._held = False
            await self.app.chunk_consumer.release(LABELS_PARTITION)

    async def _teach_now_and_then(self) -> None:
        """Live: what has come is learned and published at most every so often."""
        is_due = (time.monotonic() - self._published_s) * 1000 >= self._plan.publish_every_ms
        if is_due and (self._waiting or self._decided):
            labels, self._waiting = self._waiting, []
            decisions, self._decided = self._decided, []
            labels.sort(key=lambda label: (label.matured_ms, label.customer_id, label.outcome))
            await self._teach(labels, None, self._next_offset, decisions)
            self._published_s = time.monotonic()

    async def _teach(
        self, labels: Sequence[Label], day: int | None, resume_offset: int, decisions: Sequence[ModelDecision]
    ) -> None:
        rulings = [await retrying(partial(self._teacher.ruling, each), metrics.STORE_RETRIES) for each in decisions]
        with metrics.TRAIN_SECONDS.time():
            self._teacher.learn(labels, day, rulings)
        if moved := self._teacher.take_noticed():
            await retrying(lambda: say(self._plan.membership.servers, moved), metrics.BROKER_RETRIES, "kafka")
        await retrying(lambda: self._teacher.publish(resume_offset), metrics.STORE_RETRIES)
        self._learned = resume_offset
        metrics.OFFSET.set(resume_offset)

    async def _watch(self) -> None:
        """Show every few seconds how far the log is learned."""
        while True:
            if not self._waiting and not self._decided and not self._plan.lockstep:
                self._learned = self._next_offset  # what was read since was nothing to learn
            metrics.OFFSET.set(self._learned)
            try:
                behind = await lags(self.app.chunk_consumer, {LABELS_PARTITION: self._learned})
            except (KafkaError, TimeoutError) as error:
                log.info("how far the learner is behind is not known", error=repr(error))
            else:
                metrics.LAG.set(behind.get(LABELS_PARTITION, 0))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _revoked(self, revoked: set[TP]) -> None:
        if LABELS_PARTITION in revoked:
            await self._stop()

    async def _stop(self) -> None:
        await cancelled(self._tasks)


def _readable(records: Sequence[Any]) -> Iterator[tuple[int, LabelRecord]]:
    """(offset, record) of what can be read; another's writing in our topic is counted and passed over."""
    for raw in records:
        try:
            yield raw.offset, read_label_record(raw.value)
        except MALFORMED as error:
            metrics.UNREADABLE.inc()
            log.warning("a record of the labels topic is no label", offset=raw.offset, error=str(error))
