"""Continue states with events: each stored number goes on from where it was, in log order.

Events are folded one after another, compiled, so a state has the same bits wherever the log was cut, and a customer may
come many times in one call.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, tight
from stream.features.aggregates import AGGREGATES, ANY
from stream.features.facts import FIRST_ENGAGEMENT, PROFILE, PURCHASE, REFUND, EventFacts
from stream.features.fields import STATE, StateArray, cell
from stream.features.fold_engagement import fold_engagement, fold_profile
from stream.features.fold_orders import fold_bins, fold_decayed, fold_products, fold_purchase_day
from stream.instructions import prefetch

_SUM, _MAXIMUM, _MINIMUM = 0, 1, 2
_JOINS = {"sum": _SUM, "maximum": _MAXIMUM, "minimum": _MINIMUM}


class Foldable(NamedTuple):
    """Events as compiled code folds them: the columns of `EventFacts`, and what each offers the plain aggregates.

    `offered` has shape (aggregates, events).
    """

    columns: tuple[NDArray[Any], ...]
    offered: NDArray[np.int64]


def foldable(facts: EventFacts) -> Foldable:
    """Events, to be folded in one call or in several."""
    offered = np.empty((len(AGGREGATES), len(facts)), np.int64)
    for values, aggregate in zip(offered, AGGREGATES, strict=True):
        values[:] = aggregate.value(facts)
    return Foldable(tuple(vars(facts).values()), offered)


def fold(states: StateArray, facts: EventFacts) -> None:
    """Let events take effect on the features and engagement of their customers, in place.

    Args:
        states: shape (customers,), dtype `STATE`.
        facts: in log order; `facts.row` are places in `states`.
    """
    fold_keeping(states, foldable(facts), np.arange(len(facts)), np.zeros(0, np.intp))


def fold_keeping(
    states: StateArray, events: Foldable, order: NDArray[np.intp], keep_after: NDArray[np.intp]
) -> StateArray:
    """Fold some of the events, and keep what their customers are like after some of those.

    Args:
        states: shape (customers,), dtype `STATE`; changed in place.
        events: their rows are places in `states`.
        order: which of them are folded, in this order: each customer's in log order.
        keep_after: places in `order`, never falling.

    Returns:
        Shape (len(keep_after),), dtype `STATE`: the customer of each of these events, right after it.
    """
    kept = np.zeros(len(keep_after), STATE)
    if not len(order):
        return kept
    contiguous = np.ascontiguousarray(states)
    _fold(contiguous, contiguous.view("<i8"), contiguous.view("<u4"), events.offered, events.columns, order,
          keep_after, kept)  # fmt: skip
    if contiguous is not states:
        states[...] = contiguous
    return kept


_CELLS = [cell("features", aggregate.name) for aggregate in AGGREGATES]
_FIRST = np.array([place.first for place in _CELLS])
_PER_ROW = np.array([place.per_row for place in _CELLS])
_IS_WIDE = np.array([place.item.itemsize == np.dtype("<i8").itemsize for place in _CELLS])
_JOIN = np.array([_JOINS[aggregate.join] for aggregate in AGGREGATES])
_OF = np.array([aggregate.of for aggregate in AGGREGATES])


_AHEAD = 6  # events: a state that is in no cache comes from memory while the states of so many are changed
_WORDS, _LINE_WORDS = STATE.itemsize // 8, 64 // 8


@tight
def _fetch(wide: Any, row: int) -> None:
    """Let a state be on its way from memory."""
    for line in range(0, _WORDS, _LINE_WORDS):
        prefetch(wide, row * _WORDS + line)


@compiled
def _joined(join: int, stored: Any, offered: Any) -> Any:
    if join == _SUM:
        return stored + offered
    if join == _MAXIMUM:
        return max(stored, offered)
    return offered if stored == 0 else min(stored, offered)  # zero means none yet: it must not win


@compiled
def _fold_aggregates(wide: Any, narrow: Any, offered: Any, row: int, event: int, kind: Any) -> None:
    """The plain aggregates of one event, in states seen as numbers of eight and of four bytes."""
    for place in range(len(_JOIN)):
        if _OF[place] in (ANY, kind):
            at, value = row * _PER_ROW[place] + _FIRST[place], offered[place, event]
            if _IS_WIDE[place]:
                wide[at] = _joined(_JOIN[place], wide[at], value)
            else:
                narrow[at] = _joined(_JOIN[place], np.int64(narrow[at]), value)


@compiled
def _fold(
    states: Any, wide: Any, narrow: Any, offered: Any, facts: Any, order: Any, keep_after: Any, kept: Any
) -> None:
    rows, kinds, times_ms, hashes, amounts, _, _, _, channels, categories, products, values, tiers, profiles = facts
    all_features, all_engagement = states["features"], states["engagement"]
    keeps = 0
    for at in range(len(order)):
        event = order[at]
        if at + _AHEAD < len(order):
            _fetch(wide, rows[order[at + _AHEAD]])
        row, kind, time_ms, hash_ = rows[event], np.int64(kinds[event]), times_ms[event], hashes[event]
        features = all_features[row]
        last_event_ms, last_purchase_ms = features.last_event_ms, features.last_purchase_ms
        _fold_aggregates(wide, narrow, offered, row, event, kind)
        if time_ms > last_event_ms:
            features.last_event_hash = hash_
        elif time_ms == last_event_ms:
            features.last_event_hash = max(features.last_event_hash, hash_)
        if kind <= REFUND:
            fold_decayed(features, kind == PURCHASE, time_ms, amounts[event])
        if kind == PURCHASE:
            fold_purchase_day(features, time_ms, last_purchase_ms)
            fold_products(features, time_ms, products[event])
            fold_bins(features, time_ms, channels[event], categories[event])
        elif kind == PROFILE:
            fold_profile(all_engagement[row], time_ms, hash_, profiles[event])
        elif kind >= FIRST_ENGAGEMENT:
            fold_engagement(all_engagement[row], kind, time_ms, values[event], tiers[event])
        while keeps < len(keep_after) and keep_after[keeps] == at:
            kept[keeps] = states[row]
            keeps += 1
