"""How well probabilities did, kept as sums: losses exactly, ranks and calibration from fine counts of logits."""

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays
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
COARSE = Grid(4, 8.0)  # for the labels of some weeks, at a tenth of the bytes: AUC moves by .001, PR AUC by up to .02


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
    in a year of Online Retail II, and that of the base rate, whose probabilities hardly differ, by .002. Average
    precision moves by up to .003 (5,000 labels). Losses and calibration error are exact.
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
        _tally(self._sums, self._bins, probabilities, happened, self._grid.per_logit, self._grid.largest_logit)
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
        auc, precision, ece = _ranks(self._bins)
        ones = self._bins[1].sum()
        return Judged(
            rows=self.rows,
            log_loss=self.loss / self.rows,
            auc=auc if 0 < ones < self.rows else None,
            brier=float(self._sums[2]) / self.rows,
            pr_auc=precision if ones else None,
            ece=ece,
        )

    def reliability(self) -> "list[Reliability]":
        """What was said and what came true, by groups of about as many labels, the lowest probabilities first.

        >>> judge = Judge()
        >>> judge.add(np.array([0.2] * 5 + [0.9] * 5), np.array([True] + [False] * 4 + [True] * 5))
        >>> [(group.labels, round(group.said, 3), group.happened) for group in judge.reliability()]
        [(5, 0.2, 0.2), (5, 0.9, 1.0)]
        """
        sums = np.zeros((3, GROUPS))
        _group(self._bins, sums)
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


@making_arrays
def _group(bins: FloatArray, sums: FloatArray) -> None:
    """Share bins out to groups of about as many labels: `sums`, shape (3, GROUPS), of labels, probabilities, ones."""
    whole = bins[:2].sum()
    before = 0.0
    for place in range(bins.shape[1]):
        labels = bins[0, place] + bins[1, place]
        if labels > 0.0:
            group = min(int((before + labels / 2.0) / whole * GROUPS), GROUPS - 1)
            sums[0, group] += labels
            sums[1, group] += bins[2, place]
            sums[2, group] += bins[1, place]
            before += labels


@making_arrays
def _ranks(bins: FloatArray) -> tuple[float, float, float]:
    """ROC AUC, average precision and calibration error; the first two are 0 where they mean nothing.

    Average precision: mean over the labels of 1 of the share of ones among all of at least their probability.
    Calibration error: mean over labels of how far what was said is from what came true in their group.
    """
    zeros, ones = bins[0].sum(), bins[1].sum()
    zeros_above = ones_above = won = precision = 0.0
    for place in range(bins.shape[1] - 1, -1, -1):
        zeros_above += bins[0, place]
        if bins[1, place] > 0.0:
            ones_above += bins[1, place]
            won += bins[1, place] * (zeros - zeros_above + bins[0, place] / 2.0)
            precision += bins[1, place] * ones_above / (ones_above + zeros_above)
    sums = np.zeros((3, GROUPS))
    _group(bins, sums)
    ece = np.abs(sums[1] - sums[2]).sum() / max(zeros + ones, 1.0)
    return won / max(zeros * ones, 1.0), precision / max(ones, 1.0), ece


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
        p = min(max(probabilities[i], SURE), 1.0 - SURE)
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
        p = min(max(probabilities[i], SURE), 1.0 - SURE)
        total -= math.log(p if happened[i] else 1.0 - p)
    return total
