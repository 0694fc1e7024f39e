"""When a silence is long for this very customer: beyond twice its own gap, within bounds."""

import numpy as np
from numpy.typing import NDArray

GAP_MULTIPLE = 2.0
AT_LEAST_DAYS, AT_MOST_DAYS = 14.0, 180.0


def own_window_days(mean_gap_days: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole days that are a long silence for customers with these mean gaps; 0 where there is no gap.

    >>> own_window_days(np.array([3.0, 12.1, 120.0, np.nan])).tolist()
    [14, 25, 180, 0]
    """
    days = np.clip(GAP_MULTIPLE * mean_gap_days, AT_LEAST_DAYS, AT_MOST_DAYS)
    return np.where(np.isnan(days), 0.0, np.ceil(days)).astype(np.int64)
