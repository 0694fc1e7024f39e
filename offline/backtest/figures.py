"""How good probabilities were, and how sure a difference between two of them is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from offline.backtest.rows import FloatArray, IntArray

SURE = 1e-9  # a probability of 0 or 1 that fails costs 21 nats, not infinity
BINS = 10
"""Of the calibration error: as many rows in each, equal probabilities in one, so that each rests on many rows."""

REPLICATES = 200  # of a bootstrap: each end of a 95 % interval rests on its five most extreme
SEED = 20


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Judgement of some probabilities.

    Attributes:
        auc: chance that a row of value 1 has the higher probability than one of value 0.
        pr_auc: average precision.
        log_loss: mean, in nats.
        brier: mean squared error.
        ece: expected calibration error: mean distance of probability and frequency in `BINS` bins of equal size.
    """

    auc: float
    pr_auc: float
    log_loss: float
    brier: float
    ece: float


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A difference, and the interval that 95 % of resampled shops give it."""

    difference: float
    low: float
    high: float


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What one model has that another has not; of log loss and Brier score less is better."""

    auc: Interval
    log_loss: Interval
    brier: Interval


def judge(probability: FloatArray, value: FloatArray) -> Figures:
    """Judge probabilities by what happened; all figures are nan where there are none.

    Args:
        probability: shape (rows,); nan where nothing was said.
        value: shape (rows,), 0 or 1, both present.

    >>> figures = judge(np.array([0.9, 0.6, 0.5, 0.2]), np.array([1.0, 0.0, 1.0, 0.0]))
    >>> figures.auc, round(figures.pr_auc, 4), round(figures.log_loss, 4), round(figures.brier, 4)
    (0.75, 0.8333, 0.4845, 0.165)
    """
    if np.isnan(probability).any():
        return Figures(auc=np.nan, pr_auc=np.nan, log_loss=np.nan, brier=np.nan, ece=np.nan)
    return Figures(
        auc=Ranked.of(probability, value).auc(np.ones(len(value))),
        pr_auc=average_precision(probability, value),
        log_loss=float(losses(probability, value).mean()),
        brier=float(((probability - value) ** 2).mean()),
        ece=calibration_error(probability, value),
    )


def losses(probability: FloatArray, value: FloatArray) -> FloatArray:
    """The log loss of each row, in nats."""
    bounded = np.clip(probability, SURE, 1 - SURE)
    each: FloatArray = -np.log(np.where(value > 0, bounded, 1 - bounded))
    return each


def average_precision(probability: FloatArray, value: FloatArray) -> float:
    """Mean precision over the rows of value 1, each taken with all rows of at least its probability.

    >>> average_precision(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.5
    """
    return Ranked.of(probability, value).average_precision(np.ones(len(value)))


def calibration_error(probability: FloatArray, value: FloatArray) -> float:
    """Mean over rows of how far the mean probability of its bin is from the share of ones there.

    >>> round(calibration_error(np.array([0.2] * 5 + [0.9] * 5), np.array([0, 0, 0, 0, 1.0] + [1.0] * 5)), 3)
    0.05
    """
    gaps = np.bincount(bins_of(probability), probability - value)
    return float(np.abs(gaps).sum() / len(value))


def bins_of(figure: FloatArray) -> IntArray:
    """The bin of each row, from the lowest on: as many rows in each, equal figures in one.

    >>> bins_of(np.array([0.2, 0.2, 0.9])).tolist()
    [0, 0, 1]
    """
    edges = np.unique(np.quantile(figure, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, figure, "left"), return_inverse=True)[1]


@dataclass(frozen=True)
class Ranked:
    """Rows by the level of their probability; weights may change, the order does not."""

    place: IntArray
    levels: int
    value: FloatArray

    @classmethod
    def of(cls, probability: FloatArray, value: FloatArray) -> "Ranked":
        """Rows with these probabilities and values."""
        levels, place = np.unique(probability, return_inverse=True)
        return cls(place, len(levels), value)

    def auc(self, weight: FloatArray) -> float:
        """The AUC when each row counts as many times as its weight says."""
        ones = np.bincount(self.place, weight * self.value, self.levels)
        zeros = np.bincount(self.place, weight * (1 - self.value), self.levels)
        below = np.cumsum(zeros) - zeros / 2
        return float((ones * below).sum() / (ones.sum() * zeros.sum()))

    def average_precision(self, weight: FloatArray) -> float:
        """The average precision when each row counts as many times as its weight says."""
        hits = np.bincount(self.place, weight * self.value, self.levels)[::-1]
        taken = np.cumsum(np.bincount(self.place, weight, self.levels)[::-1])
        precision = np.divide(np.cumsum(hits), taken, out=np.zeros(self.levels), where=taken > 0)
        return float((precision * hits).sum() / hits.sum())


def compare(one: FloatArray, other: FloatArray, value: FloatArray, customer: IntArray) -> Differences:
    """Figures of `one` minus those of `other`, on the same rows.

    A resampled shop has as many customers, drawn with repetition, each with all its rows: the weeks of one customer are
    alike, and intervals over rows would be too narrow.

    Args:
        one: probabilities, shape (rows,).
        other: likewise.
        value: shape (rows,), 0 or 1.
        customer: shape (rows,), numbers from 0 on.
    """
    loss = losses(one, value) - losses(other, value)
    squared = (one - value) ** 2 - (other - value) ** 2
    ranked = Ranked.of(one, value), Ranked.of(other, value)
    whole, low, high = resampled(lambda weight: _differences(weight, loss, squared, ranked), customer)
    intervals = [
        Interval(difference=float(d), low=float(a), high=float(b)) for d, a, b in zip(whole, low, high, strict=True)
    ]
    return Differences(auc=intervals[0], log_loss=intervals[1], brier=intervals[2])


def resampled(
    figures: Callable[[FloatArray], Sequence[float]], customer: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Figures of all rows, and between what bounds they lie in 95 % of resampled shops.

    Args:
        figures: of rows that count as many times as these weights say, shape (rows,).
        customer: shape (rows,), numbers from 0 on.

    Returns:
        Three arrays of shape (figures,): of all rows, the lower and the upper bounds.
    """
    codes = np.unique(customer, return_inverse=True)[1]
    count, drawn = int(codes.max()) + 1, np.random.default_rng(SEED)
    weights = (np.bincount(drawn.integers(count, size=count), minlength=count)[codes] for _ in range(REPLICATES))
    with np.errstate(divide="ignore", invalid="ignore"):  # a shop of one class has no AUC, and is passed over
        found = np.array([figures(weight.astype(np.float64)) for weight in weights])
    low, high = np.nanquantile(found, (0.025, 0.975), axis=0)
    return np.array(figures(np.ones(len(customer)))), low, high


def _differences(
    weight: FloatArray, loss: FloatArray, squared: FloatArray, ranked: tuple[Ranked, Ranked]
) -> tuple[float, float, float]:
    auc = ranked[0].auc(weight) - ranked[1].auc(weight)
    return auc, float(np.average(loss, weights=weight)), float(np.average(squared, weights=weight))
