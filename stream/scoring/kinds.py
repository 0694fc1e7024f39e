"""Every kind of model that may serve: how it is written down, and its probability of a row."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.features.columns import MODEL_COLUMNS
from stream.features.missed import KINDS, fill_missed
from stream.scoring.hazard import (
    NO_WEEKLY,
    ROLLING,
    SCRATCH,
    STEPS_DAYS,
    FloatArray,
    HazardModel,
    none_logit,
    roll,
    rolling,
    window_of,
)
from stream.scoring.linear import (
    LEAST_PROBABILITY,
    WEIGHING,
    LinearModel,
    bounded,
    fill_weighings,
    logit_of,
    sigmoid,
)
from stream.scoring.trees import GROVE, Nodes, TreeModel, answer_of, answers, grove_of, nodes_of

ONLY_LINEAR, BOTH, ONLY_HAZARD, TREES = range(4)
HALF = 0.5


def _refuse_share(share: float) -> None:
    """Refuse a share that cannot be meant."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share {share} is not from 0 to 1")


class MeanLogit(msgspec.Struct, frozen=True, cache_hash=True, omit_defaults=True, tag="mean_logit"):
    """The model whose logit is the mean of a linear one's and a hazard's, which counts a share of it, from 0 to 1."""

    linear: LinearModel
    hazard: HazardModel
    hazard_share: float = HALF

    def __post_init__(self) -> None:
        """Refuse a share that cannot be meant."""
        _refuse_share(self.hazard_share)


class MovedLogit(msgspec.Struct, frozen=True, cache_hash=True, tag="moved_logit"):
    """The model whose logit is a linear one's and a share, from 0 to 1, of a hazard's."""

    linear: LinearModel
    hazard: HazardModel
    share: float

    def __post_init__(self) -> None:
        """Refuse a share that cannot be meant."""
        _refuse_share(self.share)


Model = LinearModel | HazardModel | MeanLogit | MovedLogit | TreeModel


SCORER = np.dtype(
    [
        ("kind", "<i8"),
        ("linear", WEIGHING),
        ("rolling", ROLLING),
        ("rolled_by", "<i8"),
        ("horizon_days", "<f8"),
        ("within_own_gap", "<i8"),
        ("sign", "<f8"),
        ("linear_share", "<f8"),
        ("hazard_share", "<f8"),
        ("grove", GROVE),
    ]
)
"""A model of any kind for compiled code; a part that it has not got says nothing.

`kind` is `ONLY_LINEAR`, `BOTH`, `ONLY_HAZARD` or `TREES`, `rolling` the hazard's weekly model and `rolled_by` the first
of the models side by side that rolls the same one forward, `sign` is 1 where the outcome is that nothing happens, else
-1. Of `BOTH` the logit is the sum of the linear one's and the hazard's, each times its share.
"""


class Scorers(NamedTuple):
    """Models side by side for compiled code.

    Attributes:
        models: shape (models,), dtype `SCORER`.
        nodes: of all their trees, one model after another. None where none of them has any: what is compiled for that
            knows of no trees, and whoever has none pays for none.
    """

    models: NDArray[np.void]
    nodes: Nodes | None


@lru_cache(maxsize=128)  # a few outcomes times a few candidates are in force at once; older versions fall out
def scorers(models: tuple[Model | None, ...], columns: Sequence[str] = MODEL_COLUMNS) -> Scorers:
    """The models for rows with these columns; None is no model, whose probability is nan.

    Raises:
        ValueError: a model reads a column that the rows do not have.
    """
    records = np.zeros(len(models), SCORER)
    weekly = [hazard.weekly if hazard else NO_WEEKLY for _, hazard in map(parts, models)]
    for record, (linear, hazard), by in zip(records, map(parts, models), weekly, strict=True):
        record["kind"] = _kind(linear, hazard)
        record["rolled_by"] = weekly.index(by)
        if hazard:
            record["rolling"] = rolling(by, columns)
            record["horizon_days"], record["within_own_gap"] = hazard.horizon_days, hazard.within_own_gap
        record["sign"] = -1.0 if hazard and hazard.true_when == "any" else 1.0
    for record, model in zip(records, models, strict=True):
        record["linear_share"], record["hazard_share"] = _shares(model)
    fill_weighings(records["linear"], [linear for linear, _ in map(parts, models)], columns)
    trees = {at: model for at, model in enumerate(models) if isinstance(model, TreeModel)}
    first = 0
    for at, model in trees.items():
        records[at]["kind"], records[at]["grove"] = TREES, grove_of(model, first)[0]
        first += len(model.reads)
    return Scorers(records, _joined(tuple(trees.values()), tuple(columns)) if trees else None)


