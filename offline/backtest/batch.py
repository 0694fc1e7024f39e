"""The models that a nightly job would fit, on the same columns and rows: what online learning is measured against."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.backtest.rows import FloatArray
from offline.scikit_learn import (
    FunctionTransformer,
    HistGradientBoostingClassifier,
    LogisticRegression,
    StandardScaler,
    make_pipeline,
)
from stream.features.columns import MODEL_COLUMNS
from stream.scoring.documents import FLOORS
from stream.scoring.linear import CLIP

READS = {"since_last_purchase": "log_since_last_purchase_days", "count_90d": "log_decayed_count_90d"}
"""Rule -> the one column its logistic regression reads."""

Columns = NDArray[np.float32]


BOOSTING: Mapping[str, float] = {
    "learning_rate": 0.05,
    "max_iter": 150,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 100,
    "l2_regularization": 1.0,
}
"""Held back because the weeks of one customer are alike: small trees, small steps."""


def logistic(columns: Columns, value: FloatArray, **settings: float) -> Any:
    """A logistic regression on standardised columns, clipped as online, with scikit-learn's own weak L2 penalty."""
    return standardised(LogisticRegression(max_iter=1_000, **settings)).fit(columns, value)


def standardised(regression: Any) -> Any:
    """A regression that is given columns standardised, and clipped as online."""
    clipped = FunctionTransformer(np.clip, kw_args={"a_min": -CLIP, "a_max": CLIP})
    return make_pipeline(StandardScaler(), clipped, regression)


def gradient_boosting(columns: Columns, value: FloatArray, **settings: float) -> Any:
    """Histogram gradient boosting, with `BOOSTING` where `settings` say nothing else."""
    boosted = HistGradientBoostingClassifier(**{**BOOSTING, **settings}, early_stopping=False, random_state=0)
    return boosted.fit(columns, value)


def probability(model: Any, columns: Columns) -> FloatArray:
    """What a fitted model says of rows."""
    found: FloatArray = model.predict_proba(columns)[:, 1].astype(np.float64)
    return found


def rules(columns: Columns, value: FloatArray, asked: Columns) -> dict[str, FloatArray]:
    """The simple rules that a model has to beat.

    Args:
        columns: shape (rows, len(MODEL_COLUMNS)), to be fitted on.
        value: shape (rows,), 1 where the outcome came true, else 0.
        asked: columns of other rows.

    Returns:
        Rule -> the probability of each row of `asked`.
    """
    said = {"base_rate": np.full(len(asked), value.mean())}
    for rule, column in READS.items():
        at = [MODEL_COLUMNS.index(column)]
        said[rule] = probability(logistic(columns[:, at], value), asked[:, at])
    return {rule: said[rule] for rule in FLOORS}


def refitted(columns: Columns, value: FloatArray, parts: Sequence[tuple[NDArray[np.bool_], Columns]]) -> FloatArray:
    """A logistic regression fitted anew for each part of the rows asked, on what was known when the part began.

    Args:
        columns: of all rows.
        value: of all rows.
        parts: which of them were known, and the columns of the rows asked; one part after another.
    """
    said = [probability(logistic(columns[known], value[known]), asked) for known, asked in parts if len(asked)]
    return np.concatenate(said)
