"""`ebb offline features` from files, from an archive and from a simulated shop."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ebb.cli.features import INSTANTS_AT_MOST, features, instants
from ebb.cli.simulate import simulate
from offline.archive.records import ArchivedRecord
from offline.archive.writing import LogArchive
from offline.days import midnight_ms
from offline.features.archived import of_archive
from offline.features.batches import Reading
from schemas.decode import DecodeRules
from schemas.origin import Origin, headers_of
from schemas.partition import partition_of
from schemas.topics import PROFILES, PURCHASES, REROUTED
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from tests.shop_of_partitions import erasure, merge
from tests.world import BEGIN_MS, purchase

AT = "2010-01-31"  # 40 days after the beginning
LATER_MS = BEGIN_MS + 10**10


def run(out: Path, *arguments: str | Path) -> dict[str, Any]:
    given = [*map(str, arguments), "--out", str(out), "--json"]
    finished = CliRunner().invoke(features, given, env={"EBB_PARTITIONS": "2"})
    assert finished.exit_code == 0, finished.output
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def rows(path: Path) -> dict[tuple[int, str], tuple[float, ...]]:
    """(instant, customer) -> columns."""
    table = pq.read_table(path)
    assert table.schema.names == ["at", "customer_id", *MODEL_COLUMNS]
    assert (table.schema.metadata or {})[b"ebb.layout"] == LAYOUT.encode()
    at = table["at"].cast("int64").to_pylist()
    values = zip(*(table[name].to_pylist() for name in MODEL_COLUMNS), strict=True)
    return dict(zip(zip(at, table["customer_id"].to_pylist(), strict=True), values, strict=True))


class Archive:
    """Logs of two partitions, written by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logs: dict[tuple[str, int], list[ArchivedRecord]] = {}

    def write(self, topic: str, value: dict[str, Any], partition: int | None = None, headers: Any = ()) -> Origin:
        number = partition_of(value["customer_id"], 2) if partition is None else partition
        log = self._logs.setdefault((topic, number), [])
        log.append(ArchivedRecord(len(log), LATER_MS, b"key", msgspec.json.encode(value), headers))
        return Origin(topic, number, len(log) - 1, LATER_MS)

    def close(self) -> Path:
        for (topic, partition), records in self._logs.items():
            log = LogArchive(self.folder, topic, partition)
            log.add(records[log.position :])
            log.flush()
        return self.folder


