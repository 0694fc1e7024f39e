"""What columns say of order lines is what each order says as a record: good ones, and what no worker would take."""

from typing import Any
from unittest.mock import patch

import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from offline.columns.orders import sure_orders
from offline.features import histories
from offline.features.batches import Reading
from offline.features.histories import of_orders
from offline.sources.order_columns import order_columns
from offline.sources.orders import history_of, usable
from offline.verify import accepted, counting
from schemas.decode import DecodeRules
from stream.features.facts_of_events import facts_of
from tests.unit.features.histories import START_MS, VOCABULARY

RULES = DecodeRules(currency="GBP", max_bytes=4_000)
RECEIVED_MS, PARTITIONS = START_MS + 10**9, 3
LATEST_MS = RECEIVED_MS + RULES.latest_lead_ms

GOOD = {
    "file": st.just(0),
    "event_id": st.sampled_from(["o1", "o2", "o3", "o4", "C5", "o6:refund"]),
    "refund": st.booleans(),
    "customer_id": st.sampled_from(["ada", "bob", ""]),
    "time_ms": st.integers(START_MS, START_MS + 5),
    "product_id": st.sampled_from(["a", "b", "c", "d", "85048"]),
    "quantity": st.integers(1, 30),
    "unit_price": st.sampled_from(["0", "0.005", "12.5", "7", "0.015"]),
    "discount": st.sampled_from(["0", "0.005", "0.0"]),
    "category": st.sampled_from(["", "garden", "toys"]),
    "channel": st.sampled_from(["online", "app"]),
    "currency": st.just("GBP"),
    "purchase_id": st.sampled_from(["", "o6"]),
}
ODD: dict[str, list[Any]] = {
    "event_id": ["", "Ü1", 'o"7', "x" * 129, "o1"],
    "customer_id": ["Zoë", "a\\b", "tab\t", "x" * 128, "x" * 129],
    "time_ms": [1, LATEST_MS, LATEST_MS + 1],
    "product_id": ["", "Ü", "x" * 129, "a b"],
    "quantity": [0, -1, 10**9, 10**9 + 1, -(2**62)],
    "unit_price": ["-1", "999999999999999.999999999", "1000000000000000", "abc", "", "1e3", "999999999"],
    "discount": ["-1", "1000", "abc"],
    "category": ["Gärten", "x" * 129],
    "channel": ["in_store", "fax"],
    "currency": ["USD", ""],
    "purchase_id": ["Ü", "x" * 129],
}


@st.composite
def order_lines(draw: Any) -> pd.DataFrame:
    """A line table in which some values are odd."""
    rows = draw(st.lists(st.fixed_dictionaries(GOOD), min_size=1, max_size=25))
    for _ in range(draw(st.integers(0, 3))):
        row, column = draw(st.integers(0, len(rows) - 1)), draw(st.sampled_from(list(ODD)))
        rows[row][column] = draw(st.sampled_from(ODD[column]))
    if draw(st.booleans()):  # as a rule an order has one customer
        of_order = {row["event_id"]: row["customer_id"] for row in rows}
        rows = [{**row, "customer_id": of_order[row["event_id"]]} for row in rows]
    return pd.DataFrame(rows)


def by_events(lines: pd.DataFrame) -> tuple[list[Any], int, int]:
    """(customer and facts of each event, rejected, repeats): each order an object, written and read as a record."""
    taken = accepted(history_of(lines), PARTITIONS, RULES, RECEIVED_MS)
    counted = counting(taken.events, {})
    facts = facts_of([event for event, _ in counted], [0] * len(counted), VOCABULARY)
    return told(facts, [customer for _, customer in counted]), taken.rejected, taken.duplicates


def by_columns(lines: pd.DataFrame) -> tuple[list[Any], int, int]:
    reading = Reading(RULES, PARTITIONS, RECEIVED_MS, VOCABULARY)
    found = []
    for batch in of_orders(order_columns(usable(lines)[0]), reading):
        found += told(batch.facts, [batch.customers[row] for row in batch.facts.row.tolist()])
    return found, reading.rejected.count, reading.duplicates


def told(facts: Any, customers: list[str]) -> list[Any]:
    columns = [column.tolist() for name, column in vars(facts).items() if name != "row"]
    return list(zip(customers, *columns, strict=True))


@given(order_lines(), st.sampled_from([2, 5, histories.AT_ONCE]))
@example(pd.DataFrame([dict.fromkeys(GOOD, "x") | {"event_id": "", "refund": False, "quantity": 1, "time_ms": 1}]), 2)
def test_columns_say_of_orders_what_each_says_by_itself_however_many_are_read_at_once(
    lines: pd.DataFrame, at_once: int
) -> None:
    with patch.object(histories, "AT_ONCE", at_once):
        assert by_columns(lines) == by_events(lines)


def test_typical_orders_are_taken_without_an_object_for_each() -> None:
    rows = [
        {
            "file": 0, "event_id": f"o{n // 3}", "refund": False, "customer_id": f"c{n // 9}", "time_ms": START_MS + n,
            "product_id": f"p{n}", "quantity": n + 1, "unit_price": "2.55", "discount": "0.5", "category": "garden",
            "channel": "app", "currency": "GBP", "purchase_id": "",
        }
        for n in range(30)
    ]  # fmt: skip
    orders = order_columns(pd.DataFrame(rows))
    assert (len(orders), sure_orders(orders, RULES, RECEIVED_MS).all()) == (10, True)
