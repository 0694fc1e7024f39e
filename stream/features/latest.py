"""Values that belong to the latest of some events: the last event's id, the last rating, the newest profile.

The order is a stored number that only grows. Among events with the same order the largest value stays, so that neither
the order of arrival nor a merge can matter.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def fold_latest(
    values: NDArray[Any],
    places: NDArray[np.intp],
    offered: NDArray[Any],
    moved: NDArray[np.bool_],
    is_last: NDArray[np.bool_],
) -> None:
    """Replace values by those of later events.

    Args:
        values: the stored values; written to.
        places: of each event's value; a place may come many times.
        offered: each event's value, not negative.
        moved: whether these events have moved the stored order of that place.
        is_last: whether the event's own order is the stored one now.

    >>> ratings = np.array([5, 2])
    >>> moved, is_last = np.array([True, True, False]), np.array([False, True, True])
    >>> fold_latest(ratings, np.array([0, 0, 1]), np.array([4, 1, 3]), moved, is_last)
    >>> ratings.tolist()
    [1, 3]
    """
    values[places[moved]] = 0
    np.maximum.at(values, places[is_last], offered[is_last])


def merge_latest(a: NDArray[Any], order_a: NDArray[Any], b: NDArray[Any], order_b: NDArray[Any]) -> NDArray[Any]:
    """The value of the later order; of equal ones the larger.

    >>> merge_latest(np.array([5, 5]), np.array([10, 10]), np.array([2, 2]), np.array([20, 10])).tolist()
    [2, 5]
    """
    nothing = a.dtype.type(0)
    merged: NDArray[Any] = np.maximum(
        np.where(order_a >= order_b, a, nothing), np.where(order_b >= order_a, b, nothing)
    )
    return merged
