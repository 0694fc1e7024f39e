"""Orders as columns, all at once, against each order by itself."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import OrderLine, Purchase, Refund, RefundLine
from schemas.money import line_minor, minor_units
from stream.features.hashes import product_hash
from stream.features.order_facts import order_facts
from stream.features.vocabulary import CHANNELS, Vocabulary

CATEGORIES = ("garden", "kitchen")
PRICES = ("0", "0.005", "0.015", "12.50", "0.000000001", "999999999.999999999", "7")


def lines(kind: type, quantities: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.lists(
        st.builds(
            kind,
            product_id=st.sampled_from("abcdefgh"),
            quantity=quantities,
            unit_price=st.sampled_from(PRICES),
            discount=st.sampled_from(("0", "0", "0.0", "0.005", "1.10")),
            category=st.sampled_from((*CATEGORIES, "toys", None)),
        ),
        min_size=1,
        max_size=6,
    )


COMMON = {
    "event_id": st.just("e"),
    "event_time_ms": st.just(1),
    "currency": st.just("GBP"),
    "channel": st.sampled_from(CHANNELS),
}
ORDERS = st.lists(
    st.builds(Purchase, lines=lines(OrderLine, st.integers(1, 3) | st.just(10**4)), **COMMON)
    | st.builds(Refund, lines=lines(RefundLine, st.integers(-3, -1)), **COMMON),
    min_size=1,
    max_size=6,
)


def obvious(order: Purchase | Refund, exponent: int) -> tuple[Any, ...]:
    """One order, line by line: the columns of `OrderFacts`."""
    counted, products, discount = [0] * 8, [], 0
    for line in order.lines:
        counted[CATEGORIES.index(line.category) if line.category in CATEGORIES else 7] += 1
    if isinstance(order, Purchase):
        discount = sum(minor_units(line.discount, exponent) for line in order.lines)
        products = sorted({product_hash(line.product_id) for line in order.lines}, reverse=True)[:3]
    amount = sum(line_minor(line, exponent) for line in order.lines)
    units = sum(abs(line.quantity) for line in order.lines)
    channel = CHANNELS.index(order.channel) + 1
    return amount, discount, units, len(order.lines), channel, counted, [*products, 0, 0, 0][:3]


@given(ORDERS, st.sampled_from((0, 2, 3)))
def test_columns_are_what_each_order_says_by_itself(orders: list[Purchase | Refund], exponent: int) -> None:
    found = order_facts(orders, Vocabulary(categories=CATEGORIES), exponent)
    columns = zip(*(column.tolist() for column in vars(found).values()), strict=True)
    assert list(columns) == [obvious(order, exponent) for order in orders]
