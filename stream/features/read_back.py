"""Features from the columns that models read: what a row of columns says of a customer, in natural units."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stream.features.model_columns import ENTRIES, FRESH_DAYS, MODEL_COLUMNS, Fresh, Hinge, Logged

LARGEST_LOGARITHM = 50.0  # of any feature: stored numbers end at 2 ** 64; a document may say anything


def features_of(row: NDArray[np.float64]) -> dict[str, float]:
    """Feature -> its value, of all that a model column reads, and `net_spend_365d_minor`.

    A column of 0 does not tell an unknown feature from one that is 0; of a time since something it is unknown, nan.

    Args:
        row: shape (len(MODEL_COLUMNS),).

    >>> row = np.zeros(len(MODEL_COLUMNS))
    >>> row[MODEL_COLUMNS.index("log_purchase_days")] = np.log1p(9)
    >>> round(features_of(row)["purchase_days"], 9), features_of(row)["since_last_browsing_days"]
    (9.0, nan)
    """
    found: dict[str, float] = {}
    for entry, column in zip(ENTRIES, row.tolist(), strict=True):
        if isinstance(entry, Logged):
            found[entry.feature] = math.expm1(min(column, LARGEST_LOGARITHM)) * entry.unit
        elif isinstance(entry, Fresh):
            found[entry.feature] = FRESH_DAYS / column - FRESH_DAYS if column > 0.0 else math.nan
        elif not isinstance(entry, Hinge):
            found[entry.feature] = column
    net_minor = found["decayed_spend_365d_minor"] - found["decayed_refund_365d_minor"]
    return found | {"net_spend_365d_minor": max(net_minor, 0.0)}


def row_of(columns: Mapping[str, float]) -> NDArray[np.float64]:
    """A row of model columns, shape (len(MODEL_COLUMNS),), in which what bends follows the logarithm it bends.

    Args:
        columns: column -> its value; of those that are not there 0. Hinges are not looked at.

    >>> row = row_of({"log_since_last_purchase_days": float(np.log1p(30))})
    >>> round(float(np.expm1(row[MODEL_COLUMNS.index("log_since_last_purchase_days_above_7")])), 3)
    2.875
    """
    row = np.array([columns.get(name, 0.0) for name in MODEL_COLUMNS])
    for place, entry in enumerate(ENTRIES):
        if isinstance(entry, Hinge):
            row[place] = max(columns.get(f"log_{entry.feature}", 0.0) - math.log1p(entry.knot), 0.0)
    return row
