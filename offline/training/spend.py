"""Training for an amount in two stages: the probability of any spend, times what is spent then.

Amounts are learned by their logarithm, as customers differ by orders of magnitude. exp of a mean logarithm is below the
mean, so what it gives is multiplied by a factor that assumes nothing of how errors are distributed, a smearing estimate
(Duan, JASA 78, 1983; of two-part models Duan, Manning, Morris and Newhouse, JBES 1, 1983). Here it is what spenders
spent over what was predicted of them, which keeps their sum where errors differ between small and large amounts, by
models that had not seen these customers: errors of trees on what they have learned from are too small.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from offline.backtest.batch import Columns
from offline.backtest.figures import bins_of, resampled
from offline.backtest.rows import FloatArray, IntArray
from offline.training.chances import Bounds
from offline.training.recipes import Model, Recipe, Settings, said
from stream.features.columns import MODEL_COLUMNS
from stream.scoring.linear import LinearModel, logits
from stream.scoring.trees import answers

POWER = 1.5  # of the Tweedie deviance: between Poisson and gamma, for amounts of which many are zero
PAST_SPEND = MODEL_COLUMNS.index("log_decayed_spend_365d_minor")
LARGEST_LOG = 30.0  # of an amount: a line drawn far beyond what it has seen does not come to infinity


@dataclass(frozen=True)
class TwoStage:
    """The probability of any spend, the logarithm of what is spent then, and what its exp is multiplied by."""

    reached: Model
    log_amount: Model
    smearing: float


class Decile(msgspec.Struct, frozen=True, kw_only=True):
    """A tenth of the rows by their prediction: mean prediction and mean amount."""

    rows: int
    predicted: float
    spent: float


class SpendFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Judgement of predicted amounts, in major units.

    Attributes:
        mae: mean absolute error.
        rmse: root of the mean squared error.
        deviance: Tweedie deviance of power `POWER`; it has its minimum at the mean, and one large amount does not
            decide it.
        gini: how well the order of predictions is that of amounts: 0 as chance, 1 as well as can be.
        bias: sum of the predictions over the sum of the amounts, less 1.
        decile_error: mean distance of prediction and amount over tenths of the rows, as a share of the mean amount.
    """

    mae: float
    rmse: float
    deviance: float
    gini: float
    bias: float
    decile_error: float


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """Judgement of predicted amounts; `intervals` are of the figures by their names."""

    figures: SpendFigures
    intervals: Mapping[str, Bounds]
    deciles: Sequence[Decile]


def fit(recipe: Recipe, columns: Columns, value: FloatArray, customer: IntArray, settings: Settings) -> TwoStage:
    """Both stages.

    Args:
        recipe: of both.
        columns: shape (rows, columns).
        value: amounts, shape (rows,).
        customer: shape (rows,).
        settings: of both.
    """
    some = value > 0
    spenders, amounts = columns[some], value[some]
    return TwoStage(
        reached=recipe.classify(columns, some.astype(np.float64), settings),
        log_amount=recipe.regress(spenders, np.log(amounts), settings),
        smearing=_smearing(recipe, spenders, amounts, customer[some], settings),
    )


def _smearing(recipe: Recipe, columns: Columns, amounts: FloatArray, customer: IntArray, settings: Settings) -> float:
    """What spenders spent, over what a model of the other half of the customers says of them."""
    spent = predicted = 0.0
    half = customer % 2 == 0
    for learned in (half, ~half):
        if learned.any() and not learned.all():
            model = recipe.regress(columns[learned], np.log(amounts[learned]), settings)
            predicted += float(np.exp(_logarithm(model, columns[~learned])).sum())
            spent += float(amounts[~learned].sum())
    return spent / predicted if predicted > 0 else 1.0


def _logarithm(model: Model, columns: Columns) -> FloatArray:
    matrix = np.asarray(columns, np.float64)
    found = logits(model, matrix) if isinstance(model, LinearModel) else answers(model, matrix)
    return np.minimum(found, LARGEST_LOG)


def says(model: TwoStage, columns: Columns) -> FloatArray:
    """Expected amounts, shape (rows,)."""
    amounts: FloatArray = said(model.reached, columns) * np.exp(_logarithm(model.log_amount, columns)) * model.smearing
    return amounts


def loss(predicted: FloatArray, value: FloatArray) -> float:
    """Mean Tweedie deviance."""
    return float(deviances(predicted, value).mean())


