import hashlib
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from offline.sources import read_history
from schemas.events import OrderLine, Purchase, Refund, RefundLine
from stream.errors import SourceError

EXAMPLE = Path(__file__).parents[3] / "examples" / "online_retail" / "online_retail_2009-12_2010-12.parquet"
FIRST_SPELLING = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
SECOND_SPELLING = [
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
]  # fmt: skip
MORNING_MS = 1_291_191_960_000  # 2010-12-01 08:26


@pytest.fixture(scope="module")
def year_one():
    return read_history([EXAMPLE], "online_retail", "GBP")


@pytest.fixture
def csv(tmp_path):
    def write(*rows, header=SECOND_SPELLING, name="data.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text("\n".join([",".join(header), *rows]) + "\n", encoding=encoding)
        return path

    return write


def read(*files, columns=None):
    return read_history(files, "online_retail", "GBP", columns)


def test_year_one_has_the_published_counts(year_one):
    summary = year_one.summary
    assert (summary.events, summary.guests, summary.customers, summary.refunds) == (26_692, 3_105, 4_383, 4_592)
    assert year_one.skipped == {"negative_quantity_or_price": 2_124}
    assert (summary.first_ms, summary.last_ms) == (1_259_653_500_000, 1_291_924_860_000)


def test_year_one_is_in_order_of_time_and_then_invoice(year_one):
    keys = [(event.event_time_ms, event.event_id) for event in year_one.events]
    assert keys == sorted(keys)
    assert len({event.event_id for event in year_one.events}) == len(keys)


def test_the_first_invoice_is_read_line_by_line(year_one):
    first = year_one.events[0]
    assert isinstance(first, Purchase)
    assert (first.event_id, first.customer_id, first.currency, first.channel) == ("489434", "13085", "GBP", "online")
    assert len(first.lines) == 8
    assert first.lines[0] == OrderLine(product_id="85048", quantity=12, unit_price="6.95")


def test_the_example_is_the_file_its_readme_describes():
    readme = EXAMPLE.with_name("README.md").read_text()
    assert f"sha256 `{hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()}`" in readme
    assert "CC BY 4.0" in readme
    assert EXAMPLE.stat().st_size < 4_000_000


def test_both_published_spellings_tell_the_same(tmp_path, year_one):
    lines = pd.read_parquet(EXAMPLE).head(20_000)
    lines["Description"], lines["Country"] = "A £5 GIFT", "United Kingdom"
    second = lines[FIRST_SPELLING].set_axis(SECOND_SPELLING, axis=1)
    dates = lines["InvoiceDate"]
    second["InvoiceDate"] = [f"{d.month}/{d.day}/{d.year} {d.hour}:{d.minute:02}" for d in dates]
    second.to_csv(tmp_path / "second.csv", index=False, encoding="latin-1")
    lines[FIRST_SPELLING].to_csv(tmp_path / "first.csv", index=False)
    assert read(tmp_path / "second.csv").events == read(tmp_path / "first.csv").events
    assert read(tmp_path / "second.csv").events[:500] == year_one.events[:500]


def test_an_invoice_is_a_purchase_at_the_time_of_its_first_line(csv):
    history = read(
        csv(
            "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom",
            '536365,71053,"LANTERN, WHITE",6,12/1/2010 8:27,3.39,17850,United Kingdom',
        )
    )
    assert history.events == [
        Purchase(
            event_id="536365",
            customer_id="17850",
            event_time_ms=MORNING_MS,
            currency="GBP",
            lines=[
                OrderLine(product_id="85123A", quantity=6, unit_price="2.55"),
                OrderLine(product_id="71053", quantity=6, unit_price="3.39"),
            ],
        )
    ]


def test_an_invoice_that_begins_with_c_is_a_refund_of_positive_quantities(csv):
    history = read(csv("C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom"))
    refund = history.events[0]
    assert isinstance(refund, Refund)
    assert refund.lines == [RefundLine(product_id="D", quantity=1, unit_price="27.5")]
    assert (refund.customer_id, refund.purchase_id) == ("14527", None)


def test_a_guest_has_no_customer_id(csv):
    assert read(csv("536414,22139,,56,12/1/2010 11:52,0,,United Kingdom")).events[0].customer_id is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("536589,21777,,-10,12/1/2010 16:50,0,,United Kingdom", "negative_quantity_or_price"),
        ("A563186,B,Adjust bad debt,1,12/1/2010 14:51,-11062.06,,United Kingdom", "negative_quantity_or_price"),
        ("536590,21777,,0,12/1/2010 16:50,1,,United Kingdom", "zero_quantity"),
        ("536591,,,1,12/1/2010 16:50,1,,United Kingdom", "no_product"),
        (",21777,,1,12/1/2010 16:50,1,,United Kingdom", "lines_without_order"),
    ],
)
def test_an_invoice_that_is_no_order_is_left_out_and_counted(csv, line, reason):
    kept = "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom"
    history = read(csv(line, kept))
    assert [event.event_id for event in history.events] == ["536365"]
    assert history.skipped == {reason: 1}


