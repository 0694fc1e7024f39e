"""Events as columns: what the state needs to know of each event, in log order.

Decoded events are objects; everything after this file is arrays. A fact says only what is folded, so that offline
readers can build the same columns without building events first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from schemas.events import Event, LoyaltyChange, Purchase, Refund, Review, Session
from schemas.money import minor_units
from schemas.profiles import Profile
from stream.features.order_facts import (
    PRODUCTS_KEPT,
    U2_MAX,
    event_hash,
    event_hashes,
    order_facts,
    product_hash,
)
from stream.features.vocabulary import CATEGORIES_MAX, CHANNELS, NOTHING_DECLARED, OTHER, Vocabulary, codes_of

__all__ = [
    "ENGAGEMENT_KINDS",
    "FIRST_ENGAGEMENT",
    "KIND_CODES",
    "LOYALTY_CHANGE",
    "PRODUCTS_KEPT",
    "PROFILE",
    "PROFILE_FACTS",
    "PURCHASE",
    "REFUND",
    "REVIEW",
    "SESSION",
    "TIMED_TO_THE_DAY",
    "TIMED_TO_THE_SECOND",
    "U2_MAX",
    "U4_MAX",
    "Envelopes",
    "EventFacts",
    "blank_facts",
    "envelopes_of",
    "event_hash",
    "event_hashes",
    "facts_of",
    "product_hash",
]

TIMED_TO_THE_SECOND = (
    "page_view",
    "product_view",
    "search",
    "add_to_cart",
    "session",
    "email_open",
    "email_click",
    "ad_click",
    "review",
    "loyalty_change",
)
TIMED_TO_THE_DAY = (
    "remove_from_cart",
    "email_sent",
    "ad_impression",
    "campaign_exposure",
    "coupon_redemption",
    "social_share",
    "support_contact",
)
"""Kinds whose last time need not be finer: two bytes instead of four make room for profiles in the record."""

ENGAGEMENT_KINDS = TIMED_TO_THE_SECOND + TIMED_TO_THE_DAY
PURCHASE, REFUND, PROFILE, FIRST_ENGAGEMENT = 1, 2, 3, 10
KIND_CODES: dict[str, int] = {"purchase": PURCHASE, "refund": REFUND, "profile": PROFILE} | {
    kind: FIRST_ENGAGEMENT + slot for slot, kind in enumerate(ENGAGEMENT_KINDS)
}
"""The `type` of an event -> its code in `EventFacts.kind`. Codes are stored nowhere."""

SESSION, REVIEW, LOYALTY_CHANGE = (KIND_CODES[kind] for kind in ("session", "review", "loyalty_change"))
_CODE_OF: dict[type, int] = {kind: KIND_CODES[kind.__struct_config__.tag] for kind in get_args(Event)}

PROFILE_FACTS = np.dtype(
    [
        ("income", "<u4"),
        ("age", "u1"),
        ("gender", "u1"),
        ("region", "u1"),
        ("education", "u1"),
        ("preferred_channel", "u1"),
        ("profile_tier", "u1"),
        ("consent", "u1"),
        ("time_zone", "u1"),
    ]
)
"""A profile. 0 is unknown everywhere; age in years and income in whole major units are one more than they say.

Consent is 1 for no and 2 for yes; the others are codes of a `Vocabulary`, of the channel in `CHANNELS`.
"""

_CHANNEL_CODES = codes_of(CHANNELS)
_CONSENT = {None: 0, False: 1, True: 2}
U4_MAX = 4_294_967_295


@dataclass(frozen=True)
class EventFacts:
    """n events as contiguous columns, in log order.

    Attributes:
        row: shape (n,), intp; the customer's place in the array of states.
        kind: u1, a code of `KIND_CODES`.
        time_ms: i8, event time since 1970, UTC; positive.
        id_hash: u8, `event_hash` of the event's id.
        amount_minor: i8, an order's or a refund's total after discounts, never negative; 0 for other kinds.
        discount_minor: i8, what was taken off the order.
        units: i8, pieces bought or given back, never negative.
        lines: i4, lines of the order or refund.
        channel: u1, 0 none, else 1 + place in `CHANNELS`.
        category_lines: u2, shape (n, CATEGORIES_MAX + 1); order lines per declared category, the others last.
        products: u8, shape (n, PRODUCTS_KEPT); the largest distinct hashes of an order's products, 0 for none.
        value: i8, a session's seconds, a review's rating, a loyalty change's points (negative when spent), else 0.
        tier: u1, the tier of a loyalty change, a code of the vocabulary.
        profile: shape (n,), dtype `PROFILE_FACTS`, all zero for other kinds.
    """

    row: NDArray[np.intp]
    kind: NDArray[np.uint8]
    time_ms: NDArray[np.int64]
    id_hash: NDArray[np.uint64]
    amount_minor: NDArray[np.int64]
    discount_minor: NDArray[np.int64]
    units: NDArray[np.int64]
    lines: NDArray[np.int32]
    channel: NDArray[np.uint8]
    category_lines: NDArray[np.uint16]
    products: NDArray[np.uint64]
    value: NDArray[np.int64]
    tier: NDArray[np.uint8]
    profile: NDArray[np.void]

    def __len__(self) -> int:
        """How many events."""
        return len(self.row)

    def take(self, indices: NDArray[np.intp]) -> "EventFacts":
        """The events at `indices`, in that order."""
        # `take` needs a fifth of the time of indexing for columns of several numbers
        return EventFacts(*(column.take(indices, axis=0) for column in vars(self).values()))


@dataclass(frozen=True)
class Envelopes:
    """What all events have: the columns of `EventFacts` of the same names."""

    kind: NDArray[np.uint8]
    time_ms: NDArray[np.int64]
    id_hash: NDArray[np.uint64]


def envelopes_of(events: Sequence[Event]) -> Envelopes:
    """Their columns."""
    return Envelopes(
        kind=np.array([_CODE_OF[type(event)] for event in events], np.uint8),
        time_ms=np.array([event.event_time_ms for event in events], np.int64),
        id_hash=event_hashes(event.event_id for event in events),
    )


def facts_of(
    events: Sequence[Event],
    rows: Sequence[int],
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
    facts = blank_facts(rows, envelopes or envelopes_of(events))
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


def blank_facts(rows: Sequence[int] | NDArray[np.intp], envelopes: Envelopes) -> EventFacts:
    """What all events have, and nothing in the columns of their kinds.

    Args:
        rows: as of `facts_of`.
        envelopes: of as many events.
    """
    n = len(rows)
    return EventFacts(
        row=np.array(rows, np.intp),
        **vars(envelopes),
        amount_minor=np.zeros(n, np.int64),
        discount_minor=np.zeros(n, np.int64),
        units=np.zeros(n, np.int64),
        lines=np.zeros(n, np.int32),
        channel=np.zeros(n, np.uint8),
        category_lines=np.zeros((n, CATEGORIES_MAX + 1), np.uint16),
        products=np.zeros((n, PRODUCTS_KEPT), np.uint64),
        value=np.zeros(n, np.int64),
        tier=np.zeros(n, np.uint8),
        profile=np.zeros(n, PROFILE_FACTS),
    )


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
