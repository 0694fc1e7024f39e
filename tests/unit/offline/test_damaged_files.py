"""Files that are damaged, or not what they seem, end in a sentence with what, where and what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from ebb.cli.features import features

HEADER = "order_id,customer_id,event_time,product_id,quantity,unit_price"
TIME = "2024-03-01 08:00"


def run(*arguments: str | Path) -> tuple[int, str]:
    finished = CliRunner().invoke(features, [*map(str, arguments), "--at", "2024-03-15"])
    return finished.exit_code, finished.output


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    def of_content(content: bytes, ending: str = "csv", *options: str) -> tuple[int, str]:
        path = tmp_path / f"orders.{ending}"
        path.write_bytes(content)
        return run(path, "--source", "generic", "--out", tmp_path / "out.parquet", *options)

    return of_content


def csv(line: str, encoding: str = "utf-8") -> bytes:
    return f"{HEADER}\n{line}\n".encode(encoding)


def parquet(**changes: Any) -> bytes:
    row = {"order_id": "1", "customer_id": "ada", "event_time": TIME, "product_id": "tea"}
    frame = pd.DataFrame({**row, "quantity": 2, "unit_price": 4.9, **changes}, index=[0])
    content: bytes = frame.to_parquet()
    return content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (csv(f"1,ada,{TIME},tea,2,4.90", "utf-16"), "orders.csv cannot be read as CSV: it is UTF-16. Save it as UTF-8"),
        (
            b"\xef\xbb\xbf" + csv(f"1,caf\xe9,{TIME},tea,2,4.90", "latin-1"),
            "orders.csv cannot be read as CSV: it begins as UTF-8, but: ",
        ),
        (f'"{"x" * 200_000}"'.encode(), "orders.csv cannot be read as CSV: field larger than field limit"),
        (csv(f"1,ada,{TIME},tea,2,1e999999999"), "row 1: '1e999999999' is not a decimal number such as 12.50"),
        (csv(f"1,ada,{TIME},tea,1e999999999,4.90"), "row 1: '1e999999999' is not a whole number"),
    ],
)
def test_a_csv(told: Callable[..., tuple[int, str]], content: bytes, said: str) -> None:
    code, output = told(content)
    assert (code, said in output) == (1, True), output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            parquet(customer_id=[["ada"]]),
            "column 'customer_id' holds list<element: string>. Write one value in each row",
        ),
        (parquet(customer_id=[{"id": "ada"}]), "column 'customer_id' holds struct<id: string>. Write one value in"),
        (parquet()[:20] + bytes(40) + parquet()[60:], "orders.parquet cannot be read as Parquet: "),
    ],
)
def test_a_parquet_file(told: Callable[..., tuple[int, str]], content: bytes, said: str) -> None:
    code, output = told(content, "parquet")
    assert (code, said in output) == (1, True), output


def test_one_column_may_be_two_of_ours(told: Callable[..., tuple[int, str]]) -> None:
    line = f"{HEADER.replace(',product_id', '')}\n1,ada,{TIME},2,4.90\n"
    code, output = told(line.encode(), "csv", "--columns", "order_id=customer_id,product_id=customer_id")
    assert (code, "1 rows" in output) == (0, True), output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (parquet(), "it has not the columns sent_ms, topic, value of a simulated shop"),
        (parquet(sent_ms=1, topic="purchases", value=1), "it has not the columns sent_ms, topic, value"),
        (b"events", "events.parquet cannot be read: "),
    ],
)
def test_a_folder_that_has_events_and_is_no_simulated_shop(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "events.parquet").write_bytes(content)
    code, output = run(tmp_path / "shop", "--out", tmp_path / "out.parquet")
    assert (code, said in output, "Write it again with ebb simulate" in output) == (1, True, True), output
