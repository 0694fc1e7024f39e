"""Scores of an outcome: what every candidate says, and which of them is shown."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.scoring.documents import OutcomeDocument
from stream.scoring.linear import LinearModel, probability

FloatArray = NDArray[np.float64]

NO_MODEL = "none"


@dataclass(frozen=True)
class Scored:
    """One outcome's scores of some customers.

    Attributes:
        probability: shape (customers,), of the serving candidate; nan while none serves.
        model: the serving candidate's name, or "none".
        version: of the document; "" before the first.
        serving: the serving candidate itself.
        candidates: every candidate's probabilities, the serving one's included.
    """

    probability: FloatArray
    model: str = NO_MODEL
    version: str = ""
    serving: LinearModel | None = None
    candidates: dict[str, FloatArray] = field(default_factory=dict)


def score_outcome(document: OutcomeDocument | None, matrix: FloatArray) -> Scored:
    """Score with the serving candidate.

    Args:
        document: the outcome's models, None before the learner's first.
        matrix: shape (customers, columns), as `model_matrix` gives it.
    """
    if document is None or document.serving is None:
        version = document.version if document else ""
        return Scored(np.full(len(matrix), np.nan), version=version)
    serving = document.candidates[document.serving]
    return Scored(probability(serving, matrix), document.serving, document.version, serving)


def score_candidates(document: OutcomeDocument | None, matrix: FloatArray) -> Scored:
    """Score with the serving candidate and with all others, for a snapshot: models are judged on what they said then."""
    scored = score_outcome(document, matrix)
    if document is None:
        return scored
    candidates = {name: probability(model, matrix) for name, model in document.candidates.items()}
    return Scored(scored.probability, scored.model, scored.version, scored.serving, candidates)
