"""A logistic model as plain numbers, scored row by row.

A customer's score must not depend on who else is in the chunk. A matrix product of one row and of 5,000 rows differs in
the last bits, so contributions are added one after another: first of the columns that move with time, then of those
that stand still, each in the order the model declares them. So whoever asks about the same customer at many times adds
what stands still once, and gets the same bits. What is made of columns (`stream.features.missed`) comes last; whoever
asks many models about a row makes it once.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays
from stream.features.columns import MODEL_COLUMNS, MOVING_COLUMNS
from stream.features.missed import KINDS, MISSED, MISSED_COLUMNS, fill_missed, missed_of, sources_of

FloatArray = NDArray[np.float64]

CLIP = 6.0  # standard deviations; one wild value must not decide a score (docs/architecture.md, "Learning")
LARGEST_LOGIT = 30.0
"""`sigmoid(30)` is 1 - 1e-13: farther out a probability would round to 0 or 1 and a log loss to infinity."""
LEAST_PROBABILITY = 1.0 / (1.0 + math.exp(LARGEST_LOGIT))


class LinearModel(msgspec.Struct, frozen=True, cache_hash=True, tag="linear"):
    """Standardise, clip, weigh, add: everything a logistic regression needs to score a row.

    Args:
        columns: names of the columns it reads, in the order in which they are added: of the matrix, or made of those
            (`stream.features.missed`).
        means: what to subtract from each column.
        scales: standard deviations to divide by; 0 marks a column without spread, which contributes nothing.
        weights: logit per standard deviation.
        bias: logit of the average row.
        clip: a standardised value counts as at most this many standard deviations.
    """

    columns: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    clip: float = CLIP

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        lengths = {len(self.means), len(self.scales), len(self.weights)}
        if lengths != {len(self.columns)}:
            raise ValueError(f"{len(self.columns)} columns, but means, scales and weights number {sorted(lengths)}")


class Weighing(NamedTuple):
    """A model for compiled code: shape (columns + made,) arrays, what is in a row before what is made of it.

    A column without spread adds nothing, and is left out.

    Compiled functions take one, or a record of `WEIGHING`, which has the same fields.

    Attributes:
        places: each column's place in a row, what moves with time first; of one that is made, its kind's in
            `stream.features.missed.KINDS`.
        means, rates, weights: of each column; rates are one over the scales, a division costs three times as much.
        knots: shape (made,), the logarithm of one and the knot.
        columns, moving, made: how many are in a row, how many of them move with time, how many are made.
        sources: shape (kinds, 3), what can be made of such a row, whether or not the model reads it.
        bias: nan where no model serves: its probability is nan.
        clip: of a standardised value.
    """

    places: NDArray[np.int64]
    means: FloatArray
    rates: FloatArray
    weights: FloatArray
    knots: FloatArray
    columns: int
    moving: int
    made: int
    sources: NDArray[np.int64]
    bias: float
    clip: float


_MISSED_OF = {each.name: each for each in MISSED}
_AT_MOST = len(MODEL_COLUMNS) + len(MISSED)
WEIGHING = np.dtype(
    [
        ("places", "<i8", (_AT_MOST,)),
        *((name, "<f8", (_AT_MOST,)) for name in ("means", "rates", "weights")),
        ("knots", "<f8", (len(MISSED),)),
        *((name, "<i8") for name in ("columns", "moving", "made")),
        ("sources", "<i8", (len(KINDS), 3)),
        ("bias", "<f8"),
        ("clip", "<f8"),
    ]
)
"""A `Weighing` in one piece of memory: for several models side by side, since tuples of tuples are copied."""


def logits(model: LinearModel, matrix: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS) -> FloatArray:
    """What the columns of each row add up to, with the bias.

    Args:
        model: what to score with.
        matrix: shape (rows, len(columns)), finite.
        columns: the names of the matrix's columns.

    Returns:
        Shape (rows,); `sigmoid` of them are the probabilities, as `stream.scoring.kinds.probability` gives them.

    Raises:
        ValueError: the model reads a column that the matrix does not have.

    >>> model = LinearModel(("silence",), means=(2.0,), scales=(1.0,), weights=(0.5,), bias=0.25)
    >>> logits(model, np.array([[2.0], [4.0]]), ("silence",))
    array([0.25, 1.25])
    """
    return _logits(np.ascontiguousarray(matrix, np.float64), weighing(model, columns))


@lru_cache(maxsize=128)  # a few outcomes times a few candidates are in force at once; older versions fall out
def weighing(model: LinearModel | None, columns: Sequence[str] = MODEL_COLUMNS) -> Weighing:
    """The model for rows with these columns; None is no model.

    Raises:
        ValueError: the model reads a column that the rows do not have.
    """
    if model is None:
        model = LinearModel((), (), (), (), bias=math.nan)
    order, places, own, moving = _order(model.columns, columns)
    works = np.array(model.scales, np.float64)[order] != 0.0
    order, places = order[works], places[works]
    made = [_MISSED_OF[model.columns[place]] for place in order[works[:own].sum() :].tolist()]
    return Weighing(
        places=places,
        means=np.array(model.means, np.float64)[order],
        rates=1.0 / np.array(model.scales, np.float64)[order],
        weights=np.array(model.weights, np.float64)[order],
        knots=np.array([math.log1p(each.knot) for each in made]),
        columns=int(works[:own].sum()),
        moving=int(works[:moving].sum()),
        made=len(made),
        sources=np.array(sources_of(columns), np.int64),
        bias=float(model.bias),
        clip=float(model.clip),
    )


@lru_cache(maxsize=128)  # models come by the hundred a day in a backtest, but of few sets of columns
def _order(names: tuple[str, ...], columns: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.int64], int, int]:
    """The order in which columns are added and `Weighing.places`; how many are in a row, and how many of them move."""
    made = {each.name for each in missed_of(columns)}
    missing = [name for name in names if name not in columns and name not in made]
    if missing:
        raise ValueError(f"the matrix has no column {missing[0]!r}; it has {', '.join(columns)}")
    own = [place for place, name in enumerate(names) if name in columns]
    own.sort(key=lambda place: names[place] not in MOVING_COLUMNS)
    others = sorted(set(range(len(names))) - set(own), key=lambda place: MISSED_COLUMNS.index(names[place]))
    kinds = [KINDS.index(_MISSED_OF[names[place]].of) for place in others]
    places = np.array([*(columns.index(names[place]) for place in own), *kinds], np.int64)
    moving = sum(name in MOVING_COLUMNS for name in names)
    return np.array([*own, *others], np.intp), places, len(own), moving


def weighing_record(model: LinearModel | None, columns: Sequence[str] = MODEL_COLUMNS) -> NDArray[np.void]:
    """`weighing` as a record of `WEIGHING`; the model has at most as many columns as there are."""
    record = np.zeros((), WEIGHING)
    fill_weighings(record[None], [model], columns)
    return record


def fill_weighings(
    records: NDArray[np.void], models: Sequence[LinearModel | None], columns: Sequence[str] = MODEL_COLUMNS
) -> None:
    """Write `weighing` of models into empty records of `WEIGHING`, shape (models,)."""
    known = [weighing(model, columns) for model in models]
    for name in ("places", "means", "rates", "weights"):
        values = records[name]
        for at, each in enumerate(known):
            values[at, : each.columns + each.made] = getattr(each, name)
    for at, each in enumerate(known):
        records["knots"][at, : each.made], records["sources"][at] = each.knots, each.sources
    for name in ("columns", "moving", "made", "bias", "clip"):
        records[name] = [getattr(each, name) for each in known]


@compiled
def weighed(value: float, mean: float, rate: float, weight: float, clip: float) -> float:
    """What a column that has this value adds to a logit, relative to the average row, which gets `bias` alone.

    Args:
        value: of the row.
        mean: of the column.
        rate: one over the column's scale.
        weight: of one scale.
        clip: in scales: what is farther from the mean adds no more.

    >>> weighed(3.0, 1.0, 0.5, 2.0, 6.0), weighed(100.0, 1.0, 0.5, 2.0, 6.0)
    (2.0, 12.0)
    """
    return float(min(max((value - mean) * rate, -clip), clip) * weight)


@compiled
def moving_logit(model: Weighing, row: FloatArray) -> float:
    """The bias, and what the columns of a row add that move with time."""
    logit = model.bias
    for column in range(model.moving):
        value = row[model.places[column]]
        logit += weighed(value, model.means[column], model.rates[column], model.weights[column], model.clip)
    return logit


@compiled
def missed_logit(model: Weighing, levels: FloatArray, begin: int) -> float:
    """What the columns add that are made of others, after `fill_missed`, by the levels from `begin` on."""
    logit = 0.0
    for n in range(model.made):
        column = model.columns + n
        value = max(levels[begin + model.places[column]] - model.knots[n], 0.0)
        logit += weighed(value, model.means[column], model.rates[column], model.weights[column], model.clip)
    return logit


@compiled
def standing_logit(model: Weighing, row: FloatArray) -> float:
    """What the columns add that stand still."""
    logit = 0.0
    for column in range(model.moving, model.columns):
        value = row[model.places[column]]
        logit += weighed(value, model.means[column], model.rates[column], model.weights[column], model.clip)
    return logit


@compiled
def sigmoid(logit: float) -> float:
    """The probability of a logit; nan of nan.

    >>> round(sigmoid(0.0), 3), round(sigmoid(-1e9), 3)
    (0.5, 0.0)
    """
    if math.isnan(logit):
        return logit
    return 1.0 / (1.0 + math.exp(-bounded(logit)))


@compiled
def bounded(logit: float) -> float:
    """The logit, as far as logits go."""
    return float(min(max(logit, -LARGEST_LOGIT), LARGEST_LOGIT))


@compiled
def logit_of(model: Weighing, row: FloatArray, levels: FloatArray) -> float:
    """The logit of one row, after `fill_missed`."""
    return float(moving_logit(model, row) + standing_logit(model, row) + missed_logit(model, levels, 0))


@making_arrays
def _logits(matrix: FloatArray, model: Weighing) -> FloatArray:
    found, levels = np.empty(len(matrix)), np.zeros(2 * len(model.sources))
    for i in range(len(matrix)):
        fill_missed(levels, model.sources, matrix[i])
        found[i] = logit_of(model, matrix[i], levels)
    return found


def constant(rate: float) -> LinearModel:
    """A model that gives every row the same probability.

    >>> constant(0.5).bias, round(sigmoid(constant(0.25).bias), 6)
    (0.0, 0.25)
    """
    logit = math.log(rate) - math.log1p(-rate)
    bias = min(max(logit, -LARGEST_LOGIT), LARGEST_LOGIT)
    return LinearModel(columns=(), means=(), scales=(), weights=(), bias=bias)
