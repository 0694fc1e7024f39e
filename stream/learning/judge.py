"""How well probabilities did, kept as sums: losses exactly, ranks and calibration from fine counts of logits."""

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.scoring.documents import Judged

FloatArray = NDArray[np.float64]

SURE = 1e-12  # a candidate that was certain and wrong is charged 27.6 nats, not infinity
GROUPS = 10
"""Of the reliability table: about as many labels in each, equal probabilities in one, so that each rests on many."""


class Grid(NamedTuple):
    """Bins of equal width on the logit. What is farther out than `largest_logit` counts in the last bin.

    >>> FINE.bins, COARSE.bins
    (768, 64)
    """

    per_logit: int
    largest_logit: float

    @property
    def bins(self) -> int:
        """How many."""
        return round(2 * self.largest_logit * self.per_logit)

    def middles(self) -> FloatArray:
        """The probability in the middle of each bin."""
        logits = (np.arange(self.bins) + 0.5) / self.per_logit - self.largest_logit
        middle: FloatArray = 1.0 / (1.0 + np.exp(-logits))
        return middle


FINE = Grid(32, 12.0)  # for all labels together; 12 is a probability of 6e-6
COARSE = Grid(4, 8.0)  # for the labels of some weeks: a hundredth of the bytes, and their AUC moves by .001


class JudgeState(msgspec.Struct, frozen=True, kw_only=True):
    """A judge as numbers, little-endian, of the bins at `places` (u2) alone.

    `counts` are u4, shape (2, places): labels of value 0 and of value 1; `said` f8, shape (places,): the sum of the
    probabilities. Without `places` (of a learner saved before there were any) `counts` has all bins and nothing else.
    """

    rows: int
    loss: float
    counts: bytes
    squared: float = 0.0
    places: bytes | None = None
    said: bytes = b""


