"""River's StandardScaler | LogisticRegression, with its numbers in the open.

The steps are River's; the clip between them is ours. They are called one by one, not through a River pipeline, because
the candidates of an outcome share one scaler: a third of the work of a label.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec
from river import linear_model, optim, preprocessing
from river.utils import VectorDict

from stream.scoring.linear import CLIP, LARGEST_LOGIT, LinearModel

Row = dict[str, float]
"""Column -> value."""

LEARNING_RATE = 0.03  # AdaGrad .03 measured best of the optimisers and rates tried (docs/architecture.md, "Learning")


class ScalerState(msgspec.Struct, frozen=True, kw_only=True):
    """Moments of a scaler; all columns have seen `rows` rows."""

    rows: int
    means: dict[str, float]
    variances: dict[str, float]


class Standardiser:
    """River's StandardScaler, then a clip at ±6 standard deviations: one wild value must not move every weight."""

    def __init__(self, state: ScalerState | None = None) -> None:
        self._scaler = preprocessing.StandardScaler()
        if state is not None:
            self._scaler.counts.update(dict.fromkeys(state.means, state.rows))
            self._scaler.means.update(state.means)
            self._scaler.vars.update(state.variances)

    def learn(self, row: Row) -> None:
        """Let a row take part in means and variances."""
        self._scaler.learn_one(row)

    def transform(self, row: Row) -> Row:
        """The row in standard deviations, clipped. Zeros are left out: a column that never varied costs no time."""
        standardised: Row = self._scaler.transform_one(row)
        return {name: z if -CLIP < z < CLIP else math.copysign(CLIP, z) for name, z in standardised.items() if z}

    def moments(self, columns: Iterable[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Means and standard deviations of columns; 0 and 0 before the first row."""
        names = tuple(columns)
        means, variances = self._scaler.means, self._scaler.vars
        return tuple(means.get(c, 0.0) for c in names), tuple(variances.get(c, 0.0) ** 0.5 for c in names)

    def state(self) -> ScalerState:
        """Everything to go on from."""
        scaler = self._scaler
        rows = max(scaler.counts.values(), default=0)
        return ScalerState(rows=rows, means=dict(scaler.means), variances=dict(scaler.vars))


class RegressionState(msgspec.Struct, frozen=True, kw_only=True):
    """Weights and the optimiser's memory. River adds in the order of `weights`, so the order is part of the state."""

    rows: int
    intercept: float
    weights: dict[str, float]
    squared_gradients: dict[str, float]


class Logistic:
    """River's LogisticRegression with AdaGrad on standardised rows."""

    def __init__(self, columns: tuple[str, ...], state: RegressionState | None = None) -> None:
        self.columns = columns
        self._optimizer = optim.AdaGrad(LEARNING_RATE)
        self._regression = linear_model.LogisticRegression(self._optimizer)
        if state is not None:
            self._regression.intercept = state.intercept
            self._regression._weights = VectorDict(state.weights)  # River has no public way to set weights
            self._optimizer.g2.update(state.squared_gradients)
            self._optimizer.n_iterations = state.rows

    def learn(self, standardised: Row, happened: bool) -> None:
        """One step of gradient descent."""
        self._regression.learn_one(standardised, happened)

    def probability(self, standardised: Row) -> float:
        """River's own probability of a row."""
        return float(self._regression.predict_proba_one(standardised)[True])

    def exported(self, standardiser: Standardiser) -> LinearModel:
        """The model that scores as River does, as data."""
        weights: Mapping[str, float] = self._regression.weights
        means, scales = standardiser.moments(self.columns)
        return LinearModel(
            columns=self.columns,
            means=means,
            scales=scales,
            weights=tuple(weights.get(name, 0.0) for name in self.columns),
            bias=self._regression.intercept,
        )

    def state(self) -> RegressionState:
        """Everything to go on from."""
        return RegressionState(
            rows=self._optimizer.n_iterations,
            intercept=self._regression.intercept,
            weights=dict(self._regression.weights),
            squared_gradients=dict(self._optimizer.g2),
        )


def constant(rate: float) -> LinearModel:
    """A model that gives every row the same probability.

    >>> import numpy as np
    >>> from stream.scoring.linear import probability
    >>> probability(constant(0.25), np.zeros((1, 0)), ()).round(6)
    array([0.25])
    """
    logit = math.log(rate) - math.log1p(-rate)
    bias = min(max(logit, -LARGEST_LOGIT), LARGEST_LOGIT)
    return LinearModel(columns=(), means=(), scales=(), weights=(), bias=bias)
