"""Orders as columns: what the state needs to know of purchases and refunds, all lines of a chunk at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from schemas.events import NOTHING, OrderLine, Purchase, Refund, RefundLine
from schemas.money import MINOR_UNITS, billionths, line_minor, minor_units
from stream.features.vocabulary import CATEGORIES_MAX, CHANNELS, Vocabulary, codes_of

PRODUCTS_KEPT = 3
U2_MAX = 65_535
EXACT_BELOW = 2**61  # billionths of a line that int64 holds with room for its discount and for doubling a rest
_CHANNEL_CODES = codes_of(CHANNELS)

IntArray = NDArray[np.int64]
Lines = Sequence[OrderLine | RefundLine]


def event_hashes(event_ids: Iterable[str]) -> NDArray[np.uint64]:
    """`event_hash` of each id.

    >>> event_hashes(["order-1"]).tolist() == [event_hash("order-1")]
    True
    """
    digests = b"".join([blake2b(event_id.encode(), digest_size=8).digest() for event_id in event_ids])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


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


@dataclass(frozen=True)
class OrderFacts:
    """n orders and refunds; the columns of `EventFacts` of the same names, for them alone."""

    amount_minor: IntArray
    discount_minor: IntArray
    units: IntArray
    lines: IntArray
    channel: NDArray[np.uint8]
    category_lines: NDArray[np.uint16]
    products: NDArray[np.uint64]


def order_facts(orders: Sequence[Purchase | Refund], vocabulary: Vocabulary, exponent: int) -> OrderFacts:
    """Columns of orders. Of a refund, discounts, categories and products are not counted.

    Args:
        orders: at least one.
        vocabulary: the declared categories; the lines of all others are counted together.
        exponent: decimal places of the currency.
    """
    lines: Lines = [line for order in orders for line in order.lines]
    counts = np.array([len(order.lines) for order in orders], np.int64)
    order_of_line = np.repeat(np.arange(len(orders)), counts)
    bought = np.array([isinstance(order, Purchase) for order in orders])[order_of_line]
    quantity = np.array([line.quantity for line in lines], np.int64)

    def summed(values: IntArray) -> IntArray:
        sums = np.zeros(len(orders), np.int64)
        np.add.at(sums, order_of_line, values)
        return sums

    return OrderFacts(
        amount_minor=summed(_lines_minor(lines, quantity, exponent)),
        discount_minor=summed(_discounts_minor(lines, exponent) * bought),
        units=summed(np.abs(quantity)),
        lines=counts,
        channel=np.array([_CHANNEL_CODES[order.channel] for order in orders], np.uint8),
        category_lines=_category_lines(lines, vocabulary, order_of_line, bought, len(orders)),
        products=_last_products(lines, order_of_line, bought, len(orders)),
    )


def _lines_minor(lines: Lines, quantity: IntArray, exponent: int) -> IntArray:
    """`line_minor` of every line: in 64 bits where that is exact, else one by one."""
    prices = [billionths(line.unit_price) for line in lines]
    discounts = [0 if line.discount == NOTHING else billionths(line.discount) for line in lines]
    pieces = np.abs(quantity)
    if max(max(prices, default=0) * int(pieces.max(initial=0)), max(discounts, default=0)) >= EXACT_BELOW:
        return np.array([line_minor(line, exponent) for line in lines], np.int64)
    exact = np.array(prices, np.int64) * pieces - np.array(discounts, np.int64)
    unit = MINOR_UNITS[exponent]
    whole, rest = np.divmod(exact, unit)
    half_even: IntArray = whole + ((2 * rest > unit) | ((2 * rest == unit) & (whole % 2 == 1)))
    return half_even


def _discounts_minor(lines: Lines, exponent: int) -> IntArray:
    return np.array(
        [0 if line.discount == NOTHING else minor_units(line.discount, exponent) for line in lines], np.int64
    )


def _category_lines(
    lines: Lines, vocabulary: Vocabulary, order_of_line: NDArray[np.intp], bought: NDArray[np.bool_], orders: int
) -> NDArray[np.uint16]:
    slots = vocabulary.category_slots
    slot = np.array([slots.get(line.category, CATEGORIES_MAX) for line in lines], np.int64)
    counted = np.zeros((orders, CATEGORIES_MAX + 1), np.int64)
    np.add.at(counted, (order_of_line[bought], slot[bought]), 1)
    return np.minimum(counted, U2_MAX).astype(np.uint16)


def _last_products(
    lines: Lines, order_of_line: NDArray[np.intp], bought: NDArray[np.bool_], orders: int
) -> NDArray[np.uint64]:
    """The largest distinct hashes of each order's products, the largest first, 0 for none."""
    hashes = np.array([product_hash(line.product_id) for line in lines], np.uint64)[bought]
    order = order_of_line[bought]
    descending = np.lexsort((~hashes, order))
    hashes, order = hashes[descending], order[descending]
    again = np.zeros(len(hashes), np.bool_)
    again[1:] = (hashes[1:] == hashes[:-1]) & (order[1:] == order[:-1])
    hashes, order = hashes[~again], order[~again]
    rank = np.arange(len(order)) - np.searchsorted(order, order)
    kept = rank < PRODUCTS_KEPT
    products = np.zeros((orders, PRODUCTS_KEPT), np.uint64)
    products[order[kept], rank[kept]] = hashes[kept]
    return products
