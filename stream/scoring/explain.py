"""Why a customer scores as it does, in a few words a person uses.

A logistic model adds up columns, so the share of each column in a logit is known exactly. Columns are grouped into
concepts, because single ones share their story ("no purchase for 41 days" is in nine columns) and mean little alone.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream.features.columns import CONCEPTS, MODEL_COLUMNS
from stream.scoring.linear import FloatArray, LinearModel, contributions

CONCEPT_NAMES: tuple[str, ...] = tuple(dict.fromkeys(CONCEPTS.values()))
"""The concepts, in the order of the columns of `by_concept`."""

NO_CONCEPT = -1


def concepts_of(column: str) -> str:
    """The concept a model column belongs to.

    Raises:
        ValueError: not a model column.

    >>> concepts_of("log_since_last_purchase_days")
    'silence'
    """
    if column not in CONCEPTS:
        raise ValueError(f"{column!r} is not a model column")
    return CONCEPTS[column]


@lru_cache(maxsize=128)  # as many as there are models in force
def _places(columns: tuple[str, ...]) -> tuple[int, ...]:
    """Each column's place among the concepts."""
    return tuple(CONCEPT_NAMES.index(concepts_of(column)) for column in columns)


def by_concept(model: LinearModel, matrix: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS) -> FloatArray:
    """What each concept adds to the logit of each row, relative to the average customer, for whom all are 0.

    Args:
        model: what scored the rows.
        matrix: shape (rows, len(columns)).
        columns: the names of the matrix's columns.

    Returns:
        Shape (rows, len(CONCEPT_NAMES)), logits; positive makes the outcome more likely.
    """
    sums = np.zeros((len(CONCEPT_NAMES), len(matrix)))
    for place, contribution in zip(_places(model.columns), contributions(model, matrix, columns), strict=True):
        sums[place] += contribution
    return sums.T


def top_concepts(
    model: LinearModel, matrix: FloatArray, n: int = 2, columns: tuple[str, ...] = MODEL_COLUMNS
) -> NDArray[np.intp]:
    """The `n` concepts that raise each row's probability most, the heaviest first.

    Returns:
        Shape (rows, n), places in `CONCEPT_NAMES`; `NO_CONCEPT` where fewer than `n` concepts raise it.

    >>> silence, often = "log_since_last_purchase_days", "log_purchase_days"
    >>> model = LinearModel((silence, often), means=(3.0, 1.0), scales=(1.0, 1.0), weights=(1.0, -1.0), bias=0.0)
    >>> codes = top_concepts(model, np.array([[5.0, 0.0], [4.0, 3.0]]), columns=(silence, often))
    >>> [[CONCEPT_NAMES[code] for code in row if code != NO_CONCEPT] for row in codes]
    [['silence', 'frequency'], ['silence']]
    """
    sums = by_concept(model, matrix, columns)
    heaviest = np.argsort(-sums, axis=1, kind="stable")[:, :n]
    raises = np.take_along_axis(sums, heaviest, axis=1) > 0.0
    return np.where(raises, heaviest, NO_CONCEPT)
