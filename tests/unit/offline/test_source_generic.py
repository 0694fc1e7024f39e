from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from offline.sources import read_history
from schemas.events import OrderLine, Purchase, Refund, RefundLine
from stream.errors import SourceError

HEADER = "order_id,customer_id,event_time,product_id,quantity,unit_price"
MORNING_MS = 1_709_280_000_000  # 2024-03-01 08:00


@pytest.fixture
def read(tmp_path):
    def from_text(*rows, header=HEADER, columns=None):
        path = tmp_path / "orders.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return read_history([path], "generic", "EUR", columns)

    return from_text


def test_six_columns_are_enough(read):
    history = read("o1,ada,2024-03-01T08:00:00Z,tea,2,4.90", "o1,ada,2024-03-01T08:00:00Z,pot,1,30")
    assert history.events == [
        Purchase(
            event_id="o1",
            customer_id="ada",
            event_time_ms=MORNING_MS,
            currency="EUR",
            lines=[
                OrderLine(product_id="tea", quantity=2, unit_price="4.9"),
                OrderLine(product_id="pot", quantity=1, unit_price="30"),
            ],
        )
    ]


def test_the_optional_columns_arrive(read):
    header = f"{HEADER},discount,category,channel,currency,kind"
    history = read("o1,,2024-03-01 08:00,tea,2,4.90,0.50,drinks,In_Store,USD,purchase", header=header)
    assert history.events == [
        Purchase(
            event_id="o1",
            event_time_ms=MORNING_MS,
            currency="USD",
            channel="in_store",
            lines=[OrderLine(product_id="tea", quantity=2, unit_price="4.9", discount="0.5", category="drinks")],
        )
    ]


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_refund_has_a_kind_and_either_sign(read, sign):
    history = read(f"r1,ada,{MORNING_MS},tea,{sign}2,4.90,refund", header=f"{HEADER},kind")
    refund = history.events[0]
    assert isinstance(refund, Refund)
    assert refund.event_time_ms == MORNING_MS
    assert refund.lines == [RefundLine(product_id="tea", quantity=2, unit_price="4.9")]


def test_refund_rows_of_a_purchase_become_a_refund_of_it(read):
    history = read(
        "o1,ada,2024-03-01 08:00,tea,2,4.90,purchase",
        "o1,ada,2024-03-05 08:00,tea,1,4.90,refund",
        header=f"{HEADER},kind",
    )
    purchase, refund = history.events
    assert (purchase.event_id, refund.event_id, refund.purchase_id) == ("o1", "o1:refund", "o1")


@pytest.mark.parametrize(
    "time",
    [
        "2024-03-01T08:00:00+00:00",
        "2024-03-01T10:00:00+02:00",
        "2024-03-01 08:00:00.000",
        "2024-03-01 08:00:00 UTC",
        "1709280000000",
    ],
)
def test_times_are_iso_with_or_without_zone_or_milliseconds(read, time):
    assert read(f"o1,ada,{time},tea,2,4.90").events[0].event_time_ms == MORNING_MS


def test_orders_that_are_none_are_left_out_and_counted(read):
    history = read(
        "o1,ada,2024-03-01,tea,-2,4.90,",
        "o2,ada,2024-03-01,tea,2,4.90,-1",
        "o3,ada,2024-03-01,tea,2,4.90,",
        "o3,bob,2024-03-01,tea,2,4.90,",
        "o4,ada,2024-03-01,tea,2,4.90,",
        header=f"{HEADER},discount",
    )
    assert [event.event_id for event in history.events] == ["o4"]
    assert history.skipped == {"negative_quantity_or_price": 1, "negative_discount": 1, "several_customers": 1}


@pytest.mark.parametrize(
    ("column", "value", "known"),
    [("channel", "phone", "online, in_store, app"), ("kind", "return", "purchase, refund")],
)
def test_an_unknown_channel_or_kind_is_named_with_its_row(read, column, value, known):
    with pytest.raises(SourceError, match=f"column '{column}', row 1: '{value}' is none of {known}"):
        read(f"o1,ada,2024-03-01,tea,2,4.90,{value}", header=f"{HEADER},{column}")


def test_columns_are_mapped_and_semicolons_separate(read):
    history = read(
        "9;7;2024-03-01;tea;2;4.90",
        header="Order No;Client;When;Item;Qty;Price",
        columns={
            "order_id": "Order No",
            "customer_id": "Client",
            "event_time": "When",
            "product_id": "Item",
            "quantity": "Qty",
            "unit_price": "Price",
        },
    )
    assert (history.events[0].event_id, history.events[0].customer_id) == ("9", "7")


def test_parquet_with_typed_columns_tells_the_same_as_text(tmp_path, read):
    rows = pd.DataFrame(
        {
            "order_id": [1, 2],
            "customer_id": [17850.0, None],
            "event_time": [datetime(2024, 3, 1, 8, tzinfo=UTC), datetime(2024, 3, 1, 9, tzinfo=UTC)],
            "product_id": [7, 8],
            "quantity": [1, 2],
            "unit_price": [0.1 + 0.2, 1.10],
        }
    )
    rows.to_parquet(tmp_path / "orders.parquet")
    typed = read_history([tmp_path / "orders.parquet"], "generic", "EUR")
    assert typed.events == read("1,17850,2024-03-01 08:00,7,1,0.3", "2,,2024-03-01 09:00,8,2,1.1").events


def test_bytes_of_parquet_are_the_text_they_spell(tmp_path, read):
    row = dict(zip(HEADER.split(","), [b"o1", b"ada", b"2024-03-01 08:00", b"tea", b"2", b"4.90"], strict=True))
    pd.DataFrame([row]).to_parquet(tmp_path / "orders.parquet")
    events = read_history([tmp_path / "orders.parquet"], "generic", "EUR").events
    assert events == read("o1,ada,2024-03-01 08:00,tea,2,4.90").events


@pytest.mark.parametrize("column", ["quantity", "event_time"])
def test_a_number_that_64_bits_do_not_hold_is_named_with_its_row(tmp_path, column):
    row = dict(zip(HEADER.split(","), ["o1", "ada", MORNING_MS, "tea", 2, 4.90], strict=True))
    lines = pd.DataFrame([row, row]).astype({column: "uint64"})
    lines.loc[1, column] = np.uint64(2**64 - 2)
    lines.to_parquet(tmp_path / "orders.parquet")
    with pytest.raises(SourceError, match=f"orders.parquet, column '{column}', row 2: '18446744073709551614' is not a"):
        read_history([tmp_path / "orders.parquet"], "generic", "EUR")


def test_the_example_of_the_documentation_is_read_as_it_says(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "your-own-data.md").read_text()
    (tmp_path / "orders.csv").write_text(page.split("```csv\n")[1].split("```")[0])
    history = read_history([tmp_path / "orders.csv"], "generic", "EUR")
    assert [(event.event_id, event.customer_id, len(event.lines)) for event in history.events] == [
        ("1001", "ada", 2),
        ("1002", None, 1),
        ("1001:refund", "ada", 1),
    ]
