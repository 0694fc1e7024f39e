"""Stream time: what time it is in the log. Nothing here reads a clock; the wall comes in as an argument of a tick.

In `replay`, clock records say the time. In `live`, a topic vouches for a time once three distinct customers have
reached it, so that one far-future event does not drag everybody along, and the wall ticks when all topics are read to
their ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

DAY_MS = 86_400_000
SUPPORTERS = 3  # distinct customers that must have reached a time
WINDOW_RECORDS = 1_000  # among this many last records of the topic
NEVER = np.iinfo(np.int64).max
NOBODY = np.iinfo(np.int64).min  # where no customer has reached anything yet


def end_of_day_ms(time_ms: int) -> int:
    """The UTC midnight after `time_ms`.

    >>> end_of_day_ms(0) == end_of_day_ms(DAY_MS - 1) == DAY_MS
    True
    """
    return (time_ms // DAY_MS + 1) * DAY_MS


@dataclass(frozen=True)
class Reached:
    """What records say of the time their customers have reached.

    Attributes:
        number: place of each record among all records of its topic that say anything, growing by one.
        customer: a number that tells customers apart, such as a hash of the id.
        time_ms: event times.
    """

    number: IntArray
    customer: IntArray
    time_ms: IntArray

    def __getitem__(self, which: slice | NDArray[np.bool_]) -> "Reached":
        """Some of them."""
        return Reached(self.number[which], self.customer[which], self.time_ms[which])

    def followed_by(self, others: "Reached") -> "Reached":
        """These, then the others."""
        return Reached(
            np.concatenate([self.number, others.number]),
            np.concatenate([self.customer, others.customer]),
            np.concatenate([self.time_ms, others.time_ms]),
        )


class SupportedMaximum:
    """The latest time that three distinct customers have reached within the last 1,000 records of a topic.

    >>> topic = SupportedMaximum()
    >>> topic.observe(np.array([1, 2, 666, 3]), np.array([10, 20, 10**13, 30])).tolist()
    [0, 0, 10, 20]
    >>> topic.time_ms
    20
    """

    def __init__(self) -> None:
        nothing = np.zeros(0, np.int64)
        self.time_ms = 0
        self._records = 0
        self._ahead = Reached(nothing, nothing, nothing)  # later than `time_ms`, and not too long ago

    def observe(self, customer: IntArray, time_ms: IntArray) -> IntArray:
        """Take records of the topic into account, in log order; what is supported after each of them, in ms.

        The three best are carried along as if nothing grew old. Where that gave an answer which rests on a record of
        more than 1,000 records ago, the answers before it stand, what is too old is dropped, and it goes on from there.
        """
        coming = Reached(np.arange(self._records, self._records + len(time_ms)), customer, time_ms)
        self._records += len(time_ms)
        answers = [np.zeros(0, np.int64)]
        while len(coming.number):
            known = len(self._ahead.number)
            supported, oldest = supported_by_three(self._ahead.followed_by(coming), self.time_ms)
            supported, oldest = supported[known:], oldest[known:]
            rises = supported > np.append(self.time_ms, supported[:-1])
            stale = np.flatnonzero(rises & (oldest <= coming.number - WINDOW_RECORDS))
            sound = int(stale[0]) if len(stale) else len(supported)
            answers.append(supported[:sound])
            self._remember(coming[:sound], supported[:sound], int(coming.number[min(sound, len(supported) - 1)]))
            coming = coming[sound:]
        return np.concatenate(answers)

    def _remember(self, records: Reached, supported: IntArray, next_number: int) -> None:
        if len(supported):
            self.time_ms = int(supported[-1])
        ahead = self._ahead.followed_by(records)
        self._ahead = ahead[(ahead.time_ms > self.time_ms) & (ahead.number > next_number - WINDOW_RECORDS)]


def supported_by_three(records: Reached, at_least_ms: int) -> tuple[IntArray, IntArray]:
    """The third latest time reached by distinct customers after each record, and the oldest record it may rest on.

    A record that takes a place pushes the one who had it one place down, unless that is the same customer. So each
    place is a running maximum of what is pushed down to it, and only who holds the first two needs to be known.
    """
    number, customer, time_ms = records.number, records.customer, records.time_ms
    places = np.arange(len(number))
    first_ms = _before(np.maximum.accumulate(time_ms))
    leads = time_ms > first_ms
    first = _before(np.maximum.accumulate(np.where(leads, places, -1)), -1)  # the record that holds the first place
    another = (first < 0) | (customer != customer[first])
    second_ms, moves, holder = _second_place(time_ms, first_ms, first, places, leads, another)
    second = _before(np.where(moves >= 0, holder[moves], -1), -1)
    third = another & (second >= 0) & (customer != customer[second])
    reached_ms = np.where(third, np.minimum(time_ms, second_ms), NOBODY)
    oldest = np.minimum(np.minimum(number[first], number[second]), number)
    return np.maximum.accumulate(np.maximum(reached_ms, at_least_ms)), oldest


def _second_place(
    time_ms: IntArray,
    first_ms: IntArray,
    first: IntArray,
    places: IntArray,
    leads: NDArray[np.bool_],
    another: NDArray[np.bool_],
) -> tuple[IntArray, IntArray, IntArray]:
    """The second latest time before each record; which record moved that place last, up to and with each; and for
    such a record, who holds it then."""
    pushed_ms = np.where(another, np.minimum(time_ms, first_ms), NOBODY)
    second_ms = _before(np.maximum.accumulate(pushed_ms))
    moved = another & ((leads & (first >= 0)) | (~leads & (pushed_ms > second_ms)))
    return second_ms, np.maximum.accumulate(np.where(moved, places, -1)), np.where(leads, first, places)


def _before(running: IntArray, start: int = NOBODY) -> IntArray:
    """What a running value was before each record.

    >>> _before(np.array([3, 7]), 0).tolist()
    [0, 3]
    """
    return np.append(start, running[:-1]) if len(running) else running


@dataclass(frozen=True)
class LoggedTimes:
    """Records of several topics in the order they take effect, as the clock sees them.

    Attributes:
        topic: the number of each record's topic, -1 for one that has no say.
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


