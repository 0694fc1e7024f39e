"""A logistic model as plain numbers, scored element by element.

A customer's score must not depend on who else is in the chunk. A matrix product of one row and of 5,000 rows differs in
the last bits, so contributions are added column by column in the order the model declares them: each row sees the same
operations in the same order, whatever the number of rows.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.features.columns import MODEL_COLUMNS

FloatArray = NDArray[np.float64]

CLIP = 6.0  # standard deviations; one wild value must not decide a score (docs/architecture.md, "Learning")
LARGEST_LOGIT = (
    30.0  # sigmoid(30) = 1 - 1e-13: farther out a probability would round to 0 or 1 and a log loss to infinity
)

FEW_ROWS = (
    100  # below, one call that adds rows in memory order costs less than a call per column: 1 us against 15 for a row
)


class LinearModel(msgspec.Struct, frozen=True):
    """Standardise, clip, weigh, add: everything a logistic regression needs to score a row.

    Args:
        columns: names of the matrix columns it reads, in the order in which they are added.
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


def probability(model: LinearModel, matrix: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS) -> FloatArray:
    """Probability of the outcome for each row.

    Args:
        model: what to score with.
        matrix: shape (rows, len(columns)), finite; Fortran order is fastest.
        columns: the names of the matrix's columns.

    Returns:
        Shape (rows,), strictly between 0 and 1.

    Raises:
        ValueError: the model reads a column that the matrix does not have.

    >>> model = LinearModel(("silence",), means=(2.0,), scales=(1.0,), weights=(0.5,), bias=0.0)
    >>> probability(model, np.array([[2.0], [4.0]]), ("silence",)).round(3)
    array([0.5  , 0.731])
    """
    return sigmoid(_added(model.bias, contributions(model, matrix, columns)))


def contributions(model: LinearModel, matrix: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS) -> FloatArray:
    """What each column adds to the logit of each row, relative to the average row, which gets `bias` alone.

    Returns:
        Shape (len(model.columns), rows), logits, in the order of `model.columns`.

    Raises:
        ValueError: the model reads a column that the matrix does not have.

    >>> model = LinearModel(("a", "flat"), means=(1.0, 5.0), scales=(2.0, 0.0), weights=(0.5, 9.0), bias=0.0, clip=3.0)
    >>> contributions(model, np.array([[5.0, 7.0], [100.0, 5.0]]), ("a", "flat"))
    array([[1. , 1.5],
           [0. , 0. ]])
    """
    picked, means, scales, weights = _arrays(model, columns)
    values = matrix.T[picked]
    values -= means
    values /= scales
    np.maximum(values, -model.clip, out=values)
    np.minimum(values, model.clip, out=values)
    values *= weights
    return values


def sigmoid(logit: FloatArray) -> FloatArray:
    """Probability from logits; contiguous in, so that one row and many take the same path through `exp`.

    >>> sigmoid(np.array([0.0, -1e9])).round(3)
    array([0.5, 0. ])
    """
    bounded = np.clip(np.ascontiguousarray(logit), -LARGEST_LOGIT, LARGEST_LOGIT)
    return np.asarray(1.0 / (1.0 + np.exp(-bounded)))


def _added(bias: float, parts: FloatArray) -> FloatArray:
    """`bias` plus each row of `parts` in order. Both ways add in that order, so their bits agree; `np.sum` does not."""
    if parts.size > 0 and parts.shape[1] < FEW_ROWS:
        parts[0] += bias
        return np.asarray(np.add.accumulate(parts, axis=0)[-1])
    logit = np.full(parts.shape[1], bias)
    for part in parts:
        logit += part
    return logit


@lru_cache(maxsize=128)  # a few outcomes times a few candidates are in force at once; older versions fall out
def _arrays(model: LinearModel, columns: Sequence[str]) -> tuple[NDArray[np.intp], FloatArray, FloatArray, FloatArray]:
    """Where the model's columns are in the matrix, and its numbers as (columns, 1) arrays."""
    missing = [name for name in model.columns if name not in columns]
    if missing:
        raise ValueError(f"the matrix has no column {missing[0]!r}; it has {', '.join(columns)}")
    picked = np.array([columns.index(name) for name in model.columns], dtype=np.intp)
    scales = np.array(model.scales)
    weights = np.where(scales == 0.0, 0.0, np.array(model.weights))
    divisors = np.where(scales == 0.0, 1.0, scales)
    return picked, np.array(model.means)[:, None], divisors[:, None], weights[:, None]