def test_an_archive_has_the_features_of_its_events_each_once_and_of_nobody_who_is_gone(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    orders = [purchase(f"customer-{n % 7}", n + 0.3, event_id=f"order-{n}", price=f"{n + 1}.50") for n in range(30)]
    for order in orders:
        archive.write(PURCHASES, order)
    archive.write(PURCHASES, orders[12])  # a repeat
    stray = purchase("customer-3", 31, event_id="stray")
    away = 1 - partition_of("customer-3", 2)
    origin = archive.write(PURCHASES, stray, partition=away)
    archive.write(PURCHASES, stray, partition=away)  # a repeat, which nobody has sent on
    archive.write(REROUTED, stray, headers=[(name, text.encode()) for name, text in headers_of(origin).items()])
    archive.write(PROFILES, erasure("customer-5", 32, event_id="erasure"))
    archive.write(PROFILES, merge("customer-6", "customer-1", 33, event_id="merge"))

    lines = ["order_id,customer_id,event_time,product_id,quantity,unit_price"]
    for order in [*orders, stray]:
        customer = {"customer-6": "customer-1"}.get(order["customer_id"], order["customer_id"])
        if customer != "customer-5":
            (line,) = order["lines"]
            time = datetime.fromtimestamp(order["event_time_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
            lines.append(f"{order['event_id']},{customer},{time},{line['product_id']},2,{line['unit_price']}")
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")

    asked = ["--at", "2009-12-25", "--every", "7d", "--until", AT]
    summary = run(tmp_path / "archive.parquet", archive.close(), *asked)
    again = run(tmp_path / "files.parquet", tmp_path / "orders.csv", "--source", "generic", *asked)
    assert (summary["duplicates"], summary["rejected"], summary["late_rows"]) == (2, 0, 0)
    assert (summary["events"], summary["rows"]) == (again["events"], again["rows"])
    found, expected = rows(tmp_path / "archive.parquet"), rows(tmp_path / "files.parquet")
    assert found.keys() == expected.keys()
    assert {customer for _, customer in found} == {f"customer-{n}" for n in (0, 1, 2, 3, 4)}
    for place, columns in expected.items():
        assert found[place] == pytest.approx(columns, rel=1e-6)


def test_what_is_archived_while_an_archive_is_read_counts_not_at_all_rather_than_twice(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.write(PURCHASES, purchase("ada", 1, event_id="first"))
    for partition in (0, 1):
        archive.write(REROUTED, purchase("zoe", 1, event_id=f"sent on {partition}"), partition=partition)
    batches = of_archive(archive.close(), Reading(DecodeRules(currency="GBP"), 2, LATER_MS))
    counted = len(next(batches).facts)
    stray = purchase("ada", 2, event_id="stray")
    origin = archive.write(PURCHASES, stray, partition=1 - partition_of("ada", 2))
    archive.write(REROUTED, stray, headers=[(name, text.encode()) for name, text in headers_of(origin).items()])
    archive.close()
    assert counted + sum(len(batch.facts) for batch in batches) == 3


def test_a_simulated_shop_has_repeats_left_out_and_late_events_counted(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shop = ["--customers", "300", "--days", "60", "--late", "0.1", "--parquet", str(folder), "--start", "2009-12-01"]
    assert CliRunner().invoke(simulate, shop).exit_code == 0
    asked = ["--at", "2010-01-01", "--every", "3d", "--until", "2010-01-28"]
    summary = run(tmp_path / "a.parquet", folder, *asked, "--row-group", "100")
    assert summary["rows"] == len(rows(tmp_path / "a.parquet")) > 1_000
    assert summary["duplicates"] > 0
    assert summary["late_events"] >= summary["late_rows"] > 0
    assert pq.read_metadata(tmp_path / "a.parquet").num_row_groups > 5
    spilled = run(tmp_path / "b.parquet", folder, *asked, "--memory-mb", "1")
    assert rows(tmp_path / "b.parquet") == rows(tmp_path / "a.parquet")
    assert spilled["late_rows"] == summary["late_rows"]


def test_what_is_no_history_is_refused_with_what_is_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / "empty"), "--at", AT, "--out", str(tmp_path / "out.parquet")]
    finished = CliRunner().invoke(features, given)
    assert finished.exit_code == 1
    assert "is no folder of `ebb archive` or `ebb simulate --parquet`" in finished.output
    unclear = CliRunner().invoke(features, [*given, "--every", "week", "--until", AT])
    assert (unclear.exit_code, "--every week: write a number of days such as 7d" in unclear.output) == (2, True)
    alone = CliRunner().invoke(features, [*given, "--until", AT])
    assert (alone.exit_code, "--every and --until go together" in alone.output) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_where_nothing_can_be_written_is_told_before_the_history_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out, why in (
        (tmp_path, "it is a folder"),
        (Path("/"), "it is a folder"),
        (tmp_path / "file" / "out.parquet", f"{tmp_path}/file is no folder"),
        (tmp_path / ("long" * 75), "File name too long"),
        (tmp_path / ("l" * 250), "File name too long"),  # with what is appended while it is written
    ):
        finished = CliRunner().invoke(features, ["no history", "--at", AT, "--out", str(out)])
        assert (finished.exit_code, f"cannot be written: {why}" in finished.output) == (1, True)


@pytest.mark.parametrize("out", ["orders.csv", "new/../orders.csv", "link.csv", "archive/new/out.parquet"])
def test_no_file_is_written_over_the_history_or_into_it(tmp_path: Path, out: str) -> None:
    orders, archive = tmp_path / "orders.csv", tmp_path / "archive"
    orders.write_text("order_id,customer_id,event_time,product_id,quantity,unit_price\n1,ada,2010-01-05,tea,1,4.90\n")
    (tmp_path / "link.csv").symlink_to(orders)
    archive.mkdir()
    given = [str(orders), str(archive), "--source", "generic", "--at", AT, "--out", str(tmp_path / out)]
    finished = CliRunner().invoke(features, given)
    assert (finished.exit_code, "it is part of the history. Choose another --out" in finished.output) == (1, True)
    assert orders.read_text().startswith("order_id")
    assert not list(archive.iterdir())


def test_a_history_without_customers_or_active_ones_leaves_no_file_and_says_when_it_is(tmp_path: Path) -> None:
    orders, out = tmp_path / "orders.csv", tmp_path / "new" / "out.parquet"
    header = "order_id,customer_id,event_time,product_id,quantity,unit_price\n"
    orders.write_text(f"{header}1,,2010-01-05,tea,1,4.90\n")
    given = [str(orders), "--source", "generic", "--at", AT, "--out", str(out)]
    guests = CliRunner().invoke(features, given)
    assert (guests.exit_code, "no event of a customer" in guests.output) == (1, True)
    orders.write_text(f"{header}1,ada,2009-01-05,tea,1,4.90\n2,ada,2009-01-07,tea,1,4.90\n")
    silent = CliRunner().invoke(features, given)
    assert (silent.exit_code, "goes from 2009-01-05 to 2009-01-07. Choose another --at" in silent.output) == (1, True)
    assert not out.parent.exists()
    orders.write_text(f"{header}1,ada,2010-01-05,tea,1,4.90\n")
    found = CliRunner().invoke(features, given)
    assert (found.exit_code, "1 rows, 1 instant, 1 customers" in found.output) == (0, True)
    assert len(rows(out)) == 1


def test_more_instants_than_anybody_means_are_counted_and_refused_before_anything_is_read(tmp_path: Path) -> None:
    given = [str(tmp_path / "nowhere.csv"), "--source", "generic", "--out", str(tmp_path / "f.parquet")]
    far = CliRunner().invoke(features, [*given, "--at", "2010-01-01", "--every", "1d", "--until", "9999-12-31"])
    assert far.exit_code == 2
    said = " ".join(far.output.split())
    assert "--every 1d from 2010-01-01 until 9999-12-31 is 2,918,287 instants, and at most 10,000 are written" in said
    assert "--every 292d or more" in said
    assert len(instants(midnight_ms(date(2010, 1, 1)), "292d", midnight_ms(date(9999, 12, 31)))) <= INSTANTS_AT_MOST
