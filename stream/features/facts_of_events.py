"""From decoded events to their facts."""

from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from schemas.events import Event, LoyaltyChange, Purchase, Refund, Review, Session
from schemas.money import minor_units
from schemas.profiles import Profile
from stream.features.facts import (
    KIND_CODES,
    LOYALTY_CHANGE,
    PROFILE,
    REFUND,
    REVIEW,
    SESSION,
    U4_MAX,
    Envelopes,
    EventFacts,
    blank_facts,
)
from stream.features.hashes import event_hashes
from stream.features.order_facts import order_facts
from stream.features.vocabulary import CHANNELS, NOTHING_DECLARED, OTHER, Vocabulary, codes_of

_CODE_OF: dict[type, int] = {kind: KIND_CODES[kind.__struct_config__.tag] for kind in get_args(Event)}
_CHANNEL_CODES = codes_of(CHANNELS)
_CONSENT = {None: 0, False: 1, True: 2}


def _envelopes_of(events: Sequence[Event]) -> Envelopes:
    """Their columns."""
    return Envelopes(
        kind=np.array([_CODE_OF[type(event)] for event in events], np.uint8),
        time_ms=np.array([event.event_time_ms for event in events], np.int64),
        id_hash=event_hashes(event.event_id for event in events),
    )


def facts_of(
    events: Sequence[Event],
    rows: Sequence[int] | NDArray[np.intp],
    vocabulary: Vocabulary = NOTHING_DECLARED,
    exponent: int = 2,
    envelopes: Envelopes | None = None,
) -> EventFacts:
    """Columns of decoded events.

    Args:
        events: in log order.
        rows: each event's customer, as its place in the array of states.
        vocabulary: the declared names; the order lines of all other categories are counted together.
        exponent: decimal places of the reporting currency.
        envelopes: of the events, from whoever has them already.
    """
    facts = blank_facts(rows, envelopes or _envelopes_of(events))
    _fill_orders(events, facts, vocabulary, exponent)
    for kinds, columns, details in (
        (_HAS_VALUE[facts.kind], (facts.value, facts.tier), lambda event: _value(event, vocabulary)),
        (facts.kind == PROFILE, (facts.profile,), lambda event: (_profile(event, vocabulary),)),
    ):
        _fill(events, kinds, columns, details)
    return facts


def _fill_orders(events: Sequence[Event], facts: EventFacts, vocabulary: Vocabulary, exponent: int) -> None:
    """Put what the lines of orders and refunds say into the columns."""
    at = (facts.kind <= REFUND).nonzero()[0]
    if len(at):
        orders: list[Purchase | Refund] = [events[place] for place in at.tolist()]  # type: ignore[misc]
        for name, values in vars(order_facts(orders, vocabulary, exponent)).items():
            getattr(facts, name)[at] = values


def _fill(
    events: Sequence[Event],
    chosen: NDArray[np.bool_],
    columns: Sequence[NDArray[Any]],
    details: Callable[[Any], Sequence[Any]],
) -> None:
    """Put what `details` says of the chosen events into the columns."""
    at = chosen.nonzero()[0]
    found = [details(events[place]) for place in at.tolist()]
    if found:
        for column, values in zip(columns, zip(*found, strict=True), strict=True):
            column[at] = list(values)  # a tuple would be one row of `profile`


_HAS_VALUE = np.isin(np.arange(256), (SESSION, REVIEW, LOYALTY_CHANGE))


def _value(event: Session | Review | LoyaltyChange, vocabulary: Vocabulary) -> tuple[int, int]:
    """The columns `value` and `tier`."""
    match event:
        case Session():
            return (event.duration_ms + 500) // 1000, 0
        case Review():
            return event.rating, 0
        case LoyaltyChange():
            return event.points or 0, vocabulary.codes["loyalty_tiers"].get(event.tier, OTHER)


def _profile(event: Profile, vocabulary: Vocabulary) -> tuple[int, ...]:
    """A row of `PROFILE_FACTS`."""
    codes = vocabulary.codes
    return (
        0 if event.income is None else min(minor_units(event.income, 0), U4_MAX - 1) + 1,
        0 if event.age is None else event.age + 1,
        codes["genders"].get(event.gender, OTHER),
        codes["regions"].get(event.region, OTHER),
        codes["educations"].get(event.education, OTHER),
        _CHANNEL_CODES[event.preferred_channel],
        codes["loyalty_tiers"].get(event.loyalty_tier, OTHER),
        _CONSENT[event.consent],
        codes["time_zones"].get(event.time_zone, OTHER),
    )
