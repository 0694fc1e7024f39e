"""Until when a shown probability holds if nothing arrives."""

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.scoring.linear import FloatArray

IntArray = NDArray[np.int64]

MOVES_BY = 0.05
"""A reader who acts on thresholds does not care about less; calibration errors are of the order of .02."""


@compiled
def holds_until_ms(times_ms: IntArray, probabilities: FloatArray) -> int:
    """When a probability will have moved by `MOVES_BY` from what it is, between the known times along straight lines.

    Args:
        times_ms: shape (times,), rising; the first is now.
        probabilities: shape (times,), at those times.

    Returns:
        That moment in ms; the last time where it does not move so far.

    >>> holds_until_ms(np.array([0, 1_000, 3_000]), np.array([0.50, 0.52, 0.60]))
    1750
    """
    before = 0.0
    for later in range(1, len(times_ms)):
        after = abs(probabilities[later] - probabilities[0])
        if after >= MOVES_BY:
            share = (MOVES_BY - before) / (after - before)  # less than `MOVES_BY` was before
            return int(times_ms[later - 1]) + int((times_ms[later] - times_ms[later - 1]) * min(share, 1.0))
        before = after
    return int(times_ms[-1])
