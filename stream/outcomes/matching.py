"""Which events the declared outcomes count, for compiled code and for arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.features.facts import EventFacts
from stream.outcomes.declared import ANY, FORGOTTEN, Conditions, DeclaredOutcomes


def declared_places(outcomes: DeclaredOutcomes, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The place of each stored code, or `FORGOTTEN`.

    >>> from stream.outcomes.declaration import CHURN_30D, PURCHASE_7D
    >>> declared_places(DeclaredOutcomes([CHURN_30D, PURCHASE_7D]), np.array([PURCHASE_7D.code, 0], np.uint32)).tolist()
    [1, -1]
    """
    places = np.empty(len(codes), np.int64)
    _find_places(places, outcomes.conditions, codes.astype(np.uint32))  # contiguous, as a field is not
    return places


def matches(
    outcomes: DeclaredOutcomes, places: NDArray[np.int64], facts: EventFacts, events: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Whether events are such as outcomes count, pair by pair.

    Args:
        outcomes: those in force.
        places: shape (pairs,), of outcomes; nothing counts for what is forgotten.
        facts: events.
        events: shape (pairs,), places among them.
    """
    matched = np.empty(len(places), np.bool_)
    _match(matched, outcomes.conditions, places, facts.kind, facts.channel, facts.category_lines, events)
    return matched


@compiled
def place_of(conditions: Conditions, code: int) -> int:
    """The place of the outcome with this code, or `FORGOTTEN`."""
    for place in range(len(conditions.codes)):
        if conditions.codes[place] == code:
            return place
    return FORGOTTEN


@compiled
def _find_places(places: Any, conditions: Conditions, codes: Any) -> None:
    for at in range(len(codes)):
        places[at] = place_of(conditions, codes[at])


@compiled
def counts(conditions: Conditions, place: int, kind: int, channel: int, category_lines: NDArray[np.uint16]) -> bool:
    """Whether an event is such as the outcome at a place counts; the forgotten one counts none.

    Args:
        conditions: of the declared outcomes.
        place: among them, or `FORGOTTEN`.
        kind, channel: codes, as of `EventFacts`.
        category_lines: shape (categories,), how many lines of the event have each.

    >>> from stream.features.facts import PURCHASE, REFUND
    >>> from stream.outcomes.declaration import PURCHASE_7D
    >>> conditions, lines = DeclaredOutcomes([PURCHASE_7D]).conditions, np.zeros(1, np.uint16)
    >>> [counts(conditions, 0, kind, 0, lines) for kind in (PURCHASE, REFUND)]
    [True, False]
    """
    if place == FORGOTTEN or kind != conditions.kind[place]:
        return False
    if conditions.channel[place] not in (ANY, np.int64(channel)):
        return False
    category = conditions.category[place]
    return bool(category == ANY or category_lines[category] > 0)


@compiled
def _match(
    matched: Any, conditions: Conditions, places: Any, kinds: Any, channels: Any, category_lines: Any, events: Any
) -> None:
    for pair in range(len(events)):
        event = events[pair]
        matched[pair] = counts(conditions, places[pair], kinds[event], channels[event], category_lines[event])
