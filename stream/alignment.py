"""The order in which records of several logs take effect: by their times, whatever was fetched first.

Each log keeps its own order, so what comes next is the earliest of the heads. That is a function of the logs alone as
long as nobody goes on while a log that has more to give has nothing queued.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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


def merged(logs: Sequence[IntArray], grows: Sequence[bool]) -> NDArray[np.intp]:
    """Which log each next record is taken from.

    Args:
        logs: the `order_ms` of what is queued of each log, in the order of the log.
        grows: whether a log has more that is not queued yet. Where its queue ends, nobody knows what comes next.

    Returns:
        Numbers of logs, as far as it is certain. Of equal times the log that is named first goes first.

    >>> merged([np.array([1, 5]), np.array([2, 1, 9])], [False, False]).tolist()
    [0, 1, 1, 0, 1]
    >>> merged([np.array([1, 5]), np.array([2, 1, 9])], [True, False]).tolist()
    [0, 1, 1, 0]
    >>> merged([np.array([1, 5]), np.array([], int)], [False, True]).tolist()
    []
    """
    lengths = [len(times) for times in logs]
    if any(more and not length for more, length in zip(grows, lengths, strict=True)):
        return np.zeros(0, np.intp)
    source = np.repeat(np.arange(len(logs)), lengths)
    # A record that is earlier than one before it in its log follows that one at once: so does its running maximum.
    reached = np.concatenate([np.maximum.accumulate(times) for times in logs])
    order = np.argsort(reached, kind="stable")
    is_last = np.zeros(len(source), bool)
    is_last[[end - 1 for end, more in zip(np.cumsum(lengths), grows, strict=True) if more]] = True
    stops = np.flatnonzero(is_last[order])
    return source[order][: stops[0] + 1 if len(stops) else None]
