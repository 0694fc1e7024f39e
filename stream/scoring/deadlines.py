"""When would something change if nothing arrives? Bisection on a vectorised question."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SECTIONS = 8  # points asked per customer and pass: few passes cost less than few points, a pass is ~100 array calls
PASSES = 4  # 7 days / 8^4 = 2.5 min: an alert that silence opens is at most this late
SHORTEST_SEARCH_MS = SECTIONS**PASSES  # an interval shorter than its last grid would find `now` again

WouldChange = Callable[[NDArray[np.intp], IntArray], BoolArray]
"""(row of each question, time of each question in ms) -> whether that customer would have changed by then."""


def first_change_ms(would_change: WouldChange, now_ms: IntArray, until_ms: IntArray) -> IntArray:
    """The time, to a 4,096th of the interval, at which each customer changes first; `until_ms` where none does.

    At the returned time the customer has changed. A change that comes and goes between two of the first eight points is
    not seen; the next decision, at most seven days away, asks again.

    Args:
        would_change: asked about `SECTIONS` times per customer and pass.
        now_ms: shape (customers,); the customer has not changed then.
        until_ms: shape (customers,); how far to look, at least `SHORTEST_SEARCH_MS`.

    >>> crossing = np.array([1_000, 99_000])
    >>> first_change_ms(lambda rows, at: at >= crossing[rows], np.array([0, 0]), np.array([8_192, 8_192]))
    array([1000, 8192])
    """
    low, high = now_ms.copy(), until_ms.copy()
    rows = np.arange(len(now_ms))
    for _ in range(PASSES):
        if not len(rows):
            break
        points = _points(low[rows], high[rows])
        changed = would_change(np.repeat(rows, SECTIONS), points.ravel()).reshape(points.shape)
        seen = changed.any(axis=1)
        rows, points, changed = rows[seen], points[seen], changed[seen]
        first = changed.argmax(axis=1)
        at = np.arange(len(rows))
        low[rows] = np.where(first > 0, points[at, first - 1], low[rows])
        high[rows] = points[at, first]
    return high


def _points(low: IntArray, high: IntArray) -> IntArray:
    width = high - low
    points: IntArray = low[:, None] + width[:, None] * np.arange(1, SECTIONS + 1) // SECTIONS
    return points
