"""What a lane may take next and what time that is in the log: one way for a replay, one for the live clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from faust.types import TP

from schemas.topics import CLOCK, INPUT_TOPICS
from stream.chunk import StreamTimes
from stream.clock import LiveClock, ReplayClock
from stream.metrics import worker as metrics
from stream.worker.inbox import Batch, Inbox, LogRecord

EVENT_TOPICS = tuple(topic for topic in INPUT_TOPICS if topic != CLOCK)


@dataclass(frozen=True)
class LaneLimits:
    """How much a lane takes at once, how much it queues per topic, and how often it looks at the wall."""

    chunk_records: int
    chunk_bytes: int
    queue_bytes: int
    tick_ms: int


class Timing(Protocol):
    """The clock of one partition and what follows from it."""

    def take(self, inbox: Inbox) -> Batch | None:
        """The next records to apply together; an empty batch is a tick; None when there is nothing to do."""

    def times(self, batch: Batch) -> StreamTimes:
        """Stream time of each record of a batch that was taken, and of its end. Moves the clock."""

    def lag(self, stream_time_ms: int) -> None:
        """More deadlines were due than one commit fires: it is only `stream_time_ms` yet."""

    def restart(self, stream_time_ms: int) -> None:
        """Go back to the time the store has."""


class ReplayTiming:
    """Clock records say the time; the wall is never read."""

    def __init__(self, stream_time_ms: int, limits: LaneLimits) -> None:
        self._limits = limits
        self._clock = ReplayClock(stream_time_ms)

    def take(self, inbox: Inbox) -> Batch | None:
        """Records of days that have begun, and the clock record after them."""
        return inbox.take_replay(self._clock, self._limits.chunk_records, self._limits.chunk_bytes)

    def times(self, batch: Batch) -> StreamTimes:
        """All records have the time of the last clock record; the one that ends the batch has its own."""
        times = np.full(len(batch.records), self._clock.stream_time_ms, np.int64)
        if batch.clock_ms is not None:
            times[-1] = self._clock.advance(batch.clock_ms)
        return StreamTimes(times, self._clock.stream_time_ms)

    def lag(self, stream_time_ms: int) -> None:
        """A replay does not lag: a clock record takes effect when all deadlines before it have fired."""

    def restart(self, stream_time_ms: int) -> None:
        """Go back to the time the store has."""
        self._clock = ReplayClock(stream_time_ms)


class LogReader(Protocol):
    """What the live clock asks of the consumer."""

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        """Whether nothing that can be read lies at or after `next_offset`, as far as is known."""


class LiveTiming:
    """Events vouch for the time; while all topics of the partition are read to their ends, the wall does.

    Args:
        partition: of the topics.
        reader: knows where they end.
        wall_ms: the time of the wall, in ms since 1970.
    """

    def __init__(
        self, stream_time_ms: int, limits: LaneLimits, partition: int, reader: LogReader, wall_ms: Callable[[], int]
    ) -> None:
        self._limits, self._partition, self._reader, self._wall_ms = limits, partition, reader, wall_ms
        self._ticked_ms = 0
        self._clock = LiveClock(stream_time_ms)
        self._unread: list[str] = list(EVENT_TOPICS)

    def take(self, inbox: Inbox) -> Batch | None:
        """Whatever is queued. When nothing is, and nothing is on its way, a tick now and then."""
        batch = inbox.take_live(self._limits.chunk_records, self._limits.chunk_bytes)
        self._unread = [topic for topic in EVENT_TOPICS if not self._is_read(topic, inbox)]
        if batch is not None or self._unread:
            return batch
        now_ms = self._wall_ms()
        if 0 <= now_ms - self._ticked_ms < self._limits.tick_ms:
            return None
        self._ticked_ms = now_ms
        return Batch([], {})

    def _is_read(self, topic: str, inbox: Inbox) -> bool:
        return self._reader.is_read_to_end(TP(topic, self._partition), inbox.position(topic))

    def times(self, batch: Batch) -> StreamTimes:
        """A tick has the time of the wall. Records advance the clock as far as the slowest unread topic vouches."""
        if not batch.records:
            return StreamTimes(np.zeros(0, np.int64), self._clock.tick(self._wall_ms()))
        metrics.CLOCK_IGNORED.inc(sum(record.topic == CLOCK for record in batch.records))
        behind = [topic for topic in EVENT_TOPICS if topic in self._unread or topic in batch.previous]
        times = self._clock.advance([_vouches(record) for record in batch.records], behind)
        return StreamTimes(times, self._clock.stream_time_ms)

    def lag(self, stream_time_ms: int) -> None:
        """It is only `stream_time_ms` yet; the next tick comes at once."""
        self._clock.lag(stream_time_ms)
        self._ticked_ms = 0

    def restart(self, stream_time_ms: int) -> None:
        """Go back to the time the store has. What the topics vouched for is read again."""
        self._clock = LiveClock(stream_time_ms)
        self._unread = list(EVENT_TOPICS)


def _vouches(record: LogRecord) -> tuple[str, str | None, int | None]:
    """(topic, customer, event time) of a record, for the live clock."""
    event = record.decoded
    return record.topic, getattr(event, "customer_id", None), getattr(event, "event_time_ms", None)
