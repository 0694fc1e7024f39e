"""When people shop: days of the week, months of the year, hours of the day."""

from datetime import date, timedelta

import numpy as np

from ebb.simulate.draws import Draws, FloatArray, IntArray

WEEKDAYS = (1.05, 1.10, 1.10, 1.15, 1.00, 0.75, 0.85)
"""Monday first, mean 1."""

MONTHS = (0.92, 0.88, 0.95, 0.93, 0.97, 0.95, 0.92, 0.88, 1.05, 1.20, 1.35, 1.00)
"""January first, mean 1; Online Retail sells most from September to November."""

HOURS = (1, 1, 0, 0, 0, 1, 2, 4, 7, 9, 10, 10, 11, 10, 9, 8, 8, 8, 9, 11, 12, 10, 6, 3)
"""Relative visits by hour of the day, UTC."""

HOUR_MS = 3_600_000
MINUTE_MS = 60_000


def season(start: date, day: int) -> float:
    """How much more than on an average day is bought.

    >>> season(date(2024, 11, 1), 13)
    1.5525
    """
    today = start + timedelta(days=day)
    return round(WEEKDAYS[today.weekday()] * MONTHS[today.month - 1], 9)


def times_of_day_ms(draws: Draws, purpose: str, who: IntArray, day: int) -> IntArray:
    """When somebody comes to the shop, ms since midnight; an hour before the next midnight at the latest."""
    hours = draws.choice(np.array(HOURS, np.float64), purpose, who, day)
    within: FloatArray = draws.uniform(purpose, who, day, 1)
    return np.minimum(hours * HOUR_MS + np.asarray(within * HOUR_MS, np.int64), 23 * HOUR_MS)
