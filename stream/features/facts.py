"""Events as columns: what the state needs to know of each event, in log order.

Decoded events are objects; everything after this file is arrays. A fact says only what is folded, so that offline
readers can build the same columns without building events first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import NOTHING, Event, OrderLine, Purchase, Refund, RefundLine
from schemas.money import line_minor, minor_units

PURCHASE, REFUND, PROFILE, FIRST_ENGAGEMENT = 1, 2, 3, 10
ENGAGEMENT_KINDS = (
    "page_view",
    "product_view",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "session",
    "email_sent",
    "email_open",
    "email_click",
    "ad_impression",
    "ad_click",
    "campaign_exposure",
    "coupon_redemption",
    "social_share",
    "review",
    "support_contact",
    "loyalty_change",
)
KIND_CODES: dict[str, int] = {"purchase": PURCHASE, "refund": REFUND, "profile": PROFILE} | {
    kind: FIRST_ENGAGEMENT + slot for slot, kind in enumerate(ENGAGEMENT_KINDS)
}
"""The `type` of an event -> its code in `EventFacts.kind`. Codes are stored nowhere; new kinds go at the end."""

CHANNELS = ("online", "in_store", "app")
CATEGORIES_MAX = 7  # declared categories; one more slot counts the lines of all others
PRODUCTS_KEPT = 3
_CHANNEL_CODES = {channel: code for code, channel in enumerate(CHANNELS, start=1)}
U2_MAX = 65_535
_NO_PRODUCTS = (0,) * PRODUCTS_KEPT
_NO_CATEGORIES = (0,) * (CATEGORIES_MAX + 1)


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

    def __len__(self) -> int:
        """How many events."""
        return len(self.row)

    def take(self, indices: NDArray[np.intp]) -> "EventFacts":
        """The events at `indices`, in that order."""
        return EventFacts(*(column[indices] for column in vars(self).values()))


def event_hash(event_id: str) -> int:
    """Eight bytes of blake2b that stand for an event id; also what duplicates are known by.

    >>> event_hash("order-1") == event_hash("order-1") != event_hash("order-2")
    True
    """
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little")


@lru_cache(maxsize=65_536)  # products come again and again: 50 ns instead of 1 us; at most 15 MB of the longest ids
def product_hash(product_id: str) -> int:
    """Eight bytes of blake2b that stand for a product id, never 0."""
    return event_hash(product_id) or 1


def facts_of(
    events: Sequence[Event], rows: Sequence[int], categories: tuple[str, ...] = (), exponent: int = 2
) -> EventFacts:
    """Columns of decoded events.

    Args:
        events: in log order.
        rows: each event's customer, as its place in the array of states.
        categories: the declared categories, at most `CATEGORIES_MAX`; the lines of all others are counted together.
        exponent: decimal places of the reporting currency.

    Raises:
        ValueError: too many categories.
    """
    if len(categories) > CATEGORIES_MAX:
        raise ValueError(f"{len(categories)} categories are declared; at most {CATEGORIES_MAX} are counted one by one")
    facts = _without_orders(events, rows)
    at = [place for place, event in enumerate(events) if isinstance(event, Purchase | Refund)]
    orders = [_order(event, categories, exponent) for event in events if isinstance(event, Purchase | Refund)]
    if orders:
        columns: list[NDArray[Any]] = [facts.amount_minor, facts.discount_minor, facts.units, facts.lines]
        columns += [facts.channel, facts.category_lines, facts.products]
        for column, values in zip(columns, zip(*orders, strict=True), strict=True):
            column[at] = values
    return facts


def _without_orders(events: Sequence[Event], rows: Sequence[int]) -> EventFacts:
    n = len(events)
    digests = b"".join(blake2b(event.event_id.encode(), digest_size=8).digest() for event in events)
    return EventFacts(
        row=np.array(rows, np.intp),
        kind=np.array([KIND_CODES[_tag(type(event))] for event in events], np.uint8),
        time_ms=np.array([event.event_time_ms for event in events], np.int64),
        id_hash=np.frombuffer(digests, "<u8").astype(np.uint64),
        amount_minor=np.zeros(n, np.int64),
        discount_minor=np.zeros(n, np.int64),
        units=np.zeros(n, np.int64),
        lines=np.zeros(n, np.int32),
        channel=np.zeros(n, np.uint8),
        category_lines=np.zeros((n, CATEGORIES_MAX + 1), np.uint16),
        products=np.zeros((n, PRODUCTS_KEPT), np.uint64),
    )


@lru_cache(maxsize=64)
def _tag(kind: type[Event]) -> str:
    return str(kind.__struct_config__.tag)


Order = tuple[int, int, int, int, int, Sequence[int], Sequence[int]]


def _order(event: Purchase | Refund, categories: tuple[str, ...], exponent: int) -> Order:
    lines: Sequence[OrderLine | RefundLine] = event.lines
    amount = sum(line_minor(line, exponent) for line in lines)
    units = sum(abs(line.quantity) for line in lines)
    channel = _CHANNEL_CODES[event.channel]
    if isinstance(event, Refund):
        return amount, 0, units, len(lines), channel, _NO_CATEGORIES, _NO_PRODUCTS
    discount = sum(minor_units(line.discount, exponent) for line in lines if line.discount != NOTHING)
    counted = [0] * (CATEGORIES_MAX + 1)
    for line in lines:
        counted[categories.index(line.category) if line.category in categories else CATEGORIES_MAX] += 1
    hashes = sorted({product_hash(line.product_id) for line in lines}, reverse=True)[:PRODUCTS_KEPT]
    products = (*hashes, *_NO_PRODUCTS)[:PRODUCTS_KEPT]
    return amount, discount, units, len(lines), channel, [min(count, U2_MAX) for count in counted], products
