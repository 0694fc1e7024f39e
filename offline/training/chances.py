"""Training for an outcome: the probability that it comes true, and how good probabilities are."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from offline.backtest import batch
from offline.backtest.batch import Columns
from offline.backtest.figures import Figures, Ranked, bins_of, judge, losses, resampled
from offline.backtest.rows import FloatArray, IntArray
from offline.training.ranking import reached
from offline.training.recipes import Model, Recipe, Settings, said

THRESHOLD = 0.5
STEPS = 10  # of gain and lift: tenths of the rows


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Between what a figure lies in 95 % of resampled shops."""

    low: float
    high: float


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of about the same probability: the mean of it, and the share for which the outcome came true."""

    rows: int
    probability: float
    frequency: float


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """Who is reached by asking those of the highest probabilities.

    Attributes:
        share: of the rows asked.
        from_probability: the lowest among them.
        precision: share of them for which the outcome came true.
        lift: that, in shares of all rows.
        gain: how many of all for which it came true are among them, as a share.
    """

    share: float
    from_probability: float
    precision: float
    lift: float
    gain: float


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of taking a probability of at least `threshold` for a yes; precision is 0 where nobody reaches it."""

    threshold: float
    accuracy: float
    precision: float
    recall: float
    f1: float


class Chances(msgspec.Struct, frozen=True, kw_only=True):
    """Judgement of probabilities. `intervals` are of the figures by their names; calibration error has none, because
    resampling alone makes it larger."""

    figures: Figures
    decided: Decided
    intervals: Mapping[str, Bounds]
    reliability: Sequence[Reliability]
    gain: Sequence[Gain]


def fit(recipe: Recipe, columns: Columns, value: FloatArray, _customer: IntArray, settings: Settings) -> Model:
    """A model of the probability."""
    return recipe.classify(columns, value, settings)


def says(model: Model, columns: Columns) -> FloatArray:
    """Probabilities, shape (rows,)."""
    return said(model, columns)


def loss(probability: FloatArray, value: FloatArray) -> float:
    """Mean log loss, in nats."""
    return float(losses(probability, value).mean())


def judged(probability: FloatArray, value: FloatArray, customer: IntArray) -> Chances:
    """Judge probabilities by what happened; see `offline.backtest.figures.judge`."""
    return Chances(
        figures=judge(probability, value),
        decided=decided(probability, value, np.ones(len(value))),
        intervals=_intervals(probability, value, customer),
        reliability=reliability(probability, value),
        gain=gains(probability, value),
    )


def decided(probability: FloatArray, value: FloatArray, weight: FloatArray) -> Decided:
    """Figures at the threshold; each row counts as many times as its weight says.

    >>> decided(np.array([0.9, 0.6, 0.2]), np.array([1.0, 0.0, 1.0]), np.ones(3)).recall
    0.5
    """
    yes = probability >= THRESHOLD
    hits, asked, ones = ((weight * each).sum() for each in (yes * value, yes, value))
    right = (weight * (yes == (value > 0))).sum() / weight.sum()
    return Decided(
        threshold=THRESHOLD,
        accuracy=float(right),
        precision=float(hits / asked) if asked else 0.0,
        recall=float(hits / ones) if ones else 0.0,
        f1=float(2 * hits / (asked + ones)) if asked + ones else 0.0,
    )


def reliability(probability: FloatArray, value: FloatArray) -> list[Reliability]:
    """Rows in bins of equal size, as the calibration error has them."""
    place = bins_of(probability)
    rows, chances, ones = (np.bincount(place, each) for each in (np.ones(len(value)), probability, value))
    return [
        Reliability(rows=int(n), probability=float(p / n), frequency=float(f / n))
        for n, p, f in zip(rows, chances, ones, strict=True)
    ]


def gains(probability: FloatArray, value: FloatArray) -> list[Gain]:
    """What asking each tenth more of the rows comes to; of rows of one probability some are as good as others.

    >>> gains(np.array([0.9, 0.6, 0.2, 0.1]), np.array([1.0, 1.0, 0.0, 0.0]))[4].lift
    2.0
    """
    taken, ones = reached(probability, value)
    highest_first = np.sort(probability)[::-1]
    found = []
    for step in range(1, STEPS + 1):
        rows = max(round(step * len(value) / STEPS), 1)
        hits = float(np.interp(rows, taken, ones))
        precision = hits / rows
        found.append(
            Gain(
                share=step / STEPS,
                from_probability=float(highest_first[rows - 1]),
                precision=precision,
                lift=precision / float(value.mean()),
                gain=hits / float(ones[-1]),
            )
        )
    return found


def floors(columns: Columns, value: FloatArray, asked: Columns) -> dict[str, FloatArray]:
    """What the simple rules say of `asked`, fitted on `columns` and `value`."""
    return batch.rules(columns, value, asked)


def _intervals(probability: FloatArray, value: FloatArray, customer: IntArray) -> dict[str, Bounds]:
    ranked, loss, squared = Ranked.of(probability, value), losses(probability, value), (probability - value) ** 2

    def figures(weight: FloatArray) -> tuple[float, ...]:
        at = decided(probability, value, weight)
        return (
            at.accuracy, at.precision, at.recall, at.f1,
            ranked.auc(weight), ranked.average_precision(weight),
            float(np.average(loss, weights=weight)), float(np.average(squared, weights=weight)),
        )  # fmt: skip

    _, low, high = resampled(figures, customer)
    return {name: Bounds(low=float(a), high=float(b)) for name, a, b in zip(_BOUNDED, low, high, strict=True)}


_BOUNDED = ("accuracy", "precision", "recall", "f1", "auc", "pr_auc", "log_loss", "brier")
