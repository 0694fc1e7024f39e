"""The order in which records of several logs take effect: by their times, whatever was fetched first.

Each log keeps its own order, so what comes next is the earliest of the heads. That is a function of the logs alone as
long as nobody goes on while a log that has more to give has nothing queued.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays

IntArray = NDArray[np.int64]


def order_ms(event_time_ms: int | None, kafka_timestamp_ms: int) -> int:
    """The time by which a record is put in order: its event's, but not later than when it was written to its log.

    An event of the future, from a clock that is wrong, would else keep back all behind it. What is no event has no
    time and goes with what came before it: 0.

    >>> order_ms(7, 9), order_ms(11, 9), order_ms(None, 9)
    (7, 9, 0)
    """
    return 0 if event_time_ms is None else min(event_time_ms, kafka_timestamp_ms)


def orders_ms(event_time_ms: IntArray, kafka_timestamp_ms: IntArray) -> IntArray:
    """`order_ms` of many; 0 stands for a record without an event time.

    >>> orders_ms(np.array([7, 11, 0]), np.array([9, 9, 9])).tolist()
    [7, 9, 0]
    """
    return np.where(event_time_ms > 0, np.minimum(event_time_ms, kafka_timestamp_ms), 0)


def merged(logs: Sequence[IntArray], grows: Sequence[bool], at_most: int = 2**62) -> NDArray[np.intp]:
    """Which log each next record is taken from.

    Args:
        logs: the `order_ms` of what is queued of each log, in the order of the log.
        grows: whether a log has more that is not queued yet. Where its queue ends, nobody knows what comes next.
        at_most: so many of the next records.

    Returns:
        Numbers of logs, as far as it is certain. Of equal times the log that is named first goes first.

    >>> merged([np.array([1, 5]), np.array([2, 1, 9])], [False, False]).tolist()
    [0, 1, 1, 0, 1]
    >>> merged([np.array([1, 5]), np.array([2, 1, 9])], [True, False]).tolist()
    [0, 1, 1, 0]
    >>> merged([np.array([1, 5]), np.array([], int)], [False, True]).tolist()
    []
    """
    ends = np.array([*accumulate(map(len, logs))], np.int64)
    found = np.empty(min(int(ends[-1]), at_most), np.intp)
    return found[: _merge(np.concatenate(logs), ends, np.array(grows, np.bool_), found)]


@making_arrays
def _merge(times: Any, ends: Any, grows: Any, found: Any) -> int:
    """Fill in which log each next record is of; how many are certain."""
    at, reached = np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64)
    at[1:] = ends[:-1]
    for count in range(len(found)):
        chosen = -1
        for log in range(len(ends)):
            if at[log] == ends[log]:
                if grows[log]:
                    return count
                continue
            # a record that is earlier than one before it in its log follows that one at once
            reached[log] = max(reached[log], times[at[log]])
            if chosen < 0 or reached[log] < reached[chosen]:
                chosen = log
        found[count] = chosen
        at[chosen] += 1
    return len(found)


def places_of(order: NDArray[np.intp], counts: Sequence[int]) -> NDArray[np.intp]:
    """Where each next record lies when the records of the logs follow one another.

    Args:
        order: the log of each next record.
        counts: how many of each log there are.

    >>> places_of(np.array([0, 1, 1, 0]), [2, 2]).tolist()
    [0, 2, 3, 1]
    """
    next_place, places = np.array([0, *accumulate(counts)], np.int64), np.empty(len(order), np.intp)
    _place(order, next_place, places)
    return places


@compiled
def _place(order: Any, next_place: Any, places: Any) -> None:
    for row in range(len(order)):
        places[row] = next_place[order[row]]
        next_place[order[row]] += 1
