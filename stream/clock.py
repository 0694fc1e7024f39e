"""Stream time: what time it is in the log. Nothing here reads a clock; the wall comes in as an argument of a tick.

In `replay`, clock records say the time. In `live`, a topic vouches for a time once three distinct customers have
reached it, so that one far-future event does not drag everybody along, and the wall ticks when all topics are read to
their ends.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

DAY_MS = 86_400_000
SUPPORTERS = 3  # distinct customers that must have reached a time
WINDOW_RECORDS = 1_000  # among this many last records of the topic


def end_of_day_ms(time_ms: int) -> int:
    """The UTC midnight after `time_ms`.

    >>> end_of_day_ms(0) == end_of_day_ms(DAY_MS - 1) == DAY_MS
    True
    """
    return (time_ms // DAY_MS + 1) * DAY_MS


class SupportedMaximum:
    """The latest time that three distinct customers have reached within the last 1,000 records of a topic.

    >>> topic = SupportedMaximum()
    >>> for customer, time_ms in (("a", 10), ("b", 20), ("far future", 10**13), ("c", 30)):
    ...     topic.observe(customer, time_ms)
    >>> topic.time_ms
    20
    """

    def __init__(self) -> None:
        self.time_ms = 0
        self._records = 0
        self._ahead: deque[tuple[int, int, str]] = deque()  # (record number, time, customer) later than `time_ms`

    def observe(self, customer: str, time_ms: int) -> None:
        """Take one record of the topic into account."""
        self._records += 1
        while self._ahead and self._ahead[0][0] <= self._records - WINDOW_RECORDS:
            self._ahead.popleft()
        if time_ms <= self.time_ms:
            return
        self._ahead.append((self._records, time_ms, customer))
        latest: dict[str, int] = {}
        for _, reached_ms, who in self._ahead:
            latest[who] = max(latest.get(who, 0), reached_ms)
        if len(latest) >= SUPPORTERS:
            self.time_ms = sorted(latest.values())[-SUPPORTERS]
            self._ahead = deque(entry for entry in self._ahead if entry[1] > self.time_ms)


class LiveClock:
    """Stream time of one partition on the live clock. It falls only while deadlines lag."""

    def __init__(self, stream_time_ms: int) -> None:
        self.stream_time_ms = stream_time_ms
        self._topics: dict[str, SupportedMaximum] = {}

    def advance(
        self, records: Iterable[tuple[str, str | None, int | None]], lagging: Sequence[str]
    ) -> NDArray[np.int64]:
        """Stream time of each record, in ms.

        Args:
            records: (topic, customer, event time in ms) in log order; one without customer or time vouches for nothing.
            lagging: topics that are not read to their ends; the slowest of them bounds the time.
        """
        times = []
        for topic, customer, event_time_ms in records:
            if customer is not None and event_time_ms is not None:
                self._topics.setdefault(topic, SupportedMaximum()).observe(customer, event_time_ms)
            supported = [self._topics[name].time_ms if name in self._topics else 0 for name in lagging]
            self.stream_time_ms = max(self.stream_time_ms, min(supported, default=0))
            times.append(self.stream_time_ms)
        return np.array(times, np.int64)

    def tick(self, wall_ms: int) -> int:
        """All topics are read to their ends: it is as late as the wall says, or later."""
        self.stream_time_ms = max(self.stream_time_ms, wall_ms)
        return self.stream_time_ms

    def lag(self, stream_time_ms: int) -> None:
        """Deadlines later than `stream_time_ms` have not fired yet: it is no later than that."""
        self.stream_time_ms = min(self.stream_time_ms, stream_time_ms)


class ReplayClock:
    """Stream time of one partition in a replay: that of the last clock record. It never falls."""

    def __init__(self, stream_time_ms: int) -> None:
        self.stream_time_ms = stream_time_ms

    def admits(self, event_time_ms: int) -> bool:
        """Whether an event's day has begun: a later day's record waits for its clock record."""
        return event_time_ms < end_of_day_ms(self.stream_time_ms)

    def advance(self, time_ms: int) -> int:
        """A clock record took effect."""
        self.stream_time_ms = max(self.stream_time_ms, time_ms)
        return self.stream_time_ms
