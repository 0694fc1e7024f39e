"""What one purchase or refund does to a customer's features. Compiled: `features` is one record, written in place."""

from typing import Any

import numpy as np

from schemas.units import DAY_MS
from stream.compiled import compiled
from stream.features.decayed import HALF_LIVES_MS
from stream.features.facts import PRODUCTS_KEPT, U2_MAX
from stream.features.fields import HOUR_BINS, PURCHASE_DAYS_KEPT
from stream.features.purchase_days import shift

_BIN_MS = 24 // HOUR_BINS * 3_600_000


@compiled
def fold_decayed(features: Any, is_purchase: bool, time_ms: int, amount_minor: int) -> None:
    """Add an order to the decayed sums; their reference moves with the latest one (`stream.features.decayed`)."""
    for slot in range(len(HALF_LIVES_MS)):
        age = time_ms / HALF_LIVES_MS[slot]  # a true quotient this small never rounds up to a whole number
        index = np.floor(age)
        ahead = index - features.decayed_reference[slot]
        if ahead > 0:
            shrink = np.ldexp(1.0, np.int32(-ahead))
            features.decayed_count[slot] *= shrink
            features.decayed_spend_minor[slot] *= shrink
            features.decayed_refund_minor[slot] *= shrink
            features.decayed_reference[slot] = np.int32(index)
        weight = np.ldexp(np.exp2(age - index), np.int32(min(ahead, 0.0)))
        if is_purchase:
            features.decayed_count[slot] += weight
            features.decayed_spend_minor[slot] += weight * amount_minor
        else:
            features.decayed_refund_minor[slot] += weight * amount_minor


@compiled
def fold_purchase_day(features: Any, time_ms: int, last_before_ms: int) -> None:
    """Set the day of a purchase. `last_purchase_ms` counts it already; `last_before_ms` is what it was before."""
    words, last_day = features.purchase_days, features.last_purchase_ms // DAY_MS
    later = last_day - last_before_ms // DAY_MS
    if later > 0:
        shift(words, later)
    age = last_day - time_ms // DAY_MS
    if age < PURCHASE_DAYS_KEPT:
        words[age >> 6] |= np.uint64(1) << np.uint64(age & 63)


@compiled
def fold_products(features: Any, time_ms: int, products: Any) -> None:
    """Keep the last products: the top three distinct ones by (time, hash), whatever the order of events."""
    for product in products:
        if product != 0:
            keep_product(features.product_time_ms, features.product_hash, time_ms, product)


@compiled
def keep_product(times_ms: Any, hashes: Any, time_ms: int, product: Any) -> None:
    """Put a product among the kept ones, which stand in falling order, if it is one of the last three.

    Args:
        times_ms, hashes: shape (3,), of those kept, changed in place; 0 where there is none.
        time_ms: of the purchase.
        product: hash of its id.

    >>> times_ms, hashes = np.array([20, 10, 0]), np.array([7, 5, 0])
    >>> keep_product(times_ms, hashes, 15, 9)
    >>> times_ms.tolist(), hashes.tolist()
    ([20, 15, 10], [7, 9, 5])
    """
    place = PRODUCTS_KEPT - 1
    for slot in range(PRODUCTS_KEPT):
        if hashes[slot] == product:
            place = slot
    if time_ms < times_ms[place] or (time_ms == times_ms[place] and product <= hashes[place]):
        return
    while place > 0 and (
        time_ms > times_ms[place - 1] or (time_ms == times_ms[place - 1] and product > hashes[place - 1])
    ):
        times_ms[place], hashes[place] = times_ms[place - 1], hashes[place - 1]
        place -= 1
    times_ms[place], hashes[place] = time_ms, product


@compiled
def fold_bins(features: Any, time_ms: int, channel: int, category_lines: Any) -> None:
    """Count a purchase's hour, its channel and the categories of its lines."""
    add_at(features.hour_purchases, time_ms // _BIN_MS % HOUR_BINS, 1, U2_MAX)
    if channel > 0:
        add_at(features.channel_purchases, np.int64(channel) - 1, 1, U2_MAX)
    for category in range(len(category_lines)):
        add_at(features.category_lines, category, category_lines[category], U2_MAX)


@compiled
def add_at(counters: Any, place: Any, count: Any, most: int) -> None:
    """Add to a counter that stops at `most`, the end of its type.

    >>> counters = np.array([3, 65_530], np.uint16)
    >>> add_at(counters, 1, 10, 65_535)
    >>> counters.tolist()
    [3, 65535]
    """
    counters[place] = min(np.int64(counters[place]) + np.int64(count), most)
