"""Orders as columns: what the state needs to know of purchases and refunds, all lines of a chunk at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import NOTHING, OrderLine, Purchase, Refund, RefundLine
from schemas.money import MINOR_UNITS, billionths, line_minor, minor_units
from stream.compiled import compiled, tight
from stream.features.facts import PRODUCTS_KEPT, U2_MAX
from stream.features.hashes import product_hash
from stream.features.vocabulary import CATEGORIES_MAX, CHANNELS, Vocabulary, codes_of

EXACT_BELOW = 2**61  # billionths of a line that int64 holds with room for its discount and for doubling a rest
_CHANNEL_CODES = codes_of(CHANNELS)

IntArray = NDArray[np.int64]
Lines = Sequence[OrderLine | RefundLine]


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
    """Columns of orders. Of a refund, discounts and products are not counted.

    Args:
        orders: at least one.
        vocabulary: the declared categories; the lines of all others are counted together.
        exponent: decimal places of the currency.
    """
    lines: Lines = [line for order in orders for line in order.lines]
    slots = vocabulary.category_slots
    pieces = np.abs(np.array([line.quantity for line in lines], np.int64))
    amounts, discounts = _minor(lines, pieces, exponent)
    columns = _of_orders(
        np.array([len(order.lines) for order in orders], np.int64),
        np.array([isinstance(order, Purchase) for order in orders], np.bool_),
        pieces,
        amounts,
        discounts,
        np.array([slots.get(line.category, CATEGORIES_MAX) for line in lines], np.int64),
        np.array([product_hash(line.product_id) for line in lines], np.uint64),
    )
    return OrderFacts(**columns, channel=np.array([_CHANNEL_CODES[order.channel] for order in orders], np.uint8))


def columns_of_lines(lines: LineColumns, exponent: int) -> dict[str, NDArray[Any]]:
    """The columns of `OrderFacts` but the channel, of lines that are columns already.

    Args:
        lines: of at least one order.
        exponent: decimal places of the currency.
    """
    unit = MINOR_UNITS[exponent]
    amounts, discounts = rounded(lines.price * lines.pieces - lines.discount, unit), rounded(lines.discount, unit)
    return _of_orders(lines.counts, lines.bought, lines.pieces, amounts, discounts, lines.slot, lines.product)


def rounded(exact: IntArray, unit: int) -> IntArray:
    """`exact` / `unit`, each rounded to a whole number, a half to the even one.

    >>> rounded(np.array([5, 15, 25, 26]), 10).tolist()
    [0, 2, 2, 3]
    """
    found = np.empty(len(exact), np.int64)
    _round(np.ascontiguousarray(exact), unit, found)
    return found


@compiled
def _round(exact: Any, unit: int, found: Any) -> None:
    for place in range(len(exact)):
        whole = exact[place] // unit
        rest = 2 * (exact[place] - whole * unit)
        found[place] = whole + 1 if rest > unit or (rest == unit and whole % 2 == 1) else whole


def _minor(lines: Lines, pieces: IntArray, exponent: int) -> tuple[IntArray, IntArray]:
    """`line_minor` and the discount of every line: in 64 bits where that is exact, else one by one."""
    prices = [billionths(line.unit_price) for line in lines]
    discounts = [0 if line.discount == NOTHING else billionths(line.discount) for line in lines]
    if max(max(prices, default=0) * int(pieces.max(initial=0)), max(discounts, default=0)) >= EXACT_BELOW:
        taken_off = [0 if line.discount == NOTHING else minor_units(line.discount, exponent) for line in lines]
        return np.array([line_minor(line, exponent) for line in lines], np.int64), np.array(taken_off, np.int64)
    exact, unit = np.array(discounts, np.int64), MINOR_UNITS[exponent]
    return rounded(np.array(prices, np.int64) * pieces - exact, unit), rounded(exact, unit)


def _of_orders(
    counts: IntArray,
    bought: NDArray[np.bool_],
    pieces: IntArray,
    amounts: IntArray,
    discounts: IntArray,
    slot: IntArray,
    product: NDArray[np.uint64],
) -> dict[str, NDArray[Any]]:
    """The columns of `OrderFacts` but the channel, of lines whose amounts are minor units; else as `LineColumns`."""
    orders = len(counts)
    columns: dict[str, NDArray[Any]] = {
        "amount_minor": np.zeros(orders, np.int64),
        "discount_minor": np.zeros(orders, np.int64),
        "units": np.zeros(orders, np.int64),
        "lines": counts,
        "category_lines": np.zeros((orders, CATEGORIES_MAX + 1), np.uint16),
        "products": np.zeros((orders, PRODUCTS_KEPT), np.uint64),
    }
    _add_lines(bought, pieces, amounts, discounts, slot, product, *columns.values())
    return columns


@compiled
def _add_lines(
    bought: Any, pieces: Any, amounts: Any, discounts: Any, slot: Any, product: Any,
    amount_minor: Any, discount_minor: Any, units: Any, counts: Any, category_lines: Any, products: Any,
) -> None:  # fmt: skip
    """Add up the lines of each order, which follow one another."""
    past = 0
    for order in range(len(counts)):
        first, past = past, past + counts[order]
        for line in range(first, past):
            amount_minor[order] += amounts[line]
            units[order] += pieces[line]
            if category_lines[order, slot[line]] < U2_MAX:
                category_lines[order, slot[line]] += 1
            if bought[order]:
                discount_minor[order] += discounts[line]
                _keep_largest(products, order, product[line])


@tight
def _keep_largest(products: Any, order: int, product: Any) -> None:
    """Have a product among the largest distinct ones of an order, if it is, the largest first; 0 for none."""
    for place in range(PRODUCTS_KEPT):
        kept = products[order, place]
        if kept == product:
            return
        if kept < product:
            for behind in range(PRODUCTS_KEPT - 1, place, -1):
                products[order, behind] = products[order, behind - 1]
            products[order, place] = product
            return
