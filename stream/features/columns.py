"""Features of states at a time: in natural units, as columns for outcome models, and as columns for segments.

Everything is elementwise over customers: a customer's numbers have the same bits alone and among 5,000, whatever the
memory layout of the states. Nothing is ever infinite, and no model column is nan.
"""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, many_at_once
from stream.features.fields import StateArray
from stream.features.model_columns import (
    CONCEPTS,
    ENTRIES,
    FRESH_DAYS,
    FURTHER,
    MAJOR,
    MODEL_COLUMNS,
    MOVING_COLUMNS,
    SCORED_ROW,
    SEGMENT_COLUMNS,
    Fresh,
    Hinge,
    Logged,
)
from stream.features.natural import Natural, figures_of
from stream.features.natural_columns import NATURAL_COLUMNS
from stream.logarithms import fill_logarithms

__all__ = [
    "CONCEPTS",
    "MODEL_COLUMNS",
    "MOVING_COLUMNS",
    "NATURAL_COLUMNS",
    "SEGMENT_COLUMNS",
    "Natural",
    "Plan",
    "fill_columns",
    "fill_places",
    "matrix_of",
    "matrix_of_scored",
    "model_matrix",
    "move_place",
    "natural",
    "plan",
    "segments_of",
]

FloatArray = NDArray[np.float64]
Times = NDArray[np.int64] | int

_LOGGED, _FRESH, _HINGE, _PLAIN = range(4)

_moves = [name for name in FURTHER if NATURAL_COLUMNS[name].moves]
if _moves:
    raise ValueError(
        f"A model column reads {_moves[0]!r}, which moves with time but is not a scored feature. "
        "Declare it in stream/features/scored.py and compute it in stream/features/scored_formulas.py."
    )


class Plan(NamedTuple):
    """How model columns come from a row of features.

    Attributes:
        runs: shape (runs, 3), neighbouring columns that are made alike: logged, fresh, hinge or plain, the first of
            them, and the one after the last; those that move with time before those that stand still.
        moving_runs: how many runs move with time.
        moving: how many columns they are.
        sources: shape (len(MODEL_COLUMNS),), the feature's place in the row; of a hinge, the place of the column it
            bends.
        numbers: shape (len(MODEL_COLUMNS),), what the feature is divided by; of a hinge, the logarithm of its knot.
    """

    runs: NDArray[np.int64]
    moving_runs: int
    moving: int
    sources: NDArray[np.int64]
    numbers: FloatArray


@lru_cache(maxsize=1)
def plan() -> Plan:
    """The plan of `MODEL_COLUMNS`."""
    kinds, sources, numbers = zip(*[_step(entry) for entry in ENTRIES], strict=True)
    moving = len(MOVING_COLUMNS)
    begins = [at for at in range(len(kinds)) if at in (0, moving) or kinds[at] != kinds[at - 1]]
    runs = [(kinds[at], at, end) for at, end in pairwise([*begins, len(kinds)])]
    return Plan(np.array(runs, np.int64), begins.index(moving), moving, np.array(sources, np.int64), np.array(numbers))


def _step(entry: Any) -> tuple[int, int, float]:
    match entry:
        case Hinge():
            return _HINGE, MODEL_COLUMNS.index(f"log_{entry.feature}"), math.log1p(entry.knot)
        case Logged():
            return _LOGGED, _SOURCES.index(entry.feature), entry.unit
        case Fresh():
            return _FRESH, _SOURCES.index(entry.feature), 1.0
        case _:
            return _PLAIN, _SOURCES.index(entry.feature), 1.0


_SOURCES: tuple[str, ...] = SCORED_ROW.names or ()


def natural(states: StateArray, now_ms: Times) -> Natural:
    """Features in natural units.

    Args:
        states: shape (customers,), dtype `STATE`.
        now_ms: one time, or one per customer; never taken before a customer's last event.

    Returns:
        Columns by name (`NATURAL_COLUMNS` says which, with units), each of shape (customers,).
    """
    return Natural(states, now_ms)


def model_matrix(states: StateArray, now_ms: Times) -> FloatArray:
    """Columns for outcome models, shape (customers, len(MODEL_COLUMNS)), each row contiguous."""
    return matrix_of(natural(states, now_ms))


def matrix_of(features: Natural) -> FloatArray:
    """`model_matrix` of features at hand."""
    return matrix_of_scored(features.scored)


def matrix_of_scored(scored: NDArray[np.void]) -> FloatArray:
    """`model_matrix` of what decisions go by, dtype `SCORED_ROW`."""
    matrix = np.empty((len(scored), len(MODEL_COLUMNS)))
    _fill_matrix(matrix, figures_of(scored), plan())
    return matrix


def segments_of(features: Natural) -> FloatArray:
    """Columns for segments, shape (customers, len(SEGMENT_COLUMNS)), each row contiguous.

    log1p of days since the last purchase, purchase days within 512, decayed net spend of a year in hundreds of minor
    units, days since the first purchase; 0 where unknown.
    """
    matrix = np.empty((len(features), len(SEGMENT_COLUMNS)))
    fill_places(matrix, features.scored)
    return matrix


@many_at_once
def fill_columns(columns: FloatArray, figures: FloatArray, plan: Plan, runs: int) -> None:
    """Fill in the model columns of one customer that the first `runs` runs of the plan make."""
    sources, numbers = plan.sources, plan.numbers
    for run in range(runs):
        kind, begin, end = plan.runs[run, 0], plan.runs[run, 1], plan.runs[run, 2]
        if kind == _LOGGED:
            for place in range(begin, end):
                figure = figures[sources[place]] / numbers[place]
                columns[place] = 1.0 if math.isnan(figure) else 1.0 + figure
            fill_logarithms(columns[begin:], end - begin)
        elif kind == _FRESH:
            for place in range(begin, end):
                figure = FRESH_DAYS / (figures[sources[place]] + FRESH_DAYS)
                columns[place] = 0.0 if math.isnan(figure) else figure
        elif kind == _HINGE:
            for place in range(begin, end):
                columns[place] = max(columns[sources[place]] - numbers[place], 0.0)
        else:
            for place in range(begin, end):
                figure = figures[sources[place]]
                columns[place] = 0.0 if math.isnan(figure) else figure


@compiled
def _fill_matrix(matrix: FloatArray, figures: FloatArray, plan: Plan) -> None:
    """Fill in the model columns of customers, from their features."""
    for i in range(len(matrix)):
        fill_columns(matrix[i], figures[i], plan, len(plan.runs))


@compiled
def _fill_place(place: FloatArray, row: Any) -> None:
    """Fill in the segment columns of one customer."""
    place[1] = _logged(row.purchase_days, 1.0)
    move_place(place, row)


@compiled
def move_place(place: FloatArray, row: Any) -> None:
    """Those of them that move with time."""
    place[0] = _logged(row.since_last_purchase_days, 1.0)
    place[2] = _logged(row.net_spend_365d_minor, MAJOR)
    place[3] = _logged(row.since_first_purchase_days, 1.0)


@compiled
def _logged(figure: float, unit: float) -> float:
    return 0.0 if math.isnan(figure) else math.log1p(figure / unit)


@compiled
def fill_places(places: FloatArray, rows: Any) -> None:
    """Fill in the segment columns of customers, from their features."""
    for i in range(len(places)):
        _fill_place(places[i], rows[i])