@lru_cache(maxsize=8)  # one set of models is in force at a time; regressions change every second, trees do not
def _joined(trees: tuple[TreeModel, ...], columns: tuple[str, ...]) -> Nodes:
    """The nodes of models, one after another."""
    joined, first = list[Nodes](), 0
    for model in trees:
        nodes = nodes_of(model, columns).copy()
        nodes["left"] += first
        nodes["right"] += first
        joined.append(nodes)
        first += len(nodes)
    return np.concatenate(joined)


def _kind(linear: LinearModel | None, hazard: HazardModel | None) -> int:
    if hazard is None:
        return ONLY_LINEAR
    return ONLY_HAZARD if linear is None else BOTH


def _shares(model: Model | None) -> tuple[float, float]:
    """What the logits of a linear model and of a hazard count for, where a model is made of both."""
    match model:
        case MeanLogit():
            return 1.0 - model.hazard_share, model.hazard_share
        case MovedLogit():
            return 1.0, model.share
        case _:
            return 0.0, 0.0


def parts(model: Model | None) -> tuple[LinearModel | None, HazardModel | None]:
    """The linear model and the hazard that a model is made of."""
    match model:
        case MeanLogit() | MovedLogit():
            return model.linear, model.hazard
        case HazardModel():
            return None, model
        case LinearModel():
            return model, None
        case _:
            return None, None


