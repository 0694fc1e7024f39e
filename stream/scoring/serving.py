"""Scores of outcomes: what is served, and what every candidate says (to be judged when the label is known)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from stream.features.columns import MODEL_COLUMNS
from stream.scoring.documents import OutcomeDocument
from stream.scoring.kinds import Model, probabilities
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


def score_outcomes(
    documents: Sequence[OutcomeDocument | None], matrix: FloatArray, columns: tuple[str, ...] = MODEL_COLUMNS
) -> list[OutcomeScores]:
    """Score rows with every candidate of each document: what they roll forward together is rolled forward once.

    Args:
        documents: the outcomes' models in force; None before the first of an outcome.
        matrix: shape (rows, len(columns)).
        columns: the names of the matrix's columns.

    >>> score_outcomes([None], np.zeros((2, 0)), ())
    [OutcomeScores(served=array([nan, nan]), model='none', candidates={})]
    """
    models = tuple(model for document in documents if document for model in document.candidates.values())
    said = iter(probabilities(models, matrix, columns))
    return [_scores_of(document, said, len(matrix)) for document in documents]


def _scores_of(document: OutcomeDocument | None, said: Iterator[FloatArray], rows: int) -> OutcomeScores:
    """Take what a document's candidates say."""
    candidates = {name: next(said) for name in document.candidates} if document else {}
    if document is None or document.serving is None:
        return OutcomeScores(np.full(rows, np.nan), NO_MODEL, candidates)
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
    """The candidate that serves; for callers that need no other scores, such as an explanation."""
    return served(document).model