def deviances(predicted: FloatArray, value: FloatArray) -> FloatArray:
    """The Tweedie deviance of each row (Jørgensen, The Theory of Dispersion Models, 1997).

    >>> deviances(np.array([4.0, 1.0]), np.array([4.0, 0.0]))
    array([0., 4.])
    """
    bounded, rest = np.maximum(predicted, 1e-9), 2 - POWER
    parts = value**rest / ((1 - POWER) * rest) - value * bounded ** (1 - POWER) / (1 - POWER) + bounded**rest / rest
    found: FloatArray = 2 * parts
    return found


def judged(predicted: FloatArray, value: FloatArray, customer: IntArray) -> Spending:
    """Judge predicted amounts by what was spent."""
    of_rows = _weighed(predicted, value)
    whole, low, high = (each.tolist() for each in resampled(of_rows, customer))
    names = SpendFigures.__struct_fields__
    intervals = {name: Bounds(low=a, high=b) for name, a, b in zip(names, low, high, strict=True)}
    del intervals["decile_error"]  # resampling alone makes it larger
    return Spending(
        figures=SpendFigures(**dict(zip(names, whole, strict=True))),
        intervals=intervals,
        deciles=_deciles(bins_of(predicted), predicted, value),
    )


def figures(predicted: FloatArray, value: FloatArray) -> SpendFigures:
    """Figures of predicted amounts.

    >>> figures(np.array([1.0, 3.0]), np.array([0.0, 3.0])).mae
    0.5
    """
    whole = _weighed(predicted, value)(np.ones(len(value)))
    return SpendFigures(**dict(zip(SpendFigures.__struct_fields__, whole, strict=True)))


def _weighed(predicted: FloatArray, value: FloatArray) -> Callable[[FloatArray], tuple[float, ...]]:
    """The `SpendFigures` of rows that count as many times as their weights say."""
    place, order, best = bins_of(predicted), _Order.of(predicted), _Order.of(value)
    deviance, error = deviances(predicted, value), predicted - value

    def of_rows(weight: FloatArray) -> tuple[float, ...]:
        spent = float((weight * value).sum())
        gaps = np.bincount(place, weight * error)
        return (
            float(np.average(np.abs(error), weights=weight)),
            float(np.sqrt(np.average(error**2, weights=weight))),
            float(np.average(deviance, weights=weight)),
            _share(order.concentration(value, weight), best.concentration(value, weight)),
            _share(float((weight * predicted).sum()), spent) - 1,
            _share(float(np.abs(gaps).sum()), spent),
        )

    return of_rows


def _share(part: float, whole: float) -> float:
    """nan of nothing: a resampled shop in which nobody spends has no such figure, and is passed over."""
    return part / whole if whole else np.nan


def _deciles(place: IntArray, predicted: FloatArray, value: FloatArray) -> list[Decile]:
    rows, said_, spent = (np.bincount(place, each) for each in (np.ones(len(value)), predicted, value))
    return [
        Decile(rows=int(n), predicted=float(p / n), spent=float(s / n))
        for n, p, s in zip(rows, said_, spent, strict=True)
    ]


@dataclass(frozen=True)
class _Order:
    """Rows from the highest figure to the lowest, equal ones together."""

    place: IntArray
    levels: int

    @classmethod
    def of(cls, figure: FloatArray) -> "_Order":
        levels, place = np.unique(-figure, return_inverse=True)
        return cls(place, len(levels))

    def concentration(self, value: FloatArray, weight: FloatArray) -> float:
        """The Gini of values in this order, how far their running share is above that of rows; 0 where all are 0."""
        taken = np.cumsum(np.bincount(self.place, weight, self.levels)) / weight.sum()
        reached = np.cumsum(np.bincount(self.place, weight * value, self.levels))
        if not reached[-1]:
            return 0.0
        return float(2 * np.trapezoid(np.append(0.0, reached / reached[-1]), np.append(0.0, taken)) - 1)


def floors(columns: Columns, value: FloatArray, asked: Columns) -> dict[str, FloatArray]:
    """The mean amount for everybody, and for each the same share of its decayed spend of a year."""
    past, past_asked = (np.expm1(each[:, PAST_SPEND].astype(np.float64)) for each in (columns, asked))
    share = value.sum() / past.sum() if past.sum() > 0 else 0.0
    return {"mean": np.full(len(asked), value.mean()), "share_of_past_spend": share * past_asked}
