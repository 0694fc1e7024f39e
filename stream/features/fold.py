"""Continue states with events: each stored number goes on from where it was, in log order.

`ufunc.at` applies events one after another, so a state has the same bits wherever the log was cut, and a customer may
come many times in one call.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.features.aggregates import AGGREGATES, ANY
from stream.features.decayed import fold_decayed
from stream.features.engagement import fold_engagement, fold_profiles
from stream.features.facts import FIRST_ENGAGEMENT, PROFILE, PURCHASE, REFUND, EventFacts
from stream.features.fields import HOUR_BINS, StateArray, cells
from stream.features.last_products import fold_products
from stream.features.latest import fold_latest
from stream.features.purchase_days import fold_purchase_days
from stream.features.saturating import add_at

_HOURS = cells("features", "hour_purchases")
_CHANNELS = cells("features", "channel_purchases")
_CATEGORIES = cells("features", "category_lines")


def fold(states: StateArray, facts: EventFacts) -> None:
    """Let events take effect on the features and engagement of their customers, in place.

    Args:
        states: shape (customers,), dtype `STATE`.
        facts: in log order; `facts.row` are places in `states`.
    """
    if not len(facts):
        return
    if not states.flags.c_contiguous:
        contiguous = states.copy()
        fold(contiguous, facts)
        states[...] = contiguous
        return
    _fold_any(states, facts)
    money = _chosen(facts, facts.kind <= REFUND)
    if money is not None:
        fold_decayed(states, money)
        purchases, refunds = _chosen(money, money.kind == PURCHASE), _chosen(money, money.kind == REFUND)
        if purchases is not None:
            _fold_purchases(states, purchases)
        if refunds is not None:
            _fold_aggregates(states, refunds, REFUND)
    engagement = _chosen(facts, facts.kind >= FIRST_ENGAGEMENT)
    if engagement is not None:
        fold_engagement(states, engagement)
    profiles = _chosen(facts, facts.kind == PROFILE)
    if profiles is not None:
        fold_profiles(states, profiles)


def _chosen(facts: EventFacts, chosen: NDArray[np.bool_]) -> EventFacts | None:
    """The chosen facts without copying all of them; None for none."""
    count = np.count_nonzero(chosen)
    if count == len(facts):
        return facts
    return facts.take(chosen.nonzero()[0]) if count else None


def _fold_any(states: StateArray, facts: EventFacts) -> None:
    rows, features = facts.row, states["features"]
    times, hashes = features["last_event_ms"], features["last_event_hash"]
    last_before_ms = times[rows]
    _fold_aggregates(states, facts, ANY)
    last_ms = times[rows]
    fold_latest(hashes, rows, facts.id_hash, last_ms > last_before_ms, facts.time_ms == last_ms)


def _fold_purchases(states: StateArray, facts: EventFacts) -> None:
    last_before_ms = states["features"]["last_purchase_ms"][facts.row]
    _fold_aggregates(states, facts, PURCHASE)
    fold_purchase_days(states, facts.row, facts.time_ms, last_before_ms)
    fold_products(states, facts.row, facts.time_ms[:, None], facts.products)
    _fold_bins(states, facts)


def _fold_bins(states: StateArray, facts: EventFacts) -> None:
    rows, bins = facts.row, _HOURS.flat(states)
    hour = facts.time_ms // (24 // HOUR_BINS * 3_600_000) % HOUR_BINS
    event, category = facts.category_lines.nonzero()
    known = facts.channel.nonzero()[0]
    channel = _CHANNELS.slot(rows[known], facts.channel[known] - np.intp(1))
    places = np.concatenate([_HOURS.slot(rows, hour), channel, _CATEGORIES.slot(rows[event], category)])
    counts = np.ones(len(places), np.uint16)
    counts[len(places) - len(event) :] = facts.category_lines[event, category]
    add_at(bins, places, counts)


def _fold_aggregates(states: StateArray, facts: EventFacts, kind: int) -> None:
    features = states["features"]
    for aggregate in _AGGREGATES[kind]:
        values = aggregate.value(facts).astype(aggregate.item, copy=False)
        _FOLDS[aggregate.join](features[aggregate.name], facts.row, values)


def _minimum_at(field: NDArray[Any], rows: NDArray[np.intp], values: NDArray[Any]) -> None:
    """Zero means none yet: it must not win."""
    field[rows[field[rows] == 0]] = _LATEST
    np.minimum.at(field, rows, values)


_LATEST = np.iinfo(np.int64).max
_AGGREGATES = {kind: [each for each in AGGREGATES if each.of == kind] for kind in (ANY, PURCHASE, REFUND)}
_FOLDS: Mapping[str, Callable[[NDArray[Any], NDArray[np.intp], NDArray[Any]], None]] = {
    "sum": np.add.at,
    "maximum": np.maximum.at,
    "minimum": _minimum_at,
}
