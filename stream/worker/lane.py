"""A lane: everything that happens to one partition, one chunk after another."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
from faust.types import TP

from schemas.topics import CLOCK, INPUT_TOPICS
from stream.chunk import StreamTimes
from stream.clock import LiveClock, ReplayClock
from stream.metrics import worker as metrics
from stream.ports import Head, PartitionStore
from stream.worker.applying import Applying
from stream.worker.inbox import Batch, Inbox, LogRecord
from stream.worker.model_watch import ModelWatch
from stream.worker.publisher import OutboxPublisher
from stream.worker.retrying import retrying
from stream.worker.transport import Fetched

DAY_MS = 86_400_000

log = structlog.get_logger()


class LogReader(Protocol):
    """What a lane may ask of the consumer."""

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Fetch from `offset` on."""

    async def hold(self, tp: TP) -> None:
        """Fetch no more of a topic-partition."""

    async def release(self, tp: TP) -> None:
        """Fetch it again."""

    def end_offset(self, tp: TP) -> int | None:
        """The end of the log as last seen, None before the first fetch."""


@dataclass(frozen=True)
class LaneLimits:
    """How much a lane takes at once, how much it queues per topic, and how often it looks at the wall."""

    chunk_records: int
    chunk_bytes: int
    queue_bytes: int
    tick_ms: int


class Lane:
    """Applies one partition's records, deadlines and ticks. One chunk is in flight; lanes run beside each other.

    `wall_ms` is None in a replay: there the wall is never read.
    """

    def __init__(
        self,
        partition: int,
        head: Head,
        inbox: Inbox,
        reader: LogReader,
        store: PartitionStore,
        publisher: OutboxPublisher,
        applying: Applying,
        models: ModelWatch,
        limits: LaneLimits,
        wall_ms: Callable[[], int] | None,
        *,
        lockstep: bool,
    ) -> None:
        self._partition, self._inbox, self._reader, self._store = partition, inbox, reader, store
        self._publisher, self._applying, self._models, self._limits = publisher, applying, models, limits
        self._wall_ms, self._lockstep = wall_ms, lockstep
        self._live, self._replay = LiveClock(head.stream_time_ms), ReplayClock(head.stream_time_ms)
        self._held: set[str] = set()
        self._arrived = asyncio.Event()
        self._ticked_s = 0.0

    async def deliver(self, fetched: Fetched) -> None:
        """Queue what was fetched; too much of one topic holds that topic alone."""
        queued = self._inbox.put(fetched)
        self._arrived.set()
        topic = fetched.tp.topic
        if queued > self._limits.queue_bytes and topic not in self._held:
            self._held.add(topic)
            await self._reader.hold(fetched.tp)

    async def run(self) -> None:
        """Apply until cancelled. Any exception is a bug or a refusal and ends the process."""
        if self._lockstep and self._replay.stream_time_ms:
            await self._models.reached(self._replay.stream_time_ms // DAY_MS)
        while True:
            await self._publisher.room()
            self._arrived.clear()
            with metrics.STAGE_SECONDS.labels("take").time():
                batch = self._take()
            if batch is None:
                await self._idle()
                continue
            await self._release_held()
            await self._apply(batch, self._times(batch))

    def _take(self) -> Batch | None:
        limits = self._limits
        if self._wall_ms is None:
            return self._inbox.take_replay(self._replay, limits.chunk_records, limits.chunk_bytes)
        return self._inbox.take_live(limits.chunk_records, limits.chunk_bytes) or self._tick()

    def _tick(self) -> Batch | None:
        """An empty batch when all topics are read to their ends and the wall has moved on."""
        now_s = time.monotonic()
        if (now_s - self._ticked_s) * 1000 < self._limits.tick_ms or self._lagging():
            return None
        self._ticked_s = now_s
        return Batch([], {})

    def _lagging(self) -> list[str]:
        """Event topics that are not read to their ends."""
        ends = {topic: self._reader.end_offset(TP(topic, self._partition)) for topic in INPUT_TOPICS if topic != CLOCK}
        return [topic for topic, end in ends.items() if end is None or self._inbox.position(topic) < end]

    def _times(self, batch: Batch) -> StreamTimes:
        if self._wall_ms is None:
            times = np.full(len(batch.records), self._replay.stream_time_ms, np.int64)
            if batch.clock_ms is not None:
                times[-1] = self._replay.advance(batch.clock_ms)
            return StreamTimes(times, self._replay.stream_time_ms)
        if not batch.records:
            return StreamTimes(np.zeros(0, np.int64), self._live.tick(self._wall_ms()))
        lagging = [topic for topic in INPUT_TOPICS if topic != CLOCK and topic in {*self._lagging(), *batch.previous}]
        times = self._live.advance([_vouches(record) for record in batch.records], lagging)
        return StreamTimes(times, self._live.stream_time_ms)

    async def _apply(self, batch: Batch, times: StreamTimes) -> None:
        """Apply a batch, whatever Redis does: retry while it is away, seek when it is behind."""
        outcome = await retrying(lambda: self._applying.apply(batch, times, self._models.models))
        if outcome.behind:
            await self._seek_back(outcome.behind)
        elif outcome.epoch_day is not None:
            await self._models.reached(outcome.epoch_day)

    async def _seek_back(self, head: Head) -> None:
        """Redis came back older than what we applied: every topic goes on where Redis is, and so does stream time."""
        metrics.SEEK_BACKS.labels(self._partition).inc()
        log.warning("redis is behind what was applied, seeking back", partition=self._partition, version=head.version)
        self._live, self._replay = LiveClock(head.stream_time_ms), ReplayClock(head.stream_time_ms)
        for topic, position in head.positions.items():
            self._inbox.seek(topic, position.next_offset)
            await self._reader.seek_to(TP(topic, self._partition), position.next_offset)

    async def _idle(self) -> None:
        forget = self._publisher.take_acknowledged()
        if forget:
            await retrying(lambda: self._store.forget_outbox(forget))
        try:
            await asyncio.wait_for(self._arrived.wait(), self._limits.tick_ms / 1000)
        except TimeoutError:
            return

    async def _release_held(self) -> None:
        for topic in [t for t in self._held if self._inbox.queued_bytes(t) < self._limits.queue_bytes // 2]:
            self._held.discard(topic)
            await self._reader.release(TP(topic, self._partition))


def _vouches(record: LogRecord) -> tuple[str, str | None, int | None]:
    """(topic, customer, event time) of a record, for the live clock."""
    event = record.decoded
    return record.topic, getattr(event, "customer_id", None), getattr(event, "event_time_ms", None)
