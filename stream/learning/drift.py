"""Has a distribution moved, have losses risen? Answers over weeks, not rows.

On rows, sequential tests cry wolf: ADWIN and Page-Hinkley did so 6 to 30 times in two years without a change. A week
averages over what its days bring (docs/architecture.md, "Learning").
"""

import math

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

GROUPS = 10  # of the reference, about equally many in each


def population_stability(reference: IntArray, recent: IntArray) -> float:
    """How far one histogram has moved from another: the population stability index.

    The sum of (recent share - reference share) ln(recent share / reference share) over `GROUPS` groups of neighbouring
    bins that hold about a tenth of the reference each; half a row is added to each group. Siddiqi, Credit Risk
    Scorecards, 2006, calls less than .1 no change and more than .25 a major one.

    Args:
        reference, recent: rows in each bin, shape (bins,), neither of them empty.

    >>> same = np.array([10, 20, 30, 40])
    >>> population_stability(same, same * 7) < 0.001
    True
    >>> round(population_stability(np.array([500, 500]), np.array([250, 750])), 2)
    0.27
    """
    groups = _groups(reference)
    before, now = (
        np.bincount(groups, weights=counts, minlength=GROUPS)[np.unique(groups)] for counts in (reference, recent)
    )
    before, now = ((counts + 0.5) / (counts + 0.5).sum() for counts in (before, now))
    return float(((now - before) * np.log(now / before)).sum())


def _groups(reference: IntArray) -> IntArray:
    """The group of each bin, by how much of the reference lies up to its middle."""
    up_to_middle = np.cumsum(reference) - reference / 2
    groups: IntArray = np.minimum(up_to_middle / reference.sum() * GROUPS, GROUPS - 1).astype(np.int64)
    return groups


def expected_by_chance(reference_rows: int, recent_rows: int) -> float:
    """What the index is on average where nothing has moved: it is near a chi-square of `GROUPS` - 1 degrees of freedom.

    Yurdakul and Naranjo, Journal of Risk Model Validation 14, 2020.

    >>> round(expected_by_chance(1_200, 400), 3)
    0.03
    """
    return (GROUPS - 1) * (1 / reference_rows + 1 / recent_rows)


def rise(reference: FloatArray, recent: FloatArray, error_by_rows: float) -> float:
    """How many standard errors the mean of recent weeks is above that of the weeks before.

    Student's t, pooled; the error counts as at least that of as many independent rows, since few weeks may resemble
    each other by luck.

    Args:
        reference, recent: means of weeks, shape (weeks,), two or more each.
        error_by_rows: standard error of the difference if weeks did not matter, above 0.

    >>> weeks = np.array([0.5, 0.52, 0.48, 0.5]), np.array([0.56, 0.58])
    >>> round(rise(*weeks, error_by_rows=0.001), 1), round(rise(*weeks, error_by_rows=0.035), 1)
    (5.1, 2.0)
    """
    n, m = len(reference), len(recent)
    spread = ((reference - reference.mean()) ** 2).sum() + ((recent - recent.mean()) ** 2).sum()
    error_by_weeks = math.sqrt(spread / (n + m - 2) * (1 / n + 1 / m))
    return float(recent.mean() - reference.mean()) / max(error_by_weeks, error_by_rows)
