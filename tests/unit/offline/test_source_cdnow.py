"""CDNOW's text file: one order per customer and day."""

from pathlib import Path

import pytest

from offline.sources import read_history
from schemas.units import DAY_MS
from stream.errors import SourceError

MASTER = """ customer_id  date number_of_cds  dollar_value
 00001 19970101  1   11.77
 00002 19970112  1   12.00
 00002 19970112  5   77.00
 00003 19970102  2    0.00
"""


def test_what_a_customer_buys_on_a_day_is_one_order(tmp_path: Path) -> None:
    (tmp_path / "master.txt").write_text(MASTER.replace("\n", "\r\n"))
    history = read_history([tmp_path / "master.txt"], "cdnow", "USD")
    first_day = history.events[0].event_time_ms // DAY_MS
    prices = [[str(line.unit_price) for line in event.lines] for event in history.events]
    assert prices == [["11.77"], ["0"], ["12", "77"]]
    assert [(event.event_id, event.event_time_ms / DAY_MS - first_day) for event in history.events] == [
        ("00001-19970101", 0.5),
        ("00003-19970102", 1.5),
        ("00002-19970112", 11.5),
    ]
    assert (first_day, [event.customer_id for event in history.events]) == (9_862, ["00001", "00003", "00002"])


def test_other_files_and_currencies_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("a b\n1 2\n")
    with pytest.raises(SourceError, match=r"other\.txt has no column customer_id"):
        read_history([tmp_path / "other.txt"], "cdnow", "USD")
    with pytest.raises(SourceError, match="EBB_CURRENCY=USD"):
        read_history([tmp_path / "other.txt"], "cdnow", "GBP")
