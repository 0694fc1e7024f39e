"""When would something change if nothing arrives? Bisection on a vectorised question."""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SECTIONS = (8, 16, 32, 16, 8)
"""Points asked per customer in each pass: few of everybody, then more of the few who change, since a pass is a hundred
array calls, which cost as much as hundreds of points. An alert by silence alone is at most this late:
7 days / 524,288 = 1.2 s, 28 days / 524,288 = 4.6 s."""

SHORTEST_SEARCH_MS = prod(SECTIONS)  # an interval shorter than its last grid would find `now` again

WouldChange = Callable[[NDArray[np.intp], IntArray], BoolArray]
"""(row of each question, time of each question in ms) -> whether that customer would have changed by then."""


def first_change_ms(would_change: WouldChange, now_ms: IntArray, until_ms: IntArray) -> IntArray:
    """The time, to a 4,096th of the interval, at which each customer changes first; `until_ms` where none does.

    At the returned time the customer has changed. A change that comes and goes between two of the first eight points is
    not seen; the next decision asks again.

    Args:
        would_change: asked about as many points per customer and pass as `SECTIONS` says.
        now_ms: shape (customers,); the customer has not changed then.
        until_ms: shape (customers,); how far to look, at least `SHORTEST_SEARCH_MS`.

    >>> crossing = np.array([1_000, 99_000])
    >>> first_change_ms(lambda rows, at: at >= crossing[rows], np.array([0, 0]), np.array([8_192, 8_192]))
    array([1000, 8192])
    """
    low, high = now_ms.copy(), until_ms.copy()
    rows = np.arange(len(now_ms))
    for sections in SECTIONS:
        if not len(rows):
            break
        points = _points(low[rows], high[rows], sections)
        changed = would_change(np.repeat(rows, sections), points.ravel()).reshape(points.shape)
        seen = changed.any(axis=1)
        rows, points, changed = rows[seen], points[seen], changed[seen]
        first = changed.argmax(axis=1)
        at = np.arange(len(rows))
        low[rows] = np.where(first > 0, points[at, first - 1], low[rows])
        high[rows] = points[at, first]
    return high


def _points(low: IntArray, high: IntArray, sections: int) -> IntArray:
    width = high - low
    points: IntArray = low[:, None] + width[:, None] * np.arange(1, sections + 1) // sections
    return points
