"""Features of states at a time: in natural units, as columns for outcome models, and as columns for segments.

Everything is elementwise over customers: a customer's numbers have the same bits alone and among 5,000, whatever the
memory layout of the states. Nothing is ever infinite, and no model column is nan.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
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
from stream.features.natural import Natural
from stream.features.natural_columns import NATURAL_COLUMNS

__all__ = [
    "CONCEPTS",
    "MODEL_COLUMNS",
    "MOVING_COLUMNS",
    "NATURAL_COLUMNS",
    "SEGMENT_COLUMNS",
    "Natural",
    "Plan",
    "fill_columns",
    "fill_matrix",
    "fill_place",
    "fill_places",
    "matrix_of",
    "model_matrix",
    "move_place",
    "natural",
    "plan",
    "segment_matrix",
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
    """How model columns come from a row of features; shape (len(MODEL_COLUMNS),) each.

    Attributes:
        kinds: logged, fresh, hinge or plain.
        sources: the feature's place in the row; of a hinge, the place of the column it bends.
        numbers: what the feature is divided by; of a hinge, the logarithm of its knot.
        moving: how many columns move with time; they come first.
    """

    kinds: NDArray[np.uint8]
    sources: NDArray[np.int64]
    numbers: FloatArray
    moving: int


@lru_cache(maxsize=1)
def plan() -> Plan:
    """The plan of `MODEL_COLUMNS`."""
    steps = [_step(entry) for entry in ENTRIES]
    kinds, sources, numbers = zip(*steps, strict=True)
    return Plan(np.array(kinds, np.uint8), np.array(sources, np.int64), np.array(numbers), len(MOVING_COLUMNS))


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
    matrix = np.empty((len(features), len(MODEL_COLUMNS)))
    fill_matrix(matrix, features.figures, plan())
    return matrix


def segment_matrix(states: StateArray, now_ms: Times) -> FloatArray:
    """Columns for segments, shape (customers, len(SEGMENT_COLUMNS)), each row contiguous.

    log1p of days since the last purchase, purchase days within 512, decayed net spend of a year in hundreds of minor
    units, days since the first purchase; 0 where unknown.
    """
    return segments_of(natural(states, now_ms))


def segments_of(features: Natural) -> FloatArray:
    """`segment_matrix` of features at hand."""
    matrix = np.empty((len(features), len(SEGMENT_COLUMNS)))
    fill_places(matrix, features.scored)
    return matrix


@compiled
def fill_columns(columns: FloatArray, figures: FloatArray, plan: Plan, begin: int, end: int) -> None:
    """Fill in the model columns from `begin` to `end` of one customer."""
    for place in range(begin, end):
        kind, source, number = plan.kinds[place], plan.sources[place], plan.numbers[place]
        if kind == _HINGE:
            columns[place] = max(columns[source] - number, 0.0)
            continue
        figure = figures[source]
        if math.isnan(figure):
            columns[place] = 0.0
        elif kind == _LOGGED:
            columns[place] = math.log1p(figure / number)
        elif kind == _FRESH:
            columns[place] = FRESH_DAYS / (figure + FRESH_DAYS)
        else:
            columns[place] = figure


@compiled
def fill_matrix(matrix: FloatArray, figures: FloatArray, plan: Plan) -> None:
    """Fill in the model columns of customers, from their features."""
    for i in range(len(matrix)):
        fill_columns(matrix[i], figures[i], plan, 0, matrix.shape[1])


@compiled
def fill_place(place: FloatArray, row: Any) -> None:
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
        fill_place(places[i], rows[i])
