"""Why a customer scores as it does, in a few words a person uses.

A logistic model adds up columns, so the share of each column in a logit is known exactly; in trees concepts have
Shapley values (`stream.scoring.tree_shares`). Columns are grouped into concepts, because single ones share their story
("no purchase for 41 days" is in nine columns) and mean little alone. What is missed of visits is engagement.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays
from stream.features.columns import CONCEPTS, MODEL_COLUMNS
from stream.features.missed import fill_missed
from stream.scoring.linear import FloatArray, LinearModel, Weighing, weighed, weighing
from stream.scoring.tree_shares import shares
from stream.scoring.trees import TreeModel

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
def _concepts(columns: tuple[str, ...]) -> NDArray[np.int64]:
    """The place of each column's concept among the concepts."""
    return np.array([CONCEPT_NAMES.index(CONCEPTS[name]) if name in CONCEPTS else NO_CONCEPT for name in columns])


def by_concept(
    model: LinearModel | TreeModel, matrix: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS
) -> FloatArray:
    """What each concept adds to the logit of each row, relative to the average customer, for whom all are 0.

    Of trees relative to the customer that the model names as reference; of a forest to the probability.

    Args:
        model: what scored the rows.
        matrix: shape (rows, len(columns)).
        columns: the names of the matrix's columns.

    Returns:
        Shape (rows, len(CONCEPT_NAMES)), logits; positive makes the outcome more likely.
    """
    if isinstance(model, TreeModel):
        return shares(model, matrix, columns, _concepts(columns), len(CONCEPT_NAMES))
    sums = np.zeros((len(matrix), len(CONCEPT_NAMES)))
    _add_concepts(sums, np.ascontiguousarray(matrix), weighing(model, columns), _concepts(columns))
    return sums


def top_concepts(
    model: LinearModel | TreeModel, matrix: FloatArray, n: int = 2, columns: tuple[str, ...] = MODEL_COLUMNS
) -> NDArray[np.int64]:
    """The `n` concepts that raise each row's probability most, the heaviest first.

    Returns:
        Shape (rows, n), places in `CONCEPT_NAMES`; `NO_CONCEPT` where fewer than `n` concepts raise it.

    >>> silence, often = "log_since_last_purchase_days", "log_purchase_days"
    >>> model = LinearModel((silence, often), means=(3.0, 1.0), scales=(1.0, 1.0), weights=(1.0, -1.0), bias=0.0)
    >>> codes = top_concepts(model, np.array([[5.0, 0.0], [4.0, 3.0]]), columns=(silence, often))
    >>> [[CONCEPT_NAMES[code] for code in row if code != NO_CONCEPT] for row in codes]
    [['silence', 'frequency'], ['silence']]
    """
    heaviest = np.full((len(matrix), min(n, len(CONCEPT_NAMES))), NO_CONCEPT)
    _choose(heaviest, by_concept(model, matrix, columns))
    return heaviest


@making_arrays
def _add_concepts(sums: FloatArray, matrix: FloatArray, model: Weighing, concepts: NDArray[np.int64]) -> None:
    """Takes the model apart first: numba counts who holds an array at every call that is given one."""
    places, means, rates, weights, knots = model.places, model.means, model.rates, model.weights, model.knots
    own, clip, levels = model.columns, model.clip, np.zeros(2 * len(model.sources))
    for i in range(len(matrix)):
        for column in range(own):
            value = matrix[i, places[column]]
            sums[i, concepts[places[column]]] += weighed(value, means[column], rates[column], weights[column], clip)
        if model.made == 0:
            continue
        fill_missed(levels, model.sources, matrix[i])
        for n in range(model.made):
            kind, column = places[own + n], own + n
            value = max(levels[kind] - knots[n], 0.0)
            concept = concepts[model.sources[kind, 0]]
            sums[i, concept] += weighed(value, means[column], rates[column], weights[column], clip)


@compiled
def _choose(heaviest: NDArray[np.int64], sums: FloatArray) -> None:
    """The heaviest first, of equals the first; what is chosen is taken out of `sums`."""
    for i in range(len(heaviest)):
        for place in range(heaviest.shape[1]):
            best = np.argmax(sums[i])
            if sums[i, best] <= 0.0:
                break
            heaviest[i, place] = best
            sums[i, best] = 0.0
