"""What customers do besides buying, and what their profile says, as sums, last times and values of the latest event.

A profile is replaced whole by the latest one. Which is the latest is one number, `profile_order`: the event's time in
ms, then 22 bits of its id's hash. Of two profiles that agree in both (one pair in four million of the same millisecond)
each field keeps the larger value, so that not even they depend on who came first.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.features.facts import (
    FIRST_ENGAGEMENT,
    LOYALTY_CHANGE,
    PROFILE_FACTS,
    REVIEW,
    SESSION,
    TIMED_TO_THE_SECOND,
    U2_MAX,
    U4_MAX,
    EventFacts,
)
from stream.features.fields import DAY_MS, Cells, StateArray, cells
from stream.features.latest import fold_latest, merge_latest
from stream.features.saturating import add, add_at

PROFILE_ID_BITS = 22
_PROFILE_MS_MAX = 2 ** (64 - PROFILE_ID_BITS) - 1  # in 2109
_FIRST_DAY_SLOT = len(TIMED_TO_THE_SECOND)

_LAST_S = cells("engagement", "last_s")
_LAST_DAY = cells("engagement", "last_day")
_COUNT = cells("engagement", "count")
_PROFILE = {name: cells("engagement", name) for name in PROFILE_FACTS.names or ()}
_PROFILE_ORDER = cells("engagement", "profile_order")
_SESSION_S = cells("engagement", "session_s")
_EARNED = cells("engagement", "points_earned")
_SPENT = cells("engagement", "points_spent")
_RATINGS = cells("engagement", "rating_sum")

SUMS = ("count", "session_s", "points_earned", "points_spent", "rating_sum")
LATEST = {"last_rating": REVIEW, "changed_tier": LOYALTY_CHANGE}
"""Field -> the kind whose last event it is of."""

_OF_LAST = {field: (kind - FIRST_ENGAGEMENT, cells("engagement", field)) for field, kind in LATEST.items()}


def fold_engagement(states: StateArray, facts: EventFacts) -> None:
    """Count engagement, add it up, move last times. `facts` holds nothing else; `states` is contiguous."""
    slot = facts.kind - np.intp(FIRST_ENGAGEMENT)
    for kind, fold_values in _VALUED.items():
        at = (facts.kind == kind).nonzero()[0]
        if at.size:
            fold_values(states, Values(facts.row[at], facts.time_ms[at], facts.value[at], facts.tier[at]))
    add_at(_COUNT.flat(states), _COUNT.slot(facts.row, slot), np.ones(len(facts), np.uint16))
    daily = slot >= _FIRST_DAY_SLOT
    at = daily.nonzero()[0]
    if not at.size:
        _move_seconds(states, facts.row, slot, facts.time_ms)
        return
    days = np.minimum(facts.time_ms[at] // DAY_MS, U2_MAX).astype(np.uint16)  # until 2149
    np.maximum.at(_LAST_DAY.flat(states), _LAST_DAY.slot(facts.row[at], slot[at] - _FIRST_DAY_SLOT), days)
    at = (~daily).nonzero()[0]
    _move_seconds(states, facts.row[at], slot[at], facts.time_ms[at])


class Values(NamedTuple):
    """Events of one kind that say more than that they happened: columns of `EventFacts`."""

    row: NDArray[np.intp]
    time_ms: NDArray[np.int64]
    value: NDArray[np.int64]
    tier: NDArray[np.uint8]


def _fold_sessions(states: StateArray, sessions: Values) -> None:
    _add(states, _SESSION_S, sessions.row, sessions.value)


def _fold_reviews(states: StateArray, reviews: Values) -> None:
    _add(states, _RATINGS, reviews.row, reviews.value)
    _keep_last(states, "last_rating", reviews, reviews.value.astype(np.uint8))


def _fold_loyalty_changes(states: StateArray, changes: Values) -> None:
    _add(states, _EARNED, changes.row, np.maximum(changes.value, 0))
    _add(states, _SPENT, changes.row, np.maximum(-changes.value, 0))
    _keep_last(states, "changed_tier", changes, changes.tier)


_VALUED: Mapping[int, Callable[[StateArray, Values], None]] = {
    SESSION: _fold_sessions,
    REVIEW: _fold_reviews,
    LOYALTY_CHANGE: _fold_loyalty_changes,
}


def _add(states: StateArray, sums: Cells, rows: NDArray[np.intp], values: NDArray[np.int64]) -> None:
    add_at(sums.flat(states), sums.slot(rows, 0), values.astype(sums.item))


def _move_seconds(
    states: StateArray, rows: NDArray[np.intp], slot: int | NDArray[np.intp], time_ms: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Move last times; which of them these events have moved, and which events are the last now."""
    last_s, places = _LAST_S.flat(states), _LAST_S.slot(rows, slot)
    seconds = np.minimum(time_ms // 1000, U4_MAX).astype(np.uint32)  # until 2106
    before = last_s[places]
    np.maximum.at(last_s, places, seconds)
    after = last_s[places]
    return after > before, seconds == after


def _keep_last(states: StateArray, field: str, events: Values, values: NDArray[np.uint8]) -> None:
    """What the last event of the kind said."""
    slot, of_field = _OF_LAST[field]
    moved, is_last = _move_seconds(states, events.row, slot, events.time_ms)
    fold_latest(of_field.flat(states), of_field.slot(events.row, 0), values, moved, is_last)


def fold_profiles(states: StateArray, facts: EventFacts) -> None:
    """Keep the latest profile. `facts` holds profiles alone; `states` is contiguous."""
    orders, places = _PROFILE_ORDER.flat(states), _PROFILE_ORDER.slot(facts.row, 0)
    own = np.minimum(facts.time_ms, _PROFILE_MS_MAX).astype(np.uint64) << np.uint64(PROFILE_ID_BITS)
    own |= facts.id_hash >> np.uint64(64 - PROFILE_ID_BITS)
    before = orders[places]
    np.maximum.at(orders, places, own)
    after = orders[places]
    for name, field in _PROFILE.items():
        fold_latest(field.flat(states), field.slot(facts.row, 0), facts.profile[name], after > before, own == after)


def merge_engagement(joined: NDArray[np.void], a: NDArray[np.void], b: NDArray[np.void]) -> None:
    """Fill `joined` with what the events of both blocks would have given."""
    for name in SUMS:
        joined[name] = add(a[name], b[name])
    for name in ("last_s", "last_day", "profile_order"):
        joined[name] = np.maximum(a[name], b[name])
    for name, (slot, _) in _OF_LAST.items():
        joined[name] = merge_latest(a[name], a["last_s"][:, slot], b[name], b["last_s"][:, slot])
    for name in _PROFILE:
        joined[name] = merge_latest(a[name], a["profile_order"], b[name], b["profile_order"])
