"""Counters of two bytes that stop at 65,535: enough for shares, and they still merge exactly."""

import numpy as np
from numpy.typing import NDArray

from stream.features.facts import U2_MAX

CountArray = NDArray[np.uint16]


def add_at(counters: CountArray, places: NDArray[np.intp], counts: CountArray) -> None:
    """Add `counts` at `places` of a flat array; a place may come many times.

    >>> counters = np.array([65_530, 0], np.uint16)
    >>> add_at(counters, np.array([0, 1, 0]), np.array([4, 4, 4], np.uint16))
    >>> counters.tolist()
    [65535, 4]
    """
    if not places.size:
        return
    if int(counters[places].max()) + int(counts.sum(dtype=np.int64)) <= U2_MAX:  # nothing can overflow: almost always
        np.add.at(counters, places, counts)
        return
    once, which = np.unique(places, return_inverse=True)
    totals = np.bincount(which, weights=counts).astype(np.int64) + counters[once]
    counters[once] = np.minimum(totals, U2_MAX).astype(np.uint16)


def add(a: CountArray, b: CountArray) -> CountArray:
    """Sums of equally shaped counters.

    >>> add(np.array([65_000], np.uint16), np.array([1_000], np.uint16)).tolist()
    [65535]
    """
    total: CountArray = np.minimum(a.astype(np.uint32) + b, U2_MAX).astype(np.uint16)
    return total
