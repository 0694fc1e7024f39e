"""A lane: everything that happens to one partition, one chunk after another."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, Protocol

import structlog
from faust.types import TP

from schemas.units import DAY_MS
from stream.chunk import StreamTimes
from stream.metrics import worker as metrics
from stream.ports import Head
from stream.worker.applying import Applying
from stream.worker.background import Background
from stream.worker.fetched import Fetched
from stream.worker.inbox import Batch, Inbox
from stream.worker.model_watch import ModelWatch
from stream.worker.publisher import OutboxPublisher
from stream.worker.quarantine import Attempt, OnBug, StopAtBug
from stream.worker.retrying import retrying
from stream.worker.timing import LaneLimits, Timing
from stream.worker.turns import Computing, Turns

RENEW_EVERY_CHUNKS = 8  # while records keep coming; a lane with nothing to do renews without a pause
BESIDE_RECORDS = 4  # records take a part of the deadlines along that a commit of these alone would fire
LAST_CHUNK_WITHIN_S = 1.0  # at a stop; a chunk takes some 0.2 s, one that waits for Redis may take for ever

log = structlog.get_logger()


class Fetching(Protocol):
    """What a lane may ask of the consumer."""

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Fetch from `offset` on."""

    async def hold(self, tp: TP) -> None:
        """Fetch no more of a topic-partition."""

    async def release(self, tp: TP) -> None:
        """Fetch it again."""


