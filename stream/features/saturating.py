"""Counters that stop at the end of their type instead of starting again at 0; they still merge exactly.

Two bytes hold 65,535: enough for shares and for what a person does. Four bytes hold seconds and points.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CountArray = NDArray[Any]
"""Unsigned, of 2 or 4 bytes."""


def add_at(counters: CountArray, places: NDArray[np.intp], counts: CountArray) -> None:
    """Add `counts` at `places` of a flat array; a place may come many times.

    >>> counters = np.array([65_530, 0], np.uint16)
    >>> add_at(counters, np.array([0, 1, 0]), np.array([4, 4, 4], np.uint16))
    >>> counters.tolist()
    [65535, 4]
    """
    if not places.size:
        return
    most = np.iinfo(counters.dtype).max
    if int(counters[places].max()) + int(counts.sum(dtype=np.int64)) <= most:  # nothing can overflow: almost always
        np.add.at(counters, places, counts)
        return
    once, which = np.unique(places, return_inverse=True)
    totals = counters[once].astype(np.int64)
    np.add.at(totals, which, counts)
    counters[once] = np.minimum(totals, most).astype(counters.dtype)


def add(a: CountArray, b: CountArray) -> CountArray:
    """Sums of equally shaped counters of one type.

    >>> add(np.array([65_000], np.uint16), np.array([1_000], np.uint16)).tolist()
    [65535]
    """
    return np.minimum(a.astype(np.int64) + b, np.iinfo(a.dtype).max).astype(a.dtype)