def explained(model: Model) -> LinearModel | TreeModel:
    """The model by which a model's probability is explained.

    Of one that is made of both its linear part; of a hazard alone the next seven days, turned round where nothing
    counts. Trees are explained by themselves.
    """
    if isinstance(model, TreeModel):
        return model
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

    >>> weekly = LinearModel(("log_since_last_purchase_days",), (2.0,), (1.0,), (0.0,), bias=float(np.log(0.25 / 0.75)))
    >>> rows = np.array([[2.0], [4.0]])
    >>> probability(HazardModel(weekly, horizon_days=14), rows, weekly.columns).round(4)  # .75 each week
    array([0.5625, 0.5625])
    """
    found: FloatArray = probabilities((model,), matrix, columns)[0]
    return found


def probabilities(models: tuple[Model, ...], matrix: FloatArray, columns: Sequence[str] = MODEL_COLUMNS) -> FloatArray:
    """What each of some models says of each row; arguments otherwise as of `probability`.

    Hazards of one weekly model are rolled forward once. Of trees some rows are scored tree after tree.

    Returns:
        Shape (models, rows), strictly between 0 and 1.

    Raises:
        ValueError: a model reads a column that the matrix does not have.
    """
    found, rows = np.empty((len(models), len(matrix))), np.ascontiguousarray(matrix, np.float64)
    trees = {at: model for at, model in enumerate(models) if isinstance(model, TreeModel)}
    others = tuple(None if at in trees else model for at, model in enumerate(models))
    hazards, (_, scratch) = np.zeros((len(matrix), len(STEPS_DAYS))), workspace(1)
    levels = np.zeros((len(matrix), 2 * len(KINDS)))
    _score_each(found, rows, scorers(others, columns).models, hazards, levels, scratch)
    for at, model in trees.items():
        found[at] = np.clip(answers(model, rows, columns), LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
    return found


def workspace(models: int) -> tuple[FloatArray, FloatArray]:
    """Hazards and scratch for `roll_each` and `said`; the last row of hazards is for what is missed."""
    return np.zeros((models + 1, len(STEPS_DAYS))), np.zeros(SCRATCH)


@compiled
def roll_each(
    models: NDArray[np.void], asked: NDArray[np.bool_], row: FloatArray, hazards: FloatArray, scratch: FloatArray
) -> None:
    """Roll each weekly model forward once, as far as any of the models goes that it is part of and that is asked.

    Args:
        models: those of `Scorers`.
        asked: shape (models,), which of them.
        row: the columns of now.
        hazards: shape (models + 1, steps), to be filled, the last row with what is missed.
        scratch: shape (`SCRATCH`,), overwritten.
    """
    if len(models) > 0:
        fill_missed(hazards[-1], models[0].linear.sources, row)
    for first in range(len(models)):
        days = 0.0
        for m in range(first, len(models)):
            if asked[m] and models[m].rolled_by == first:
                days = max(days, _days(models[m], row))
        if days > 0.0:
            roll(hazards[first], models[first].rolling, row, hazards[-1], days, scratch)


@compiled
def _days(model: Any, row: FloatArray) -> float:
    return float(window_of(row, model.rolling.gap, model.horizon_days, model.within_own_gap))


@compiled
def said(model: Any, nodes: Nodes | None, row: FloatArray, hazards: FloatArray) -> float:
    """A model's probability for one row, after `roll_each`.

    Args:
        model: one of `Scorers`.
        nodes: theirs; where there are none, what is compiled is compiled without trees.
        row: the columns of now.
        hazards: as `roll_each` filled them.
    """
    if nodes is not None and model.kind == TREES:
        return float(min(max(answer_of(model.grove, nodes, row), LEAST_PROBABILITY), 1.0 - LEAST_PROBABILITY))
    return _said(model, row, hazards[model.rolled_by], hazards[-1])


@compiled
def _said(model: Any, row: FloatArray, hazards: FloatArray, levels: FloatArray) -> float:
    """A model's probability for one row, with the hazards of its weekly model and what is missed."""
    linear = none = 0.0
    if model.kind != ONLY_HAZARD:
        linear = logit_of(model.linear, row, levels)
    if model.kind != ONLY_LINEAR:
        none = model.sign * none_logit(hazards, _days(model, row))
    if model.kind == BOTH:
        return sigmoid(model.linear_share * bounded(linear) + model.hazard_share * bounded(none))
    return sigmoid(linear + none)


@compiled
def alone(model: Any, nodes: Nodes | None, row: FloatArray, hazards: FloatArray, scratch: FloatArray) -> float:
    """A model's probability for one row, as `said` gives it; only what it needs is rolled forward."""
    if model.kind != TREES:
        fill_missed(hazards[-1], model.linear.sources, row)
    if model.kind not in (ONLY_LINEAR, TREES):
        roll(hazards[model.rolled_by], model.rolling, row, hazards[-1], _days(model, row), scratch)
    return said(model, nodes, row, hazards)


@compiled
def _score_each(
    probabilities: FloatArray,
    matrix: FloatArray,
    models: NDArray[np.void],
    hazards: FloatArray,
    levels: FloatArray,
    scratch: FloatArray,
) -> None:
    """Fill `probabilities` by models of any kind but trees.

    `hazards`, shape (rows, steps), and `levels`, shape (rows, 2 * kinds of what is missed), are overwritten.
    """
    for i in range(len(matrix) if len(models) > 0 else 0):
        fill_missed(levels[i], models[0].linear.sources, matrix[i])
    for first in range(len(models)):
        if models[first].rolled_by != first:
            continue
        for i in range(len(matrix)):
            days = 0.0
            for m in range(first, len(models)):
                if models[m].rolled_by == first and models[m].kind != ONLY_LINEAR:
                    days = max(days, _days(models[m], matrix[i]))
            if days > 0.0:
                roll(hazards[i], models[first].rolling, matrix[i], levels[i], days, scratch)
        for m in range(first, len(models)):
            if models[m].rolled_by == first:
                for i in range(len(matrix)):
                    probabilities[m, i] = _said(models[m], matrix[i], hazards[i], levels[i])
