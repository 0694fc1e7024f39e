"""Every kind of model that may serve: how it is written down, and its probability of a row."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np

from stream.compiled import compiled
from stream.features.columns import MODEL_COLUMNS
from stream.scoring.hazard import (
    NO_WEEKLY,
    STEPS_DAYS,
    FloatArray,
    HazardModel,
    Rolling,
    none_logit,
    roll,
    rolling,
    window_of,
)
from stream.scoring.linear import LinearModel, Weighing, moving_logit, sigmoid, standing_logit, weighing

ONLY_LINEAR, MEAN, ONLY_HAZARD = range(3)


class MeanLogit(msgspec.Struct, frozen=True, cache_hash=True, tag="mean_logit"):
    """The model whose logit is the mean of a linear one's and a hazard's."""

    linear: LinearModel
    hazard: HazardModel


Model = LinearModel | HazardModel | MeanLogit


class Scorer(NamedTuple):
    """A model of any kind for compiled code; what it has not got says nothing.

    Attributes:
        kind: `ONLY_LINEAR`, `MEAN` or `ONLY_HAZARD`.
        linear: the linear model.
        rolling: the hazard's weekly model.
        horizon_days, within_own_gap: how far the hazard is rolled forward.
        sign: 1 where the outcome is that nothing happens, else -1.
    """

    kind: int
    linear: Weighing
    rolling: Rolling
    horizon_days: float
    within_own_gap: bool
    sign: float


@lru_cache(maxsize=128)  # a few outcomes times a few candidates are in force at once; older versions fall out
def scorer(model: Model | None, columns: Sequence[str] = MODEL_COLUMNS) -> Scorer:
    """The model for rows with these columns; None is no model, whose probability is nan.

    Raises:
        ValueError: the model reads a column that the rows do not have.
    """
    linear, hazard = parts(model)
    weekly = hazard.weekly if hazard else NO_WEEKLY
    return Scorer(
        kind=ONLY_LINEAR if hazard is None else ONLY_HAZARD if linear is None else MEAN,
        linear=weighing(linear, columns),
        rolling=rolling(weekly, columns),
        horizon_days=float(hazard.horizon_days) if hazard else 0.0,
        within_own_gap=hazard.within_own_gap if hazard else False,
        sign=-1.0 if hazard and hazard.true_when == "any" else 1.0,
    )


def parts(model: Model | None) -> tuple[LinearModel | None, HazardModel | None]:
    """The linear model and the hazard that a model is made of."""
    match model:
        case MeanLogit():
            return model.linear, model.hazard
        case HazardModel():
            return None, model
        case _:
            return model, None


def explained(model: Model) -> LinearModel:
    """The linear model by which a model's probability is explained.

    Of a mean of two its linear half; of a hazard alone the next seven days, turned round where nothing happening counts.
    """
    linear, hazard = parts(model)
    if linear is not None or hazard is None:
        return linear or NO_WEEKLY
    if hazard.true_when == "any":
        return hazard.weekly
    weights = tuple(-weight for weight in hazard.weekly.weights)
    return msgspec.structs.replace(hazard.weekly, weights=weights, bias=-hazard.weekly.bias)


def probability(model: Model, matrix: FloatArray, columns: Sequence[str] = MODEL_COLUMNS) -> FloatArray:
    """Probability of the outcome for each row.

    Args:
        model: of any kind.
        matrix: shape (rows, len(columns)), finite.
        columns: the names of the matrix's columns.

    Returns:
        Shape (rows,), strictly between 0 and 1.

    Raises:
        ValueError: the model reads a column that the matrix does not have.

    >>> weekly = LinearModel(("log_since_last_purchase_days",), (2.0,), (1.0,), (0.0,), bias=math.log(0.25 / 0.75))
    >>> rows = np.array([[2.0], [4.0]])
    >>> probability(HazardModel(weekly, horizon_days=14), rows, weekly.columns).round(4)  # .75 each week
    array([0.5625, 0.5625])
    """
    probabilities = np.empty(len(matrix))
    _score_each(probabilities, np.ascontiguousarray(matrix, np.float64), scorer(model, columns), *workspace(columns))
    return probabilities


def workspace(columns: Sequence[str] = MODEL_COLUMNS) -> tuple[FloatArray, FloatArray]:
    """Hazards and scratch for `probability_of`."""
    return np.zeros(len(STEPS_DAYS)), np.zeros((2, len(columns)))


@compiled
def probability_of(model: Scorer, row: FloatArray, hazards: FloatArray, scratch: FloatArray) -> float:
    """Probability of the outcome for one row; hazards and scratch are overwritten."""
    linear = none = 0.0
    if model.kind != ONLY_HAZARD:
        linear = moving_logit(model.linear, row) + standing_logit(model.linear, row)
    if model.kind != ONLY_LINEAR:
        days = window_of(row, model.rolling.gap, model.horizon_days, model.within_own_gap)
        roll(hazards, model.rolling, row, days, scratch)
        none = none_logit(hazards, model.rolling.widths_days, days)
    return sigmoid(joined(model, linear, none))


@compiled
def joined(model: Scorer, linear: float, none: float) -> float:
    """The logit of a model whose parts say so: the linear one's logit, and that of nothing happening."""
    if model.kind == ONLY_LINEAR:
        return linear
    if model.kind == ONLY_HAZARD:
        return model.sign * none
    return (linear + model.sign * none) / 2


@compiled
def _score_each(
    probabilities: FloatArray, matrix: FloatArray, model: Any, hazards: FloatArray, scratch: FloatArray
) -> None:
    for i in range(len(matrix)):
        probabilities[i] = probability_of(model, matrix[i], hazards, scratch)
