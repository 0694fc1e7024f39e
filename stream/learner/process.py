"""The learner process: one consumer of the labels log; models out, signed, with metrics and offset in one write each."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from faust.types import TP

from schemas.messages import Label, LabelRecord
from schemas.topics import LABELS
from stream.learner.teaching import Teacher
from stream.learning.lockstep import Lockstep
from stream.metrics import learner as metrics
from stream.worker.chunk_app import ChunkApp, Subscription, chunk_app
from stream.worker.retrying import retrying
from stream.worker.transport import Fetched

QUEUED_AT_MOST = 200_000  # labels waiting to be learned; more hold the topic

log = structlog.get_logger()
_decoder = msgspec.json.Decoder(LabelRecord)

LABELS_PARTITION = TP(LABELS, 0)


@dataclass(frozen=True)
class LearnerPlan:
    """Everything a learner is made of, decided before it starts."""

    group: str
    servers: tuple[str, ...]
    session_timeout_ms: int
    partitions: int
    lockstep: bool
    publish_every_ms: int
    teacher: Teacher


class LearnerProcess:
    """Reads labels, teaches, publishes: at each complete epoch in lockstep, every so often live."""

    def __init__(self, plan: LearnerPlan, loop: asyncio.AbstractEventLoop) -> None:
        self._plan, self._teacher = plan, plan.teacher
        self._epochs = Lockstep(plan.partitions)
        self._arrived: asyncio.Queue[Fetched] = asyncio.Queue()
        self._waiting: list[Label] = []
        self._work: asyncio.Task[None] | None = None
        self._next_offset, self._published_s = 0, 0.0
        self.failure: BaseException | None = None
        subscription = Subscription(
            group=plan.group,
            servers=plan.servers,
            topics=(LABELS,),
            session_timeout_ms=plan.session_timeout_ms,
            positions_of=self._assigned,
            deliver=self._deliver,
            revoked=self._revoked,
            stopping=self._stop,
        )
        self.app: ChunkApp = chunk_app(subscription, loop)

    async def _assigned(self, assigned: set[TP]) -> dict[TP, int]:
        """Restore the learners and go on at the earliest offset one of them needs."""
        if LABELS_PARTITION not in assigned:
            return {}
        first, _ = (await self.app.chunk_consumer.log_range({LABELS_PARTITION}))[LABELS_PARTITION]
        self._next_offset = max(await retrying(self._teacher.restore, metrics.STORE_RETRIES), first)
        self._epochs = Lockstep(self._plan.partitions, self._teacher.epoch_day)
        self._arrived, self._waiting = asyncio.Queue(), []
        self._work = asyncio.ensure_future(self._learn())
        self._work.add_done_callback(self._ended)
        log.info("learner started", offset=self._next_offset, epoch_day=self._teacher.epoch_day)
        return {LABELS_PARTITION: self._next_offset}

    async def _deliver(self, fetched: Fetched) -> None:
        await self._arrived.put(fetched)
        if self._arrived.qsize() * len(fetched.records) > QUEUED_AT_MOST:
            await self.app.chunk_consumer.hold(LABELS_PARTITION)

    async def _learn(self) -> None:
        while True:
            try:
                fetched = await asyncio.wait_for(self._arrived.get(), self._plan.publish_every_ms / 1000)
            except TimeoutError:
                fetched = None
            if fetched is not None:
                await self._take(fetched)
                if self._arrived.empty():
                    await self.app.chunk_consumer.release(LABELS_PARTITION)
            if not self._plan.lockstep:
                await self._teach_now_and_then()

    async def _take(self, fetched: Fetched) -> None:
        for offset, record in _readable(fetched):
            if not self._plan.lockstep:
                self._waiting.extend([record] if isinstance(record, Label) else [])
                continue
            for epoch in self._epochs.add(offset, record):
                await self._teach(epoch.labels, epoch.day, epoch.resume_offset)
        self._next_offset = fetched.next_offset

    async def _teach_now_and_then(self) -> None:
        """Live: what has come is learned and published at most every so often."""
        if self._waiting and (time.monotonic() - self._published_s) * 1000 >= self._plan.publish_every_ms:
            labels, self._waiting = self._waiting, []
            labels.sort(key=lambda label: (label.matured_ms, label.customer_id, label.outcome))
            await self._teach(labels, None, self._next_offset)
            self._published_s = time.monotonic()

    async def _teach(self, labels: Sequence[Label], day: int | None, resume_offset: int) -> None:
        with metrics.TRAIN_SECONDS.time():
            self._teacher.learn(labels, day)
        await retrying(lambda: self._teacher.publish(resume_offset), metrics.STORE_RETRIES)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or task.exception() is None or self.failure is not None:
            return
        self.failure = task.exception()
        log.critical("the learner stops", error=repr(self.failure), exc_info=self.failure)
        self._crash = asyncio.ensure_future(self.app.crash(self.failure))

    async def _revoked(self, revoked: set[TP]) -> None:
        if LABELS_PARTITION in revoked:
            await self._stop()

    async def _stop(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None


def _readable(fetched: Fetched) -> Iterator[tuple[int, LabelRecord]]:
    """(offset, record) of what can be read; another's writing in our topic is counted and passed over."""
    for raw in fetched.records:
        try:
            yield raw.offset, _decoder.decode(raw.value or b"")
        except msgspec.DecodeError as error:
            metrics.UNREADABLE.inc()
            log.error("a record of the labels topic is no label", offset=raw.offset, error=str(error))
