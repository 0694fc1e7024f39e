"""Columns that models make of the stored ones: what a customer has missed, at its own pace.

Somebody who used to look in every other day and has not for three weeks is gone; for somebody who looks in once a month
three weeks are nothing. No sum of columns says so: it takes days of silence times the customer's own rate. Missed are
as many events as the customer would have left since its last one, had it gone on as on average since its first
purchase. Bent where trees split. They are made of a row of model columns when it is learned or scored, and not stored.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays
from stream.features.ahead import AGEING_OF_VISITS
from stream.features.model_columns import FRESH_DAYS

FloatArray = NDArray[np.float64]

AGE_COLUMN = "log_since_first_purchase_days"
LATER_DAYS = 28.0 * AGEING_OF_VISITS
"""By how much longer ago the last visit is in the weeks ahead of which nobody knows anything, all of them: as in four
weeks. Week by week costs more and says the same (docs/learning-measured.md, "How the numbers were chosen")."""

SETTLING_DAYS = 14.0  # added to the age: who bought yesterday and has seen twenty pages does not see twenty a day


class Missed(NamedTuple):
    """How far log1p(events missed) is above log1p(knot), else 0; 0 of who never did such a thing.

    Attributes:
        of: what is missed.
        fresh: the column that says how long ago the last one was.
        events: the column of their number.
        knot: events missed.
    """

    of: str
    fresh: str
    events: str
    knot: int

    @property
    def name(self) -> str:
        """The column's name."""
        return f"log_missed_{self.of}" + (f"_above_{self.knot}" if self.knot else "")


BROWSING_KNOTS = (0, 20, 60)
ANSWER_KNOTS = (0, 3)
"""Of some twenty choices those with the lowest log loss on eight simulated shops (docs/learning-measured.md, "How the
numbers were chosen")."""

MISSED: tuple[Missed, ...] = (
    *(Missed("browsing", "fresh_browsing", "log_browsing_count", knot) for knot in BROWSING_KNOTS),
    *(Missed("answers", "fresh_answer", "log_answer_count", knot) for knot in ANSWER_KNOTS),
)
MISSED_COLUMNS: tuple[str, ...] = tuple(column.name for column in MISSED)


KINDS: tuple[str, ...] = tuple(dict.fromkeys(column.of for column in MISSED))
"""What is missed; of each a logarithm is taken once for all columns that bend it."""


@lru_cache(maxsize=128)  # of few sets of columns
def missed_of(columns: Sequence[str]) -> tuple[Missed, ...]:
    """Those that can be made of rows with these columns.

    >>> missed_of(("log_purchase_days",))
    ()
    """
    return tuple(each for each in MISSED if {each.fresh, each.events, AGE_COLUMN} <= set(columns))


@lru_cache(maxsize=128)
def sources_of(columns: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """For each of `KINDS` the places of what it is made of: how fresh, how many, the age; -1 where it cannot be."""
    places = {each.of: (columns.index(each.fresh), columns.index(each.events)) for each in missed_of(columns)}
    age = columns.index(AGE_COLUMN) if places else -1
    return tuple((*places[of], age) if of in places else (-1, -1, -1) for of in KINDS)


def with_missed(matrix: FloatArray, columns: tuple[str, ...]) -> FloatArray:
    """Rows with what can be made of them behind their own columns.

    Args:
        matrix: shape (rows, len(columns)).
        columns: their names.

    Returns:
        Shape (rows, len(columns) + len(missed_of(columns))).

    >>> columns = ("fresh_browsing", "log_browsing_count", AGE_COLUMN)
    >>> row = np.array([[7 / (7 + 21), np.log1p(50), np.log1p(86)]])  # 50 pages in 86 + 14 days, none for 21
    >>> round(float(np.expm1(with_missed(row, columns)[0, 3])), 9)
    10.5
    """
    made = missed_of(columns)
    if not made:
        return matrix
    rows = np.empty((len(matrix), len(columns) + len(made)))
    rows[:, : len(columns)] = matrix
    kinds, knots = np.array([KINDS.index(each.of) for each in made]), np.log1p([float(each.knot) for each in made])
    _fill(rows, len(columns), np.array(sources_of(columns)), kinds, knots)
    return rows


@compiled
def fill_missed(levels: FloatArray, sources: NDArray[np.int64], row: FloatArray) -> None:
    """The logarithm of one and what is missed of each kind, now and ahead; 0 of who never did such a thing.

    Args:
        levels: shape (at least 2 * kinds,), to be filled: of all kinds now, then of all kinds ahead.
        sources: shape (kinds, 3), as `sources_of` says.
        row: model columns.
    """
    settled_days = 0.0
    for kind in range(len(sources)):
        levels[kind] = levels[len(sources) + kind] = 0.0
        fresh = row[sources[kind, 0]] if sources[kind, 0] >= 0 else 0.0
        if 0.0 < fresh <= 1.0 and row[sources[kind, 1]] > 0.0:
            if settled_days == 0.0:  # exp and log take half the time of expm1 and log1p, and lose nothing here
                settled_days = math.exp(max(row[sources[kind, 2]], 0.0)) - 1.0 + SETTLING_DAYS
            a_day, since_days = (math.exp(row[sources[kind, 1]]) - 1.0) / settled_days, FRESH_DAYS / fresh - FRESH_DAYS
            levels[kind] = math.log(1.0 + since_days * a_day)
            levels[len(sources) + kind] = math.log(1.0 + (since_days + LATER_DAYS) * a_day)


@making_arrays
def _fill(
    rows: FloatArray, begin: int, sources: NDArray[np.int64], kinds: NDArray[np.int64], knots: FloatArray
) -> None:
    levels = np.empty(2 * len(sources))
    for i in range(len(rows)):
        fill_missed(levels, sources, rows[i])
        for n in range(len(knots)):
            rows[i, begin + n] = max(levels[kinds[n]] - knots[n], 0.0)
