"""Stream time: what time it is in the log. Nothing here reads a clock; the wall comes in as an argument of a tick.

In `replay`, clock records say the time. In `live`, a topic vouches for a time once three distinct customers have
reached it, so that one far-future event does not drag everybody along, and the wall ticks when all topics are read to
their ends.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.compiled import compiled, making_arrays

IntArray = NDArray[np.int64]

WINDOW_RECORDS = 1_000  # among so many last records of a topic three customers must have reached a time
NEVER = np.iinfo(np.int64).max
NO_SAY = -1  # stands for a topic whose records say nothing about the time
NOBODY = np.iinfo(np.int64).min  # where no customer has reached anything yet


def end_of_day_ms(time_ms: int) -> int:
    """The UTC midnight after `time_ms`.

    >>> end_of_day_ms(0) == end_of_day_ms(DAY_MS - 1) == DAY_MS
    True
    """
    return (time_ms // DAY_MS + 1) * DAY_MS


class SupportedMaximum:
    """The latest time that three distinct customers have reached within the last 1,000 records of a topic.

    >>> topic = SupportedMaximum()
    >>> topic.observe(np.array([1, 2, 666, 3]), np.array([10, 20, 10**13, 30])).tolist()
    [0, 0, 10, 20]
    >>> topic.time_ms
    20
    """

    def __init__(self, packed: bytes = b"") -> None:
        """Go on from what `packed` has said of another; without it nobody has been heard yet."""
        rows = np.empty((1 + WINDOW_RECORDS, 3), np.int64)
        self.heard, self.ahead = rows[0], rows[1:]
        self.heard[:] = 0
        stored = np.frombuffer(packed, "<i8").reshape(-1, 3)
        rows[: len(stored)] = stored

    def packed(self, since_ms: int) -> bytes:
        """All that is needed to go on from here, where time has reached `since_ms` and does not fall.

        What cannot raise it any more is left out: empty when nothing can. What remains is of two customers at most,
        since three would support it: two records as a rule, all of the window where their times fall; 24 bytes each.

        >>> topic = SupportedMaximum()
        >>> _ = topic.observe(np.array([1, 2]), np.array([10, 20]))
        >>> [len(topic.packed(since_ms)) for since_ms in (5, 10, 20)]
        [72, 48, 0]
        >>> SupportedMaximum(topic.packed(5)).observe(np.array([3]), np.array([30])).tolist()
        [10]
        """
        rows = np.empty((1 + self.heard[_AHEAD], 3), "<i8")
        return rows[: _settle(rows, self.heard, self.ahead, since_ms)].tobytes()

    @property
    def time_ms(self) -> int:
        """What is supported by now."""
        return int(self.heard[_SUPPORTED])

    def observe(self, customer: IntArray, time_ms: IntArray) -> IntArray:
        """Take records of the topic into account, in log order; what is supported after each of them, in ms."""
        supported_ms = np.empty(len(time_ms), np.int64)
        _observe(supported_ms, self.heard, self.ahead, customer, time_ms)
        return supported_ms

    def hear(self, topic: int, records: "LoggedTimes") -> None:
        """The same of those records of several topics that are of one."""
        _hear_topic(self.heard, self.ahead, topic, records)


_SUPPORTED, _RECORDS, _AHEAD = range(3)
"""What has been heard of a topic: the time supported, how many records, and how many of them are ahead of that time."""

_NUMBER, _CUSTOMER, _TIME = range(3)
"""Of a record that is ahead: its place among all records heard, who, and when."""


@compiled
def _observe(supported_ms: IntArray, heard: IntArray, ahead: Any, customer: IntArray, time_ms: IntArray) -> None:
    for place in range(len(time_ms)):
        _hear(heard, ahead, customer[place], time_ms[place])
        supported_ms[place] = heard[_SUPPORTED]


@compiled
def _hear_topic(heard: IntArray, ahead: Any, topic: int, records: Any) -> None:
    for place in range(len(records.topic)):
        if records.topic[place] == topic and records.vouches[place]:
            _hear(heard, ahead, records.customer[place], records.time_ms[place])


@compiled
def _hear(heard: IntArray, ahead: Any, customer: int, time_ms: int) -> None:
    """Take one record into account. One that is not ahead of what is supported cannot raise it."""
    number = heard[_RECORDS]
    heard[_RECORDS] += 1
    if time_ms <= heard[_SUPPORTED]:
        return
    _keep_recent(heard, ahead, number, customer, time_ms)
    last = heard[_AHEAD]
    ahead[last, _NUMBER], ahead[last, _CUSTOMER], ahead[last, _TIME] = number, customer, time_ms
    heard[_AHEAD] += 1
    heard[_SUPPORTED] = max(heard[_SUPPORTED], _third_latest(ahead[: heard[_AHEAD]]))


@making_arrays
def _keep_recent(heard: IntArray, ahead: Any, number: int, customer: int, time_ms: int) -> None:
    """Forget what is supported by now, too long ago, or no later than what the same customer says with this record."""
    kept = 0
    for place in range(heard[_AHEAD]):
        is_too_old = ahead[place, _NUMBER] <= number - len(ahead)
        is_repeated = ahead[place, _CUSTOMER] == customer and ahead[place, _TIME] <= time_ms
        if ahead[place, _TIME] > heard[_SUPPORTED] and not is_too_old and not is_repeated:
            ahead[kept] = ahead[place]
            kept += 1
    heard[_AHEAD] = kept


@compiled
def _settle(rows: Any, heard: IntArray, ahead: Any, since_ms: int) -> int:
    """Fill rows with what can still raise a time that has reached `since_ms`, numbered from now on; how many."""
    known_ms, count = max(heard[_SUPPORTED], since_ms), 0
    for place in range(heard[_AHEAD]):
        number = ahead[place, _NUMBER] - heard[_RECORDS]
        if ahead[place, _TIME] > known_ms and number > -len(ahead):
            count += 1
            rows[count, _NUMBER], rows[count, _CUSTOMER] = number, ahead[place, _CUSTOMER]
            rows[count, _TIME] = ahead[place, _TIME]
    supported_ms = heard[_SUPPORTED] if heard[_SUPPORTED] > since_ms else 0
    if not count and not supported_ms:
        return 0
    rows[0, _SUPPORTED], rows[0, _RECORDS], rows[0, _AHEAD] = supported_ms, 0, count
    return count + 1


@compiled
def _third_latest(ahead: Any) -> int:
    """The third of the latest times of distinct customers, or what is never supported."""
    first = second = third = NOBODY
    first_customer = second_customer = np.int64(0)
    for place in range(len(ahead)):
        customer, time_ms = ahead[place, _CUSTOMER], ahead[place, _TIME]
        if first != NOBODY and customer == first_customer:
            first = max(first, time_ms)
        elif time_ms > first:
            if second == NOBODY or customer != second_customer:
                third = second
            second, second_customer = first, first_customer
            first, first_customer = time_ms, customer
        elif second != NOBODY and customer == second_customer:
            second = max(second, time_ms)
        elif time_ms > second:
            third, second, second_customer = second, time_ms, customer
        else:
            third = max(third, time_ms)
    return third


class LoggedTimes(NamedTuple):
    """Records of several topics in the order they take effect, as the clock sees them.

    Attributes:
        topic: the number of each record's topic, `NO_SAY` for one that has no say.
        order_ms: the time by which each was put in order.
        customer: a number that tells customers apart.
        time_ms: event times.
        vouches: whether there are a customer and a time.
    """

    topic: IntArray
    order_ms: IntArray
    customer: IntArray
    time_ms: IntArray
    vouches: NDArray[np.bool_]


@making_arrays
def _bound(latest_ms: IntArray, topic: int, records: LoggedTimes, next_ms: int, heard: IntArray, ahead: Any) -> None:
    """Lower `latest_ms` to the latest time that one topic lets each record have."""
    supported_ms = np.empty(len(latest_ms), np.int64)
    for place in range(len(latest_ms)):
        if records.topic[place] == topic and records.vouches[place]:
            _hear(heard, ahead, records.customer[place], records.time_ms[place])
        supported_ms[place] = heard[_SUPPORTED]
    for place in range(len(latest_ms) - 1, -1, -1):
        if records.topic[place] == topic:
            latest_ms[place] = min(latest_ms[place], supported_ms[place])
            next_ms = records.order_ms[place]
        else:
            latest_ms[place] = min(latest_ms[place], max(supported_ms[place], next_ms))


@compiled
def _rise(times_ms: IntArray, topic: IntArray, stream_time_ms: int) -> int:
    """Let the latest times become those of the clock, which never falls; its last one."""
    for place in range(len(times_ms)):
        if topic[place] != NO_SAY:
            stream_time_ms = max(stream_time_ms, times_ms[place])
        times_ms[place] = stream_time_ms
    return stream_time_ms


NOTHING_HEARD: Mapping[int, SupportedMaximum] = {}


class LiveClock:
    """Stream time of one partition on the live clock. It falls only while deadlines lag.

    Args:
        stream_time_ms: where it goes on.
        heard: what it has heard of each topic before, by the topic's number.
    """

    def __init__(self, stream_time_ms: int, heard: Mapping[int, SupportedMaximum] = NOTHING_HEARD) -> None:
        self.stream_time_ms = stream_time_ms
        self._topics = dict(heard)

    def advance(self, records: LoggedTimes, next_ms: Mapping[int, int]) -> IntArray:
        """Stream time of each record, in ms.

        A topic that is not read to its end bounds the time by what it supports, or by its next record if that is known
        and later: a topic of few customers does not hold up the others while its own next record lies ahead of them.

        Args:
            records: in the order they take effect.
            next_ms: for each topic that is not read to its end with these records, the `order_ms` of its next record,
                0 if that is not known yet. What a topic that is not named here has to say ends with its last record.
        """
        times_ms = np.full(len(records.topic), NEVER)
        for topic in {*next_ms, *records.topic.tolist()} - {NO_SAY}:
            supported = self._topics.get(topic)
            if supported is None:
                supported = self._topics[topic] = SupportedMaximum()
            _bound(times_ms, topic, records, next_ms.get(topic, NEVER), supported.heard, supported.ahead)
        self.stream_time_ms = _rise(times_ms, records.topic, self.stream_time_ms)
        return times_ms

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

    def admits(self, event_time_ms: IntArray) -> NDArray[np.bool_]:
        """Whether each event's day has begun: a later day's record waits for its clock record.

        >>> ReplayClock(0).admits(np.array([DAY_MS - 1, DAY_MS])).tolist()
        [True, False]
        """
        begun: NDArray[np.bool_] = event_time_ms < end_of_day_ms(self.stream_time_ms)
        return begun

    def advance(self, time_ms: int) -> int:
        """A clock record took effect."""
        self.stream_time_ms = max(self.stream_time_ms, time_ms)
        return self.stream_time_ms
