"""How well probabilities did, kept as sums: log loss exactly, AUC from fine counts of logits."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.scoring.documents import Judged

BINS_PER_LOGIT = 32
LARGEST_LOGIT = 12.0  # a probability of 6e-6; what is farther out counts in the last bin
INSIDE = LARGEST_LOGIT - 0.5 / BINS_PER_LOGIT  # the middle of the last bin
BINS = int(2 * LARGEST_LOGIT) * BINS_PER_LOGIT
SURE = 1e-12  # a candidate that was certain and wrong is charged 27.6 nats, not infinity


class JudgeState(msgspec.Struct, frozen=True, kw_only=True):
    """A judge as numbers. `counts` is u4 little-endian, shape (2, BINS): labels of value 0 and of value 1 by logit."""

    rows: int
    loss: float
    counts: bytes


class Judge:
    """Judges one candidate on pairs of a stored probability and the label that came true.

    The area under the ROC curve is the chance that a label of 1 had a higher probability than a label of 0.
    Probabilities in one bin, 1/32 of a logit wide, count as equal: in a year of Online Retail II that moved the AUC of
    a model by .0001, and that of the base rate, whose probabilities hardly differ, by .002.
    """

    def __init__(self, state: JudgeState | None = None) -> None:
        counts = bytes(8 * BINS) if state is None else state.counts
        self._rows = state.rows if state else 0
        self._loss = state.loss if state else 0.0
        self._counts = np.frombuffer(counts, "<u4").astype(np.int64)

    def add(self, probabilities: NDArray[np.float64], happened: NDArray[np.bool_]) -> None:
        """Count labels.

        Args:
            probabilities: shape (labels,), what the candidate said when the snapshots were taken, in [0, 1].
            happened: shape (labels,), whether the outcome came true.
        """
        bounded = np.clip(probabilities, SURE, 1.0 - SURE)
        self._rows += len(bounded)
        self._loss = add_losses(self._loss, bounded, happened)
        logits = np.log(bounded) - np.log1p(-bounded)
        places = ((np.clip(logits, -LARGEST_LOGIT, INSIDE) + LARGEST_LOGIT) * BINS_PER_LOGIT).astype(np.int64)
        self._counts += np.bincount(BINS * happened + places, minlength=2 * BINS)

    def judged(self) -> Judged | None:
        """The judgement so far; None before the first label.

        >>> judge = Judge()
        >>> judge.add(np.array([0.9, 0.6, 0.5, 0.2]), np.array([True, False, True, False]))
        >>> judge.judged()
        Judged(rows=4, log_loss=0.4844..., auc=0.75)
        """
        if not self._rows:
            return None
        return Judged(rows=self._rows, log_loss=self._loss / self._rows, auc=self._auc())

    def _auc(self) -> float | None:
        zeros, ones = self._counts.astype(np.float64).reshape(2, BINS)
        pairs = zeros.sum() * ones.sum()
        if not pairs:
            return None
        zeros_below = np.cumsum(zeros) - zeros
        return float((ones * (zeros_below + zeros / 2)).sum() / pairs)

    def state(self) -> JudgeState:
        """Everything to go on from."""
        return JudgeState(rows=self._rows, loss=self._loss, counts=self._counts.astype("<u4").tobytes())


@compiled
def add_losses(total: float, probabilities: NDArray[np.float64], happened: NDArray[np.bool_]) -> float:
    """`total` and the log loss of each, in nats, one after another: it must not depend on how many come at once.

    >>> round(add_losses(1.0, np.array([0.5, 0.25]), np.array([True, False])), 4)
    1.9808
    """
    for i in range(len(probabilities)):
        total -= math.log(probabilities[i] if happened[i] else 1.0 - probabilities[i])
    return total
