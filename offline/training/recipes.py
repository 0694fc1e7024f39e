"""The kinds of models that are trained, and what settings a search draws. A new kind is an entry in `RECIPES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from offline.backtest import batch
from offline.backtest.batch import Columns
from offline.backtest.rows import FloatArray
from offline.scikit_learn import (
    HistGradientBoostingRegressor,
    LogisticRegression,
    RandomForestClassifier,
    RandomForestRegressor,
    Ridge,
)
from offline.training import as_data
from stream.features.columns import MODEL_COLUMNS
from stream.scoring.kinds import probability
from stream.scoring.linear import LinearModel
from stream.scoring.trees import TreeModel

Settings = Mapping[str, float]
Model = LinearModel | TreeModel
Fit = Callable[[Columns, FloatArray, Settings], Model]


@dataclass(frozen=True)
class Recipe:
    """A kind of model.

    Attributes:
        title: for a reader.
        classify: fits probabilities of values 0 and 1.
        regress: fits numbers.
        usual: the settings that are tried first.
        draw: others.
    """

    title: str
    classify: Fit
    regress: Fit
    usual: Settings
    draw: Callable[[Generator], Settings]


def said(model: Model, columns: Columns) -> FloatArray:
    """What a model for probabilities says of rows: the stream's own scoring."""
    return probability(model, np.asarray(columns, np.float64))


def _average(columns: Columns) -> FloatArray:
    """The average customer, to whom the regressions compare everybody too."""
    average: FloatArray = np.asarray(columns, np.float64).mean(axis=0)
    return average


def _logistic(columns: Columns, value: FloatArray, settings: Settings) -> LinearModel:
    """By Newton's steps, which come to the optimum: the usual solver stops before where columns hang together, with
    coefficients up to .4 logits from it, other ones for another order of rows, as if the penalty were another."""
    regression = LogisticRegression(solver="newton-cholesky", **settings)
    return as_data.linear(batch.standardised(regression).fit(columns, value), MODEL_COLUMNS)


def _ridge(columns: Columns, value: FloatArray, settings: Settings) -> LinearModel:
    return as_data.linear(batch.standardised(Ridge(alpha=1 / settings["C"])).fit(columns, value), MODEL_COLUMNS)


def _boosted(columns: Columns, value: FloatArray, settings: Settings) -> TreeModel:
    fitted = batch.gradient_boosting(columns, value, **settings)
    return as_data.boosted(fitted, MODEL_COLUMNS, _average(columns))


def _boosted_numbers(columns: Columns, value: FloatArray, settings: Settings) -> TreeModel:
    fitted = HistGradientBoostingRegressor(**settings, early_stopping=False, random_state=0).fit(columns, value)
    return as_data.boosted(fitted, MODEL_COLUMNS, _average(columns))


def _forest(columns: Columns, value: FloatArray, settings: Settings) -> TreeModel:
    fitted = RandomForestClassifier(**settings, **_FOREST, max_leaf_nodes=128).fit(columns, value)
    return as_data.forest(fitted, MODEL_COLUMNS, _average(columns))


def _forest_numbers(columns: Columns, value: FloatArray, settings: Settings) -> TreeModel:
    fitted = RandomForestRegressor(**settings, **_FOREST, max_leaf_nodes=256).fit(columns, value)
    return as_data.forest(fitted, MODEL_COLUMNS, _average(columns))


_FOREST: Mapping[str, Any] = {"n_estimators": 100, "n_jobs": -1, "random_state": 0}
"""Leaves bound what a forest weighs as data: 128 make 25,500 nodes, as many as workers score with, 256 make 2 MB.
Over eight months of Online Retail II the log loss with 128 was .001 to .002 lower (`churn_30d`, `purchase_7d`)."""


def _between(drawn: Generator, low: float, high: float) -> float:
    """Evenly by the logarithm, to three digits, so that a reader can type it."""
    return float(f"{np.exp(drawn.uniform(np.log(low), np.log(high))):.3g}")


def _drawn_boosting(drawn: Generator) -> Settings:
    return {
        "learning_rate": _between(drawn, 0.02, 0.2),
        "max_iter": round(_between(drawn, 40, 400)),
        "max_leaf_nodes": round(_between(drawn, 4, 32)),
        "min_samples_leaf": round(_between(drawn, 20, 500)),
        "l2_regularization": _between(drawn, 0.1, 100),
    }


def _drawn_forest(drawn: Generator) -> Settings:
    return {"min_samples_leaf": round(_between(drawn, 10, 500)), "max_features": round(_between(drawn, 3, 20))}


RECIPES: Mapping[str, Recipe] = {
    "logistic": Recipe(
        "logistic regression", _logistic, _ridge, {"C": 1.0}, lambda drawn: {"C": _between(drawn, 1e-4, 10)}
    ),
    "forest": Recipe(
        "random forest", _forest, _forest_numbers, {"min_samples_leaf": 50, "max_features": 6}, _drawn_forest
    ),
    "boosting": Recipe("gradient boosting", _boosted, _boosted_numbers, dict(batch.BOOSTING), _drawn_boosting),
}