class LiveClock:
    """Stream time of one partition on the live clock. It falls only while deadlines lag."""

    def __init__(self, stream_time_ms: int) -> None:
        self.stream_time_ms = stream_time_ms
        self._topics: dict[int, SupportedMaximum] = {}

    def advance(self, records: LoggedTimes, next_ms: Mapping[int, int]) -> IntArray:
        """Stream time of each record, in ms.

        A topic that is not read to its end bounds the time by what it supports, or by its next record if that is known
        and later: a topic of few customers does not hold up the others while its own next record lies ahead of them.

        Args:
            records: in the order they take effect.
            next_ms: for each topic that is not read to its end with these records, the `order_ms` of its next record,
                0 if that is not known yet. What a topic that is not named here has to say ends with its last record.
        """
        latest_ms = np.full(len(records.topic), NEVER)
        for topic in {*next_ms, *np.unique(records.topic[records.topic >= 0]).tolist()}:
            latest_ms = np.minimum(latest_ms, self._bound(topic, records, next_ms.get(topic, NEVER)))
        latest_ms[records.topic < 0] = NOBODY
        times = np.maximum.accumulate(np.maximum(latest_ms, self.stream_time_ms))
        self.stream_time_ms = int(times[-1]) if len(times) else self.stream_time_ms
        return times

    def _bound(self, topic: int, records: LoggedTimes, next_ms: int) -> IntArray:
        """The latest time that one topic lets each record have."""
        supported = self._topics.setdefault(topic, SupportedMaximum())
        places = np.flatnonzero(records.topic == topic)
        says = places[records.vouches[places]]
        before_ms = supported.time_ms
        supported_ms = np.append(before_ms, supported.observe(records.customer[says], records.time_ms[says]))
        every = np.arange(len(records.topic))
        bound = supported_ms[np.searchsorted(says, every, side="right")]
        following_ms = np.append(records.order_ms[places], next_ms)[np.searchsorted(places, every, side="right")]
        return np.where(records.topic == topic, bound, np.maximum(bound, following_ms))

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
        """Whether each event's day has begun: a later day's record waits for its clock record."""
        begun: NDArray[np.bool_] = event_time_ms < end_of_day_ms(self.stream_time_ms)
        return begun

    def advance(self, time_ms: int) -> int:
        """A clock record took effect."""
        self.stream_time_ms = max(self.stream_time_ms, time_ms)
        return self.stream_time_ms
