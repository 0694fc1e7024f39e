"""How well probabilities did, kept as sums: log loss exactly, AUC from fine counts of logits."""

import math

import msgspec
import numpy as np

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
        self._counts: list[int] = np.frombuffer(counts, "<u4").tolist()  # a list: one count at a time is faster

    def add(self, probability: float, happened: bool) -> None:
        """Count one label.

        Args:
            probability: what the candidate said when the snapshot was taken, in [0, 1].
            happened: whether the outcome came true.
        """
        bounded = min(max(probability, SURE), 1.0 - SURE)
        self._rows += 1
        self._loss -= math.log(bounded if happened else 1.0 - bounded)
        logit = math.log(bounded) - math.log1p(-bounded)
        place = int((min(max(logit, -LARGEST_LOGIT), INSIDE) + LARGEST_LOGIT) * BINS_PER_LOGIT)
        self._counts[BINS * happened + place] += 1

    def judged(self) -> Judged | None:
        """The judgement so far; None before the first label.

        >>> judge = Judge()
        >>> for probability, happened in [(0.9, True), (0.6, False), (0.5, True), (0.2, False)]:
        ...     judge.add(probability, happened)
        >>> judge.judged()
        Judged(rows=4, log_loss=0.4844..., auc=0.75)
        """
        if not self._rows:
            return None
        return Judged(rows=self._rows, log_loss=self._loss / self._rows, auc=self._auc())

    def _auc(self) -> float | None:
        zeros, ones = np.array(self._counts, np.float64).reshape(2, BINS)
        pairs = zeros.sum() * ones.sum()
        if not pairs:
            return None
        zeros_below = np.cumsum(zeros) - zeros
        return float((ones * (zeros_below + zeros / 2)).sum() / pairs)

    def state(self) -> JudgeState:
        """Everything to go on from."""
        return JudgeState(rows=self._rows, loss=self._loss, counts=np.array(self._counts, "<u4").tobytes())
