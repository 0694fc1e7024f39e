"""What each concept of a customer adds to a score, relative to a reference customer: Shapley values of any model.

A model is asked about every mixture of the two customers: some concepts of this one, the others of the reference. All
columns of a concept go together, so six concepts make 64 mixtures, and nothing has to be sampled. A concept's share is
its mean effect over all orders in which the concepts may be exchanged. The shares add up to the difference of the two
scores whatever the model is; of a linear one they are what its columns add (Sundararajan and Najmi, The many Shapley
values for model explanation, ICML 2020: "baseline Shapley").
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream.features.columns import MODEL_COLUMNS
from stream.scoring.explain import CONCEPT_NAMES, concepts_of
from stream.scoring.linear import LARGEST_LOGIT, FloatArray

Says = Callable[[FloatArray], FloatArray]
"""A model: rows of columns, shape (rows, columns) -> what it says of each, shape (rows,)."""


def mixtures(
    says: Says, matrix: FloatArray, reference: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS
) -> FloatArray:
    """What a model says of every mixture of each row with the reference.

    Args:
        says: the model.
        matrix: shape (rows, len(columns)).
        reference: shape (len(columns),).
        columns: names of model columns.

    Returns:
        Shape (rows, 2 ** len(CONCEPT_NAMES)). Bit i of a mixture's place says whether the concept at place i in
        `CONCEPT_NAMES` is the row's: the first mixture is the reference, the last one the row.

    Raises:
        ValueError: a column that no concept has.
    """
    own = _members()[:, [CONCEPT_NAMES.index(concepts_of(name)) for name in columns]]
    rows = np.where(own[None], np.asarray(matrix, np.float64)[:, None], reference)
    return says(rows.reshape(-1, len(columns))).reshape(len(matrix), len(own))


def shares(worth: FloatArray) -> FloatArray:
    """Each player's share in a game: its mean effect over all orders in which the players may come.

    Shapley, A Value for n-Person Games, 1953. A player that changes nothing gets exactly 0.

    Args:
        worth: shape (..., 2 ** players), of every coalition; bit i of a coalition's place says whether player i is in.

    Returns:
        Shape (..., players); they add up to the worth of everybody less that of nobody.

    >>> alone = np.array([0.0, 6.0, 2.0, 12.0])  # nobody, the first, the second, both
    >>> shares(alone)
    array([8., 4.])
    """
    players = worth.shape[-1].bit_length() - 1
    members, weights = _members(players), _weights(players)
    found = np.empty((*worth.shape[:-1], players))
    for player in range(players):
        without = np.flatnonzero(~members[:, player])
        gained = worth[..., without + (1 << player)] - worth[..., without]
        found[..., player] = gained @ weights[members[without].sum(axis=1)]
    return found


def logit(probability: FloatArray) -> FloatArray:
    """The logit of each probability, as far as logits go (`LARGEST_LOGIT`): forests may say 0 or 1.

    >>> logit(np.array([0.5, 0.0]))
    array([  0., -30.])
    """
    with np.errstate(divide="ignore"):
        found = np.log(probability) - np.log1p(-probability)
    return np.asarray(np.clip(found, -LARGEST_LOGIT, LARGEST_LOGIT))


@lru_cache
def _members(players: int = len(CONCEPT_NAMES)) -> NDArray[np.bool_]:
    """Shape (coalitions, players): who is in each."""
    return np.asarray((np.arange(1 << players)[:, None] >> np.arange(players)) % 2 == 1)


@lru_cache
def _weights(players: int) -> FloatArray:
    """Share of all orders in which just these come before a player, by how many they are."""
    return np.array([1.0 / (players * math.comb(players - 1, before)) for before in range(players)])
