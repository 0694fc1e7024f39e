"""Events as columns: what the state needs to know of each event, in log order.

Decoded events are objects; everything after this file is arrays. A fact says only what is folded, so that offline
readers can build the same columns without building events first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.features.vocabulary import CATEGORIES_MAX

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

U2_MAX, U4_MAX = 65_535, 4_294_967_295
PRODUCTS_KEPT = 3


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

    def put(self, indices: NDArray[np.intp], others: "EventFacts") -> None:
        """Put others in the place of the events at `indices`."""
        for column, values in zip(vars(self).values(), vars(others).values(), strict=True):
            column[indices] = values

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
