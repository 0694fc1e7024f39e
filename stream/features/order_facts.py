"""Orders as columns: what the state needs to know of purchases and refunds, all lines of a chunk at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

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


@dataclass(frozen=True)
class LineColumns:
    """The lines of orders and refunds, one order's after another's.

    Attributes:
        counts: shape (orders,), how many lines each has.
        bought: shape (orders,), whether it is no refund.
        pieces: shape (lines,), without a sign; the other columns are as long.
        price, discount: billionths of a major unit, so small that 64 bits hold the worth of a line.
        slot: the slot of the line's category.
        product: `product_hash` of its product.
    """

    counts: IntArray
    bought: NDArray[np.bool_]
    pieces: IntArray
    price: IntArray
    discount: IntArray
    slot: IntArray
    product: NDArray[np.uint64]


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
    pieces = np.abs(np.array([line.quantity for line in lines], np.int64))
    slots = vocabulary.category_slots
    slot = np.array([slots.get(line.category, CATEGORIES_MAX) for line in lines], np.int64)
    hashes = np.array([product_hash(line.product_id) for line in lines], np.uint64)
    return OrderFacts(
        amount_minor=_summed(_lines_minor(lines, pieces, exponent), order_of_line, len(orders)),
        discount_minor=_summed(_discounts_minor(lines, exponent) * bought, order_of_line, len(orders)),
        units=_summed(pieces, order_of_line, len(orders)),
        lines=counts,
        channel=np.array([_CHANNEL_CODES[order.channel] for order in orders], np.uint8),
        category_lines=_category_lines(slot, order_of_line, bought, len(orders)),
        products=_last_products(hashes, order_of_line, bought, len(orders)),
    )


def columns_of_lines(lines: LineColumns, exponent: int) -> dict[str, NDArray[Any]]:
    """The columns of `OrderFacts` but the channel, of lines that are columns already.

    Args:
        lines: of at least one order.
        exponent: decimal places of the currency.
    """
    orders, unit = len(lines.counts), MINOR_UNITS[exponent]
    order_of_line = np.repeat(np.arange(orders), lines.counts)
    bought = lines.bought[order_of_line]
    amounts = rounded(lines.price * lines.pieces - lines.discount, unit)
    return {
        "amount_minor": _summed(amounts, order_of_line, orders),
        "discount_minor": _summed(rounded(lines.discount, unit) * bought, order_of_line, orders),
        "units": _summed(lines.pieces, order_of_line, orders),
        "lines": lines.counts,
        "category_lines": _category_lines(lines.slot, order_of_line, bought, orders),
        "products": _last_products(lines.product, order_of_line, bought, orders),
    }


def rounded(exact: IntArray, unit: int) -> IntArray:
    """`exact` / `unit`, each rounded to a whole number, a half to the even one.

    >>> rounded(np.array([5, 15, 25, 26]), 10).tolist()
    [0, 2, 2, 3]
    """
    whole, rest = np.divmod(exact, unit)
    half_even: IntArray = whole + ((2 * rest > unit) | ((2 * rest == unit) & (whole % 2 == 1)))
    return half_even


def _summed(values: IntArray, order_of_line: NDArray[np.intp], orders: int) -> IntArray:
    sums = np.zeros(orders, np.int64)
    np.add.at(sums, order_of_line, values)
    return sums


def _lines_minor(lines: Lines, pieces: IntArray, exponent: int) -> IntArray:
    """`line_minor` of every line: in 64 bits where that is exact, else one by one."""
    prices = [billionths(line.unit_price) for line in lines]
    discounts = [0 if line.discount == NOTHING else billionths(line.discount) for line in lines]
    if max(max(prices, default=0) * int(pieces.max(initial=0)), max(discounts, default=0)) >= EXACT_BELOW:
        return np.array([line_minor(line, exponent) for line in lines], np.int64)
    return rounded(np.array(prices, np.int64) * pieces - np.array(discounts, np.int64), MINOR_UNITS[exponent])


def _discounts_minor(lines: Lines, exponent: int) -> IntArray:
    return np.array(
        [0 if line.discount == NOTHING else minor_units(line.discount, exponent) for line in lines], np.int64
    )


def _category_lines(
    slot: IntArray, order_of_line: NDArray[np.intp], bought: NDArray[np.bool_], orders: int
) -> NDArray[np.uint16]:
    counted = np.zeros((orders, CATEGORIES_MAX + 1), np.int64)
    np.add.at(counted, (order_of_line[bought], slot[bought]), 1)
    return np.minimum(counted, U2_MAX).astype(np.uint16)


def _last_products(
    hashes: NDArray[np.uint64], order_of_line: NDArray[np.intp], bought: NDArray[np.bool_], orders: int
) -> NDArray[np.uint64]:
    """The largest distinct hashes of each order's products, the largest first, 0 for none."""
    hashes = hashes[bought]
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