class Judge:
    """Judges one candidate on pairs of a stored probability and the label that came true.

    The area under the ROC curve is the chance that a label of 1 had a higher probability than a label of 0.
    Probabilities in one bin count as equal there: with bins 1/32 of a logit wide that moved the AUC of a model by .0001
    in a year of Online Retail II, and that of the base rate, whose probabilities hardly differ, by .002.
    """

    def __init__(self, state: JudgeState | None = None, grid: Grid = FINE) -> None:
        self._grid = grid
        self._sums = np.zeros(3)  # rows, loss, squared error
        self._bins = np.zeros((3, grid.bins))  # labels of 0, labels of 1, sum of probabilities
        if state is not None:
            self._restore(state)
        self._state = state if state is not None and state.places is not None else None

    def _restore(self, state: JudgeState) -> None:
        self._sums[:] = state.rows, state.loss, state.squared
        if state.places is not None:
            places = np.frombuffer(state.places, "<u2")
            self._bins[:2, places] = np.frombuffer(state.counts, "<u4").reshape(2, len(places))
            self._bins[2, places] = np.frombuffer(state.said, "<f8")
            return
        middles = self._grid.middles()
        zeros, ones = self._bins[:2] = np.frombuffer(state.counts, "<u4").reshape(2, self._grid.bins)
        self._bins[2] = (zeros + ones) * middles
        self._sums[2] = (zeros * middles**2 + ones * (1.0 - middles) ** 2).sum()

    @property
    def rows(self) -> int:
        """How many labels it has seen."""
        return int(self._sums[0])

    @property
    def loss(self) -> float:
        """The sum of their log losses, in nats."""
        return float(self._sums[1])

    def add(self, probabilities: FloatArray, happened: NDArray[np.bool_]) -> None:
        """Count labels.

        Args:
            probabilities: shape (labels,), what the candidate said when the snapshots were taken, in [0, 1].
            happened: shape (labels,), whether the outcome came true.
        """
        if not len(probabilities):
            return
        bounded = np.clip(probabilities, SURE, 1.0 - SURE)
        _tally(self._sums, self._bins, bounded, happened, self._grid.per_logit, self._grid.largest_logit)
        self._state = None

    def judged(self) -> Judged | None:
        """The judgement so far; None before the first label.

        >>> judge = Judge()
        >>> judge.add(np.array([0.9, 0.6, 0.5, 0.2]), np.array([True, False, True, False]))
        >>> judged = judge.judged()
        >>> judged.rows, round(judged.log_loss, 4), round(judged.brier, 4), judged.auc, round(judged.pr_auc, 4)
        (4, 0.4845, 0.165, 0.75, 0.8333)
        """
        if not self.rows:
            return None
        return Judged(
            rows=self.rows,
            log_loss=self.loss / self.rows,
            auc=self._auc(),
            brier=float(self._sums[2]) / self.rows,
            pr_auc=self._average_precision(),
            ece=calibration_error(self.reliability()),
        )

    def _auc(self) -> float | None:
        zeros, ones, _ = self._bins
        pairs = zeros.sum() * ones.sum()
        if not pairs:
            return None
        zeros_below = np.cumsum(zeros) - zeros
        return float((ones * (zeros_below + zeros / 2)).sum() / pairs)

    def _average_precision(self) -> float | None:
        """Mean precision over the labels of 1, each taken with all of at least its probability."""
        zeros, ones = self._bins[:2, ::-1]
        if not ones.sum():
            return None
        found = np.cumsum(ones)
        precision = found / np.maximum(found + np.cumsum(zeros), 1.0)
        return float((precision * ones).sum() / ones.sum())

    def reliability(self) -> "list[Reliability]":
        """What was said and what came true, by groups of about as many labels, the lowest probabilities first.

        >>> judge = Judge()
        >>> judge.add(np.array([0.2] * 5 + [0.9] * 5), np.array([True] + [False] * 4 + [True] * 5))
        >>> [(group.labels, round(group.said, 3), group.happened) for group in judge.reliability()]
        [(5, 0.2, 0.2), (5, 0.9, 1.0)]
        """
        labels = self._bins[0] + self._bins[1]
        middle = (np.cumsum(labels) - labels / 2) / max(labels.sum(), 1.0)
        group = np.minimum((middle * GROUPS).astype(np.int64), GROUPS - 1)
        sums = [np.bincount(group, weights, GROUPS) for weights in (labels, self._bins[2], self._bins[1])]
        return [
            Reliability(labels=int(n), said=float(p / n), happened=float(ones / n))
            for n, p, ones in zip(*sums, strict=True)
            if n
        ]

    def state(self) -> JudgeState:
        """Everything to go on from."""
        if self._state is None:
            places = np.flatnonzero(self._bins[0] + self._bins[1])
            self._state = JudgeState(
                rows=self.rows,
                loss=self.loss,
                counts=self._bins[:2, places].astype("<u4").tobytes(),
                squared=float(self._sums[2]),
                places=places.astype("<u2").tobytes(),
                said=self._bins[2, places].astype("<f8").tobytes(),
            )
        return self._state


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the reliability table: of `labels` labels, the mean probability `said`, the share that `happened`."""

    labels: int
    said: float
    happened: float


def calibration_error(groups: "list[Reliability]") -> float:
    """Mean over labels of how far what was said is from what came true in their group.

    >>> shy, sure = Reliability(labels=30, said=0.25, happened=0.5), Reliability(labels=10, said=0.5, happened=0)
    >>> calibration_error([shy, sure])
    0.3125
    """
    labels = sum(group.labels for group in groups)
    return sum(group.labels * abs(group.said - group.happened) for group in groups) / labels


@compiled
def _tally(
    sums: FloatArray,
    bins: FloatArray,
    probabilities: FloatArray,
    happened: NDArray[np.bool_],
    per_logit: int,
    largest: float,
) -> None:
    """Add labels one after another: it must not depend on how many come at once."""
    last = bins.shape[1] - 1
    for i in range(len(probabilities)):
        p = probabilities[i]
        logit = min(max(math.log(p) - math.log1p(-p), -largest), largest)
        place = min(int((logit + largest) * per_logit), last)
        sums[0] += 1.0
        sums[1] -= math.log(p if happened[i] else 1.0 - p)
        sums[2] += (p - 1.0) ** 2 if happened[i] else p**2
        bins[1 if happened[i] else 0, place] += 1.0
        bins[2, place] += p


@compiled
def add_losses(total: float, probabilities: FloatArray, happened: NDArray[np.bool_]) -> float:
    """`total` and the log loss of each, in nats, one after another: it must not depend on how many come at once.

    >>> round(add_losses(1.0, np.array([0.5, 0.25]), np.array([True, False])), 4)
    1.9808
    """
    for i in range(len(probabilities)):
        total -= math.log(probabilities[i] if happened[i] else 1.0 - probabilities[i])
    return total
