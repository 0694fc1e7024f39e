"""The packed record of one customer: which bytes hold what.

Fields stand in descending size, so that packed is also aligned. Every block is a multiple of 8 bytes. All zero bytes is
a customer of whom nothing is known.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.features.aggregates import AGGREGATES
from stream.features.facts import ENGAGEMENT_KINDS, PRODUCTS_KEPT, PROFILE_FACTS, TIMED_TO_THE_DAY, TIMED_TO_THE_SECOND
from stream.features.vocabulary import CATEGORIES_MAX, CHANNELS

StateArray = NDArray[np.void]
"""Shape (customers,), dtype `STATE`."""

HALF_LIVES_DAYS = (7, 30, 90, 365)
PURCHASE_DAYS_KEPT = 512
HOUR_BINS = 8  # of three hours, UTC

FEATURES = np.dtype(
    [(aggregate.name, aggregate.item) for aggregate in AGGREGATES if aggregate.item == "<i8"]
    + [
        ("last_event_hash", "<u8"),
        ("purchase_days", "<u8", (PURCHASE_DAYS_KEPT // 64,)),
        ("decayed_count", "<f8", (len(HALF_LIVES_DAYS),)),
        ("decayed_spend_minor", "<f8", (len(HALF_LIVES_DAYS),)),
        ("decayed_refund_minor", "<f8", (len(HALF_LIVES_DAYS),)),
        ("product_time_ms", "<i8", (PRODUCTS_KEPT,)),
        ("product_hash", "<u8", (PRODUCTS_KEPT,)),
        ("decayed_reference", "<i4", (len(HALF_LIVES_DAYS),)),
    ]
    + [(aggregate.name, aggregate.item) for aggregate in AGGREGATES if aggregate.item == "<u4"]
    + [
        ("hour_purchases", "<u2", (HOUR_BINS,)),
        ("channel_purchases", "<u2", (len(CHANNELS),)),
        ("category_lines", "<u2", (CATEGORIES_MAX + 1,)),
        ("reserved", "u1", (6,)),
    ]
)
"""Aggregates over a customer's purchases and refunds. At most 384 bytes."""

ENGAGEMENT = np.dtype(
    [
        ("profile_order", "<u8"),
        ("last_s", "<u4", (len(TIMED_TO_THE_SECOND),)),
        ("session_s", "<u4"),
        ("points_earned", "<u4"),
        ("points_spent", "<u4"),
        ("income", "<u4"),
        ("last_day", "<u2", (len(TIMED_TO_THE_DAY),)),
        ("count", "<u2", (len(ENGAGEMENT_KINDS),)),
        ("rating_sum", "<u2"),
        ("last_rating", "u1"),
        ("changed_tier", "u1"),
    ]
    + [(name, "u1") for name in PROFILE_FACTS.names or () if name != "income"]
    + [("reserved", "u1", (4,))]
)
"""Engagement, and the profile as of its last event. 128 bytes, absent from storage while all zero.

Per kind its count and its last time, in seconds or in days since 1970; sums over sessions, reviews and loyalty changes,
which stop at the end of their type; what the last review and the last loyalty change said, where of several in one
second the highest counts. `profile_order` is the time and event id of the profile that holds, as one number.
"""

DECISION = np.dtype(
    [
        ("segment", "u1"),
        ("alert", "u1"),
        ("alert_closed_cause", "u1"),
        ("segment_changes", "u1"),
        ("risk_shown", "<f4"),
        ("episode_ms", "<i8"),
        ("last_decision_ms", "<i8"),
        ("decide_at_ms", "<i8"),
        ("snapshot_at_ms", "<i8"),
        ("close_at_ms", "<i8"),
        ("segment_since_ms", "<i8"),
        ("due_ms", "<i8"),
    ]
)
"""What was decided and when to look again; deadlines, 0 for none. Its owner's: never merged, never compared."""

STATE = np.dtype([("features", FEATURES), ("decision", DECISION), ("engagement", ENGAGEMENT)])
"""One customer. Engagement stands last, so that a stored record without it is a prefix of one with it."""


class Cell(NamedTuple):
    """Where a field is in states seen as one flat array of the field's own item type: at `row * per_row + first`."""

    item: np.dtype[Any]
    first: int
    per_row: int


def cell(block: str, field: str) -> Cell:
    """The cell of a field.

    >>> cell("features", "last_event_ms").first
    1
    """
    of_state: Any = STATE.fields
    block_type, block_offset = of_state[block]
    field_type, field_offset = block_type.fields[field]
    item: np.dtype[Any] = field_type.base
    return Cell(item, (block_offset + field_offset) // item.itemsize, STATE.itemsize // item.itemsize)
