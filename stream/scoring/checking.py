"""What a model from a document may be: what does not hold is refused when it is read, before anybody scores with it."""

import math
from collections.abc import Iterable

import numpy as np

from stream.errors import ModelRefusedError
from stream.features.missed import MISSED_COLUMNS
from stream.features.model_columns import MODEL_COLUMNS
from stream.scoring.kinds import Model, parts
from stream.scoring.linear import LinearModel
from stream.scoring.trees import TreeModel

NODES_AT_MOST = 25_600  # 400 trees of 32 leaves; .9 MB in each document of the outcome


def check_model(model: Model, what: str) -> None:
    """Refuse a model that cannot score rows of `MODEL_COLUMNS`.

    Args:
        model: of any kind.
        what: names it in messages.

    Raises:
        ModelRefusedError: so it is.
    """
    if isinstance(model, TreeModel):
        _check_trees(model, what)
        return
    linear, hazard = parts(model)
    for each in (linear, hazard and hazard.weekly):
        if each:
            _check_numbers(each, what)


def _check_columns(columns: tuple[str, ...], what: str, known: tuple[str, ...] = MODEL_COLUMNS) -> None:
    unknown = sorted(set(columns) - set(known))
    if unknown:
        raise ModelRefusedError(f"{what} reads the column {unknown[0]!a}, which does not exist.")
    if len(set(columns)) != len(columns):
        raise ModelRefusedError(f"{what} reads a column twice.")


def _check_numbers(model: LinearModel, what: str) -> None:
    _check_columns(model.columns, what, (*MODEL_COLUMNS, *MISSED_COLUMNS))
    numbers = [model.bias, model.clip, *model.means, *model.scales, *model.weights]
    if not np.isfinite(numbers).all() or model.clip <= 0 or min(model.scales, default=0.0) < 0:
        raise ModelRefusedError(f"{what} has a number that cannot be meant: infinite, or a negative scale or clip.")
    of_columns = (model.clip * weight for weight in model.weights)
    _refuse_boundless([model.bias, *of_columns, *(1.0 / scale for scale in model.scales if scale)], what)


def _check_trees(model: TreeModel, what: str) -> None:
    _check_columns(model.columns, what)
    if model.link == "sum":
        raise ModelRefusedError(f"{what} says numbers of any size where a probability is asked.")
    if len(model.reads) > NODES_AT_MOST:
        raise ModelRefusedError(
            f"{what} has {len(model.reads):,} nodes, {NODES_AT_MOST:,} are allowed. Train fewer or smaller trees."
        )
    _refuse_boundless([model.base, *model.values], what)


def _refuse_boundless(numbers: Iterable[float], what: str) -> None:
    """Each is finite, but what they add up to may not be: infinity less infinity is no probability."""
    if not math.isfinite(sum(map(abs, numbers))):
        raise ModelRefusedError(
            f"{what} has a number that cannot be meant: so large, or a scale so small, that a sum is infinite."
        )