class Lane:
    """Applies one partition's records, deadlines and ticks. One chunk is in flight; lanes run beside each other."""

    def __init__(
        self,
        partition: int,
        inbox: Inbox,
        fetching: Fetching,
        publisher: OutboxPublisher,
        applying: Applying,
        models: ModelWatch,
        timing: Timing,
        limits: LaneLimits,
        background: Background | None = None,
        turns: Turns | None = None,
        on_bug: OnBug | None = None,
    ) -> None:
        self._partition, self._inbox, self._fetching = partition, inbox, fetching
        self._publisher, self._applying, self._models = publisher, applying, models
        self._timing, self._limits = timing, limits
        self._background, self._turns = background or Background(), turns or Turns()
        self._on_bug = on_bug or StopAtBug()
        self.stream_time_ms = 0
        self._knows_time = False  # before records or a tick, what is stored may be days old
        self._held: set[str] = set()
        self._chunks_since_renewal = 0
        self._arrived = asyncio.Event()
        self._between_chunks = asyncio.Event()
        self._between_chunks.set()
        self._stopping = False

    async def deliver(self, fetched: Fetched) -> None:
        """Queue what was fetched; too much of one topic, or one that leads too far, holds that topic alone."""
        queued = self._inbox.put(fetched)
        topic = fetched.tp.topic
        self._arrived.set()
        self._background.forgo(self)
        is_full = queued > self._limits.queue_bytes
        if topic not in self._held and (is_full or topic in self._timing.leading(self._inbox)):
            self._held.add(topic)
            metrics.FETCH_PAUSES.labels(topic, "full" if is_full else "leading").inc()
            await self._fetching.hold(fetched.tp)

    async def run(self) -> None:
        """Apply until stopped or cancelled. Any exception is a bug or a refusal and ends the process."""
        while not self._stopping:
            await self._publisher.room()
            if not (await self.step() or await self._renew()):
                await self._idle()

    async def step(self) -> bool:
        """Take one batch and apply it; False when there is nothing to do."""
        async with self._turns.turn() as turn:
            if self._stopping:
                return False
            self._arrived.clear()
            with metrics.STAGES["take"].time():
                batch = self._timing.take(self._inbox)
            await self._release_held()
            if batch is None:
                return False
            times = self._timing.times(batch)
            if self._is_behind():  # of more work than time, none is lost by waiting for Redis
                turn.over()
            elif batch.records:
                await self._turns.answered()
            if batch.records:
                with self._background.live():
                    await self._apply(batch, times, turn)
        if batch.records:
            await self._renew_beside_records()
        else:  # if records come first, they have this time and the deadlines go with them
            await self._in_turn(lambda: self._apply(batch, times, turn))
        return True

    async def _in_turn(self, work: Callable[[], Awaitable[Any]]) -> bool:
        """Do what can wait when its turn comes; nothing when records come first."""
        if self._arrived.is_set() or not await self._background.turn(self):
            return False
        try:
            return bool(await work())
        finally:
            self._background.over()

    async def _renew(self) -> bool:
        """Decide some customers anew under changed models or rules; False when nobody waits for it."""
        return self._may_renew() and await self._in_turn(self._renew_some)

    async def _renew_beside_records(self) -> None:
        """So that a lane whose records never end gets through a sweep too, some customers now and then."""
        self._chunks_since_renewal += 1
        if self._chunks_since_renewal < RENEW_EVERY_CHUNKS or not self._may_renew() or not self._background.turn_now():
            return
        self._chunks_since_renewal = 0
        try:
            await self._renew_some()
        finally:
            self._background.over()

    def _may_renew(self) -> bool:
        """Deadlines that are late come first, and nobody is decided at the time of before a worker was away."""
        return (
            bool(self._limits.renewed_at_once)
            and self._knows_time
            and self._applying.lags_at_ms is None
            and not self._applying.is_renewed(self._models.models)
        )

    async def _renew_some(self) -> bool:
        at_once = min(self._background.customers, self._limits.renewed_at_once)

        async def attempt(without: Collection[str]) -> bool:
            return await retrying(
                lambda: self._applying.renew(self._models.models, at_once, self.stream_time_ms, without)
            )

        self._between_chunks.clear()
        try:
            renewed = await self._on_bug.renew(attempt)
        finally:
            self._between_chunks.set()
        if renewed:
            self._background.took(*self._applying.effort)
        return renewed

    async def stop(self) -> None:
        """Take no more; return when the chunk in flight is applied, or has had its time."""
        self._stopping = True
        self._arrived.set()
        self._background.forgo(self)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._between_chunks.wait(), LAST_CHUNK_WITHIN_S)

    async def _apply(self, batch: Batch, times: StreamTimes, turn: Computing) -> None:
        """Apply a batch, whatever Redis does: retry while it is away, seek when it is behind."""

        async def once(part: Batch, part_times: StreamTimes) -> Head | None:
            try:
                return await self._applying.apply(part, part_times, self._models.models, turn)
            finally:
                turn.sent()

        attempt = Attempt(
            apply=lambda part, part_times: retrying(lambda: once(part, part_times)),
            postpone=lambda until_ms: retrying(lambda: self._applying.postpone(until_ms, self._models.models)),
        )
        self._applying.may_lag = self._timing.may_lag
        self._applying.beside_at_once = self._background.customers // (BESIDE_RECORDS if batch.records else 1)
        self._between_chunks.clear()
        try:
            behind = await self._on_bug.apply(batch, times, attempt)
        finally:
            self._between_chunks.set()
        if self._applying.lags_at_ms is not None:
            self._timing.lag(self._applying.lags_at_ms)
            if not batch.records:
                self._background.took(*self._applying.effort)
        self.show_time(times.end_ms if self._applying.lags_at_ms is None else self._applying.lags_at_ms)
        self._knows_time = behind is None
        if behind is not None:
            await self._seek_back(behind)
        elif batch.clock_ms is not None:
            await self._models.reached(batch.clock_ms // DAY_MS)

    def show_time(self, stream_time_ms: int) -> None:
        """The lane is at this stream time, also where a tick has changed nothing that would be committed."""
        self.stream_time_ms = stream_time_ms
        if stream_time_ms:
            metrics.STREAM_TIME.labels(self._partition).set(stream_time_ms / 1000)

    async def _seek_back(self, head: Head) -> None:
        """Redis came back older than what we applied: every topic goes on where Redis is, and so does stream time."""
        metrics.SEEK_BACKS.labels(self._partition).inc()
        log.warning("redis is behind what was applied, seeking back", partition=self._partition, version=head.version)
        self._timing.restart(head.stream_time_ms, head.heard)
        self.show_time(head.stream_time_ms)
        offsets = {topic: self._applying.resume_offset(head, topic) for topic in self._inbox.topics}
        for topic, offset in offsets.items():
            self._inbox.seek(topic, offset)
        for topic, offset in offsets.items():
            await self._fetching.seek_to(TP(topic, self._partition), offset)

    async def _idle(self) -> None:
        await self._applying.forget_acknowledged()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), self._limits.tick_ms / 1000)
            return
        behind = await retrying(self._applying.look)  # in a replay nothing else asks, and no record may come any more
        if behind is not None:
            await self._seek_back(behind)

    async def _release_held(self) -> None:
        if not self._held:
            return
        leading = self._timing.leading(self._inbox)
        for topic in [t for t in self._held if self._has_room(t) and t not in leading]:
            self._held.discard(topic)
            await self._fetching.release(TP(topic, self._partition))

    def _is_behind(self) -> bool:
        """Whether a batch that was taken has left records in a queue."""
        return any(self._inbox.queued_bytes(topic) for topic in self._inbox.topics)

    def _has_room(self, topic: str) -> bool:
        return self._inbox.queued_bytes(topic) < self._limits.queue_bytes // 2
