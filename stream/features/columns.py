"""Features of states at a time: in natural units, as columns for outcome models, and as columns for segments.

Everything is elementwise over customers on contiguous arrays: a customer's numbers have the same bits alone and among
5,000, whatever the memory layout of the states. Nothing is ever infinite, and no model column is nan.
"""

import numpy as np
from numpy.typing import NDArray

from stream.features.fields import StateArray
from stream.features.model_columns import FRESH, HINGES, LOGGED, MAJOR, PLAIN, Concept, Fresh, Hinge, Logged, Plain
from stream.features.natural import Natural
from stream.features.natural_columns import NATURAL_COLUMNS

__all__ = [
    "CONCEPTS",
    "MODEL_COLUMNS",
    "NATURAL_COLUMNS",
    "SEGMENT_COLUMNS",
    "Natural",
    "matrix_of",
    "model_matrix",
    "natural",
    "segment_matrix",
    "segments_of",
]

FloatArray = NDArray[np.float64]
Times = NDArray[np.int64] | int

SEGMENT_COLUMNS = ("silence", "frequency", "spend", "tenure")
_SEGMENT_SOURCES = (
    ("since_last_purchase_days", 1.0),
    ("purchase_days", 1.0),
    ("net_spend_365d_minor", MAJOR),
    ("since_first_purchase_days", 1.0),
)

_MOVING = tuple(entry for entry in LOGGED if NATURAL_COLUMNS[entry.feature].moves)
_STANDING = tuple(entry for entry in LOGGED if not NATURAL_COLUMNS[entry.feature].moves)
_ENTRIES: tuple[Logged | Fresh | Hinge | Plain, ...] = (*_MOVING, *FRESH, *HINGES, *_STANDING, *PLAIN)
"""Grouped, so that a group is transformed at once, and what stands still is transformed once for all times."""

MODEL_COLUMNS: tuple[str, ...] = tuple(entry.name for entry in _ENTRIES)
CONCEPTS: dict[str, Concept] = {entry.name: entry.concept for entry in _ENTRIES}
"""Column -> what a person would call it, for explanations."""

_FRESH_FROM = len(_MOVING)
_HINGES_FROM = _FRESH_FROM + len(FRESH)
_STANDING_FROM = _HINGES_FROM + len(HINGES)
_BENT = np.array([MODEL_COLUMNS.index(f"log_{hinge.feature}") for hinge in HINGES])
_KNOTS = np.log1p(np.array([hinge.knot for hinge in HINGES]))[:, None]
_FRESH_DAYS = 7.0


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
    """Columns for outcome models, shape (customers, len(MODEL_COLUMNS)), each column contiguous."""
    return matrix_of(natural(states, now_ms))


def matrix_of(features: Natural) -> FloatArray:
    """`model_matrix` of features at hand; `matrix_of(features.later(ms))` is cheaper for the same customers later."""
    columns = np.empty((len(MODEL_COLUMNS), len(features)))
    for place, entry in enumerate(_MOVING):
        np.divide(features[entry.feature], entry.unit, out=columns[place])
    for place, since in enumerate(FRESH, start=_FRESH_FROM):
        np.divide(_FRESH_DAYS, features[since.feature] + _FRESH_DAYS, out=columns[place])
    known = columns[:_HINGES_FROM]
    known[np.isnan(known)] = 0.0
    columns[:_FRESH_FROM] = np.log1p(columns[:_FRESH_FROM])
    np.maximum(columns[_BENT] - _KNOTS, 0.0, out=columns[_HINGES_FROM:_STANDING_FROM])
    columns[_STANDING_FROM:] = features.once("model columns that stand still", _standing)
    return columns.T


def _standing(features: Natural) -> FloatArray:
    columns = np.empty((len(_STANDING) + len(PLAIN), len(features)))
    for place, entry in enumerate(_STANDING):
        np.divide(features[entry.feature], entry.unit, out=columns[place])
    for place, share in enumerate(PLAIN, start=len(_STANDING)):
        columns[place] = features[share.feature]
    columns[np.isnan(columns)] = 0.0
    columns[: len(_STANDING)] = np.log1p(columns[: len(_STANDING)])
    return columns


def segment_matrix(states: StateArray, now_ms: Times) -> FloatArray:
    """Columns for segments, shape (customers, len(SEGMENT_COLUMNS)), each column contiguous.

    log1p of days since the last purchase, purchase days within 512, decayed net spend of a year in hundreds of minor
    units, days since the first purchase; 0 where unknown.
    """
    return segments_of(natural(states, now_ms))


def segments_of(features: Natural) -> FloatArray:
    """`segment_matrix` of features at hand."""
    columns = np.empty((len(SEGMENT_COLUMNS), len(features)))
    for column, (feature, unit) in zip(columns, _SEGMENT_SOURCES, strict=True):
        np.divide(features[feature], unit, out=column)
    columns[np.isnan(columns)] = 0.0
    return np.log1p(columns).T
