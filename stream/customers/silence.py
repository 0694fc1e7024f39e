"""When a silence is long for this very customer: beyond twice its own gap, within bounds.

Not compiled here: light commands import it with the settings, and the compiler takes a second to import.
"""

import math

import numpy as np
from numpy.typing import NDArray

GAP_MULTIPLE = 2.0
AT_LEAST_DAYS, AT_MOST_DAYS = 14.0, 180.0
PURCHASE_DAYS_AT_LEAST = 2  # of who has a gap; of others no silence is long


def long_silence_days(mean_gap_days: float, multiple: float, at_least_days: float, at_most_days: float) -> float:
    """The silence that is long for a customer with this mean gap; never, where there is no gap.

    >>> [long_silence_days(gap, 2.0, 14.0, 180.0) for gap in (3.0, 12.0, 120.0, math.nan)]
    [14.0, 24.0, 180.0, inf]
    """
    if math.isnan(mean_gap_days):
        return math.inf
    return min(max(multiple * mean_gap_days, at_least_days), at_most_days)


def own_window_days(mean_gap_days: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole days that are a long silence for customers with these mean gaps; 0 where there is no gap.

    >>> own_window_days(np.array([3.0, 12.1, 120.0, np.nan])).tolist()
    [14, 25, 180, 0]
    """
    days = np.ceil(np.clip(GAP_MULTIPLE * mean_gap_days, AT_LEAST_DAYS, AT_MOST_DAYS))
    return np.where(np.isnan(days), 0.0, days).astype(np.int64)
