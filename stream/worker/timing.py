"""What a lane may take next and what time that is in the log: one way for a replay, one for the live clock."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from faust.types import TP

from schemas.topics import CLOCK, INPUT_TOPICS
from stream.chunk import StreamTimes
from stream.clock import NO_SAY, ReplayClock
from stream.metrics import worker as metrics
from stream.worker.hearing import Heard, live_clock, logged_times
from stream.worker.inbox import Batch, Inbox
from stream.worker.log_records import TOPIC_NUMBERS

EVENT_TOPICS = tuple(topic for topic in INPUT_TOPICS if topic != CLOCK)
ABREAST_MS = 60_000  # this close to the wall a partition keeps up, and no event waits for deadlines of a long silence


@dataclass(frozen=True)
class LaneLimits:
    """How much a lane takes at once, how much it queues per topic, how often it looks at the wall, how far a topic may
    be fetched ahead of the slowest one, how many customers it decides anew at once (0: none, ever), and how long work
    that can wait may compute at once."""

    chunk_records: int
    chunk_bytes: int
    queue_bytes: int
    tick_ms: int
    alignment_ms: int = 3_600_000
    renewed_at_once: int = 0
    chunk_customers: int = 500
    background_ms: float = 6.0


class Timing(Protocol):
    """The clock of one partition and what follows from it.

    `may_lag` says of the batch whose times were asked last whether its records go before deadlines that one commit has
    no room for: so on the live clock beside the wall, never in a replay nor while an old log is read.
    """

    may_lag: bool

    def take(self, inbox: Inbox) -> Batch | None:
        """The next records to apply together; an empty batch is a tick; None when there is nothing to do."""

    def times(self, batch: Batch) -> StreamTimes:
        """Stream time of each record of a batch that was taken, and of its end. Moves the clock."""

    def leading(self, inbox: Inbox) -> Set[str]:
        """Topics that are so far ahead of another that they need not be fetched now; something is queued of each."""

    def lag(self, stream_time_ms: int) -> None:
        """More deadlines were due than one commit fires: it is only `stream_time_ms` yet."""

    def restart(self, stream_time_ms: int, heard: Heard) -> None:
        """Go back to the time the store has, and to what had been heard of each topic by then."""


class ReplayTiming:
    """Clock records say the time; the wall is never read."""

    may_lag = False

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

    def leading(self, inbox: Inbox) -> Set[str]:
        """None: clock records keep the topics together."""
        return frozenset()

    def lag(self, stream_time_ms: int) -> None:
        """A replay does not lag: a clock record takes effect when all deadlines before it have fired."""

    def restart(self, stream_time_ms: int, heard: Heard) -> None:
        """Go back to the time the store has."""
        self._clock = ReplayClock(stream_time_ms)


class LogReader(Protocol):
    """What the live clock asks of the consumer."""

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        """Whether nothing that can be read lies at or after `next_offset`, as far as is known."""


class LiveTiming:
    """Events vouch for the time; while all topics of the partition are read to their ends, the wall does.

    Args:
        stream_time_ms: that the store has.
        heard: what the store has of each topic: what the clock had heard by then.
        partition: of the topics.
        reader: knows where they end.
        wall_ms: the time of the wall, in ms since 1970.
    """

    def __init__(
        self,
        stream_time_ms: int,
        heard: Heard,
        limits: LaneLimits,
        partition: int,
        reader: LogReader,
        wall_ms: Callable[[], int],
    ) -> None:
        self._limits, self._reader, self._wall_ms = limits, reader, wall_ms
        self._tps = {topic: TP(topic, partition) for topic in EVENT_TOPICS}
        self._ticked_ms = 0
        self.may_lag = self._lags = False
        self.restart(stream_time_ms, heard)

    def restart(self, stream_time_ms: int, heard: Heard) -> None:
        """Go back to the time the store has, and to what had been heard of each topic by then."""
        self._clock = live_clock(stream_time_ms, heard)
        self._taken_ms = stream_time_ms
        self._next_ms: dict[int, int] = {}

    def take(self, inbox: Inbox) -> Batch | None:
        """What is queued, in order. When nothing is, and nothing is on its way, a tick now and then."""
        growing = self._growing(inbox)
        batch = inbox.take_live(self._limits.chunk_records, self._limits.chunk_bytes, growing)
        following = {topic: inbox.next_ms(topic) for topic in EVENT_TOPICS}
        self._next_ms = {
            TOPIC_NUMBERS[topic]: time_ms or 0
            for topic, time_ms in following.items()
            if time_ms is not None or topic in growing
        }
        if batch is not None or self._next_ms:
            return batch
        now_ms = self._wall_ms()
        if 0 <= now_ms - self._ticked_ms < self._limits.tick_ms:
            return None
        self._ticked_ms = now_ms
        return Batch()

    def _growing(self, inbox: Inbox) -> list[str]:
        """Topics with records that are not fetched yet, as far as is known."""
        return [topic for topic, tp in self._tps.items() if not self._reader.is_read_to_end(tp, inbox.tail(topic))]

    def leading(self, inbox: Inbox) -> Set[str]:
        """Topics fetched further than `alignment_ms` ahead of the slowest that has more, and of what was taken.

        So none of which everything is taken: no two topics wait for each other.
        """
        growing = self._growing(inbox)
        slowest_ms = max(min((inbox.last_ms(topic) for topic in growing), default=0), self._taken_ms)
        until_ms = max(slowest_ms, self._clock.stream_time_ms) + self._limits.alignment_ms
        return frozenset(topic for topic in EVENT_TOPICS if growing and inbox.last_ms(topic) > until_ms)

    def times(self, batch: Batch) -> StreamTimes:
        """A tick has the time of the wall. Records advance the clock as far as the slowest unread topic vouches."""
        wall_ms = self._wall_ms()
        if not batch.records:
            self.may_lag, self._lags = True, False
            return StreamTimes(np.zeros(0, np.int64), self._clock.tick(wall_ms))
        logged = logged_times(batch.records)
        if ignored := np.count_nonzero(logged.topic == NO_SAY):
            metrics.CLOCK_IGNORED.inc(int(ignored))
        self._taken_ms = max(self._taken_ms, int(logged.order_ms.max()))
        times = self._clock.advance(logged, self._next_ms)
        self.may_lag = self._lags or self._clock.stream_time_ms >= wall_ms - ABREAST_MS
        return StreamTimes(times, self._clock.stream_time_ms)

    def lag(self, stream_time_ms: int) -> None:
        """It is only `stream_time_ms` yet; the next tick comes at once."""
        self._clock.lag(stream_time_ms)
        self._ticked_ms, self._lags = 0, True
