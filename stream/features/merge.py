"""Join two histories of the same customers: what folding all their events into one state would have given.

Exact for integers, 1e-9 for decayed sums, whose additions happen in another order.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.compiled import compiled
from stream.features.aggregates import AGGREGATES
from stream.features.decayed import SUMS, rescaled
from stream.features.engagement import merge_engagement
from stream.features.facts import PRODUCTS_KEPT
from stream.features.fields import STATE, StateArray
from stream.features.fold_orders import keep_product
from stream.features.joining import add, merge_latest
from stream.features.purchase_days import shifted


def merge(a: StateArray, b: StateArray) -> StateArray:
    """Join states row by row.

    Args:
        a, b: shape (customers,), dtype `STATE`; histories that share no event.

    Returns:
        New states. Their decision block is empty: a decision is its owner's and is made again.
    """
    joined = np.zeros(len(a), STATE)
    _join_features(joined["features"], a["features"], b["features"])
    merge_engagement(joined["engagement"], a["engagement"], b["engagement"])
    return joined


def _join_features(joined: NDArray[np.void], a: NDArray[np.void], b: NDArray[np.void]) -> None:
    for aggregate in AGGREGATES:
        joined[aggregate.name] = _JOINS[aggregate.join](a[aggregate.name], b[aggregate.name])
    joined["last_event_hash"] = merge_latest(
        a["last_event_hash"], a["last_event_ms"], b["last_event_hash"], b["last_event_ms"]
    )
    joined["purchase_days"] = _days_at(a, joined) | _days_at(b, joined)
    joined["decayed_reference"] = np.maximum(a["decayed_reference"], b["decayed_reference"])
    for name in SUMS:
        joined[name] = _sums_at(a, name, joined) + _sums_at(b, name, joined)
    for name in ("hour_purchases", "channel_purchases", "category_lines"):
        joined[name] = add(a[name], b[name])
    times_ms, hashes = a["product_time_ms"].copy(), a["product_hash"].copy()
    _keep_products(times_ms, hashes, b["product_time_ms"].copy(), b["product_hash"].copy())
    joined["product_time_ms"], joined["product_hash"] = times_ms, hashes


@compiled
def _keep_products(times_ms: Any, hashes: Any, more_ms: Any, more: Any) -> None:
    """The last products of each row of both."""
    for row in range(len(times_ms)):
        for slot in range(PRODUCTS_KEPT):
            if more[row, slot] != 0:
                keep_product(times_ms[row], hashes[row], more_ms[row, slot], more[row, slot])


def _days_at(one: NDArray[np.void], joined: NDArray[np.void]) -> NDArray[np.uint64]:
    later = joined["last_purchase_ms"] // DAY_MS - one["last_purchase_ms"] // DAY_MS
    return shifted(one["purchase_days"], later)


def _sums_at(one: NDArray[np.void], name: str, joined: NDArray[np.void]) -> NDArray[np.float64]:
    return rescaled(one[name], one["decayed_reference"], joined["decayed_reference"])


def _minimum(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Zero means none yet."""
    first: NDArray[Any] = np.where((a == 0) | (b == 0), np.maximum(a, b), np.minimum(a, b))
    return first


_JOINS: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]] = {
    "sum": np.add,
    "maximum": np.maximum,
    "minimum": _minimum,
}
