"""Scores of one outcome: what is served, and what every candidate says (to be judged when the label is known)."""

from typing import NamedTuple

import numpy as np

from stream.features.columns import MODEL_COLUMNS
from stream.scoring.documents import OutcomeDocument
from stream.scoring.kinds import Model, probability
from stream.scoring.linear import FloatArray

NO_MODEL = "none"


class OutcomeScores(NamedTuple):
    """Scores of some customers.

    Attributes:
        served: shape (rows,), the probability to act on; nan while no model serves.
        model: name of the candidate that gave `served`, or "none".
        candidates: candidate -> its probabilities, shape (rows,); empty before the first model.
    """

    served: FloatArray
    model: str
    candidates: dict[str, FloatArray]


def score_outcome(
    document: OutcomeDocument | None, matrix: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS
) -> OutcomeScores:
    """Score rows with every candidate of a document.

    Args:
        document: the outcome's model in force; None before the first.
        matrix: shape (rows, len(columns)).
        columns: the names of the matrix's columns.

    >>> score_outcome(None, np.zeros((2, 0)), ())
    OutcomeScores(served=array([nan, nan]), model='none', candidates={})
    """
    if document is None:
        return OutcomeScores(np.full(len(matrix), np.nan), NO_MODEL, {})
    candidates = {name: probability(model, matrix, columns) for name, model in document.candidates.items()}
    if document.serving is None:
        return OutcomeScores(np.full(len(matrix), np.nan), NO_MODEL, candidates)
    return OutcomeScores(candidates[document.serving], document.serving, candidates)


class Served(NamedTuple):
    """What gives the probabilities of an outcome: the candidate's name, "none" where nothing serves, and the version of
    its document, empty before the first."""

    name: str
    version: str
    model: Model | None


def served(document: OutcomeDocument | None) -> Served:
    """What serves by a document.

    >>> served(None)
    Served(name='none', version='', model=None)
    """
    if document is None or document.serving is None:
        return Served(NO_MODEL, document.version if document else "", None)
    return Served(document.serving, document.version, document.candidates[document.serving])


def serving_model(document: OutcomeDocument | None) -> Model | None:
    """The candidate that serves; for callers that need no other scores, such as the search for a deadline."""
    return served(document).model
