"""Until when a shown probability holds if nothing arrives."""

import numpy as np
from numpy.typing import NDArray

from stream.scoring.linear import FloatArray

IntArray = NDArray[np.int64]

MOVES_BY = 0.05
"""A reader who acts on thresholds does not care about less; calibration errors are of the order of .02."""


def holds_until_ms(times_ms: IntArray, probabilities: FloatArray) -> IntArray:
    """When a probability will have moved by `MOVES_BY` from what it is, between the known times along straight lines.

    Args:
        times_ms: shape (times, customers), rising; the first is now.
        probabilities: shape (times, customers), at those times; nan where there is none.

    Returns:
        Shape (customers,): that moment in ms, the last time where it does not move so far.

    >>> holds_until_ms(np.array([[0], [1_000], [3_000]]), np.array([[0.50], [0.52], [0.60]])).tolist()
    [1750]
    >>> holds_until_ms(np.array([[0], [1_000]]), np.array([[np.nan], [np.nan]])).tolist()
    [1000]
    """
    moved = np.abs(probabilities - probabilities[0])
    until_ms: IntArray = times_ms[-1].copy()
    for later in range(len(times_ms) - 1, 0, -1):
        before, after = moved[later - 1], moved[later]
        crosses = (after >= MOVES_BY).nonzero()[0]  # nan moves nowhere
        if not len(crosses):
            continue
        begin_ms, width_ms = times_ms[later - 1][crosses], np.diff(times_ms[later - 1 : later + 1], axis=0)[0][crosses]
        before, after = np.minimum(before[crosses], MOVES_BY), after[crosses]
        share = (MOVES_BY - before) / np.maximum(after - before, MOVES_BY / 1e6)
        until_ms[crosses] = begin_ms + (width_ms * np.clip(share, 0.0, 1.0)).astype(np.int64)
    return until_ms
