"""Fitted models of scikit-learn as arrays and numbers, which the stream scores with; nothing is pickled."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from offline.backtest.rows import FloatArray
from stream.scoring.linear import CLIP, LinearModel
from stream.scoring.trees import LARGEST, LEAF, TreeModel


def linear(fitted: Any, columns: Sequence[str]) -> LinearModel:
    """A pipeline of `offline.backtest.batch.standardised`.

    Args:
        fitted: with a logistic or a linear regression at its end.
        columns: the names of what it was fitted on.
    """
    scaler, regression = fitted[0], fitted[-1]
    spread = scaler.var_ > 0
    return LinearModel(
        columns=tuple(columns),
        means=tuple(scaler.mean_.tolist()),
        scales=tuple(np.where(spread, scaler.scale_, 0.0).tolist()),
        weights=tuple(np.where(spread, np.ravel(regression.coef_), 0.0).tolist()),
        bias=float(np.ravel(regression.intercept_)[0]),
        clip=CLIP,
    )


def boosted(fitted: Any, columns: Sequence[str], reference: FloatArray | None = None) -> TreeModel:
    """A histogram gradient boosting of two classes, or a regression by squared error.

    Args:
        fitted: the model.
        columns: the names of what it was fitted on.
        reference: shape (columns,), the customer with whom others are compared to say why.
    """
    trees = [tree.nodes for (tree,) in fitted._predictors]
    nodes = np.concatenate(trees)
    is_leaf = nodes["is_leaf"] != 0
    return _tree_model(
        columns,
        reference,
        [len(tree) for tree in trees],
        reads=np.where(is_leaf, LEAF, nodes["feature_idx"]),
        thresholds=nodes["num_threshold"],
        follow=(nodes["left"], nodes["right"]),
        missing_left=nodes["missing_go_to_left"],
        values=nodes["value"],
        base=float(np.ravel(fitted._baseline_prediction)[0]),
        link="logit" if hasattr(fitted, "classes_") else "sum",
    )


def forest(fitted: Any, columns: Sequence[str], reference: FloatArray | None = None) -> TreeModel:
    """A random forest of two classes, or of numbers; arguments as of `boosted`."""
    trees = [each.tree_ for each in fitted.estimators_]

    def joined(name: str) -> Any:
        return np.concatenate([getattr(tree, name) for tree in trees])

    return _tree_model(
        columns,
        reference,
        [tree.node_count for tree in trees],
        reads=np.where(joined("children_left") < 0, LEAF, joined("feature")),
        thresholds=joined("threshold"),
        follow=(joined("children_left"), joined("children_right")),
        missing_left=joined("missing_go_to_left"),
        values=np.concatenate([tree.value[:, 0, -1] for tree in trees]),
        link="mean",
        single=True,
    )


def _tree_model(
    columns: Sequence[str],
    reference: FloatArray | None,
    sizes: Sequence[int],
    *,
    reads: Any,
    thresholds: Any,
    follow: tuple[Any, Any],
    missing_left: Any,
    values: Any,
    **numbers: Any,
) -> TreeModel:
    """Trees whose nodes stand one tree after another, and point to places within their tree."""
    roots = np.cumsum([0, *sizes[:-1]])
    is_leaf, first = reads == LEAF, np.repeat(roots, sizes)
    lefts, rights = (np.where(is_leaf, 0, each.astype(np.int64) + first) for each in follow)
    return TreeModel(
        columns=tuple(columns),
        roots=tuple(roots.tolist()),
        reads=tuple(reads.astype(np.int64).tolist()),
        thresholds=tuple(np.where(is_leaf, 0.0, np.minimum(thresholds, LARGEST)).tolist()),
        lefts=tuple(lefts.tolist()),
        rights=tuple(rights.tolist()),
        missing_left=tuple(np.where(is_leaf, 0, missing_left).astype(int).tolist()),
        values=tuple(np.where(is_leaf, values, 0.0).tolist()),
        reference=() if reference is None else tuple(reference.tolist()),
        **numbers,
    )