def test_a_negative_line_leaves_out_its_whole_invoice(csv):
    history = read(
        csv(
            "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom",
            "536365,71053,LANTERN,-6,12/1/2010 8:26,3.39,17850,United Kingdom",
        )
    )
    assert (list(history.events), history.skipped) == ([], {"negative_quantity_or_price": 1})


def test_files_that_overlap_count_each_invoice_once(csv):
    one = [f"{number},85123A,,{number % 7 + 1},12/1/2010 8:{number % 60},2.55,17850,UK" for number in range(100, 130)]
    first, second = csv(*one[:20], name="a.csv"), csv(*one[10:], name="b.csv")
    both = read(first, second)
    assert both.events == read(csv(*one, name="c.csv")).events == read(second, first).events
    assert both.skipped == {"repeated_order": 10}


def test_of_two_copies_of_an_invoice_the_one_with_more_lines_is_told(csv):
    whole = ["1,A,,1,12/1/2010 8:26,1,5,UK", "1,B,,1,12/1/2010 8:26,1,5,UK"]
    history = read(csv(whole[0], name="cut.csv"), csv(*whole, name="whole.csv"))
    assert [line.product_id for line in history.events[0].lines] == ["A", "B"]


def test_of_two_copies_of_an_invoice_with_as_many_lines_the_earlier_file_s_is_told(csv):
    first, second = (csv(f"1,{product},,1,12/1/2010 8:26,1,5,UK", name=f"{product}.csv") for product in ("B", "A"))
    assert [line.product_id for line in read(first, second).events[0].lines] == ["B"]


def test_two_files_put_together_count_each_invoice_once(csv):
    lines = [f"{number},P{line},,1,12/{number}/2010 8:26,2.55,17850,UK" for number in range(1, 20) for line in range(3)]
    history = read(csv(*lines[:45], *lines[15:]))
    assert history.events == read(csv(*lines, name="once.csv")).events
    assert history.skipped == {"repeated_order": 10}


def test_equal_lines_of_one_invoice_all_count(csv):
    line = "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom"
    assert len(read(csv(line, line)).events[0].lines) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,A,,many,12/1/2010 8:26,1,5,UK", r"data.csv, column 'Quantity', row 2: 'many' is not a whole number"),
        ("1,A,,1.5,12/1/2010 8:26,1,5,UK", r"row 2: '1.5' is not a whole number"),
        ("1,A,,1,12/1/2010 8:26,free,5,UK", r"column 'UnitPrice', row 2: 'free' is not a decimal number"),
        ("1,A,,1,12/1/2010 8:26,nan,5,UK", r"row 2: 'nan' is not a finite number"),
        ("1,A,,1,31/12/2010 8:26,1,5,UK", r"column 'InvoiceDate', row 2: '31/12/2010 8:26' is not a time"),
        ("1,A,,1,,1,5,UK", r"column 'InvoiceDate', row 2: '' is not a time"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_its_row(csv, line, message):
    with pytest.raises(SourceError, match=message):
        read(csv("2,A,,1,12/1/2010 8:26,1,5,UK", line))


def test_a_file_of_another_kind_is_told_apart(csv, tmp_path):
    with pytest.raises(SourceError, match=r"data.csv has no column Invoice or InvoiceNo, no StockCode.* It has: a, b"):
        read(csv("1,2", header=["a", "b"]))
    with pytest.raises(SourceError, match=r"It has: a\\x1b\[2J\..* for example --columns order_id=MyColumn"):
        read(csv("1", header=["a\x1b[2J"]))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(SourceError, match="It has: nothing, it is empty"):
        read(tmp_path / "empty.csv")
    with pytest.raises(SourceError, match="is not a file"):
        read(tmp_path / "absent.csv")
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(SourceError, match=r"x.parquet cannot be read as Parquet"):
        read(tmp_path / "x.parquet")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(SourceError, match=r"'\*.json' is not known"):
        read(tmp_path / "x.json")
    with pytest.raises(SourceError, match=r"x.csv cannot be read as CSV"):
        read(csv("1,2,3", "1", name="x.csv"))


@pytest.mark.skipif(find_spec("openpyxl") is not None, reason="openpyxl is installed here")
def test_xlsx_without_openpyxl_says_what_to_do(tmp_path):
    (tmp_path / "x.xlsx").write_bytes(b"")
    with pytest.raises(SourceError, match="pip install openpyxl"):
        read(tmp_path / "x.xlsx")


def test_columns_can_be_named_otherwise(csv):
    header = ["Beleg", *SECOND_SPELLING[1:]]
    path = csv("1,A,,1,12/1/2010 8:26,1,5,UK", header=header)
    assert read(path, columns={"order_id": "Beleg"}).events[0].event_id == "1"
    with pytest.raises(SourceError, match="has no column 'Nummer'"):
        read(path, columns={"order_id": "Nummer"})


def test_another_reporting_currency_is_refused():
    with pytest.raises(SourceError, match="Set EBB_CURRENCY=GBP"):
        read_history([EXAMPLE], "online_retail", "EUR")


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(SourceError, match="online_retail, cdnow, generic"):
        read_history([EXAMPLE], "shopify", "GBP")


def test_a_file_without_lines_is_an_empty_history(csv):
    history = read(csv())
    assert (list(history.events), dict(history.skipped)) == ([], {})
