"""`ebb offline segments` on a shop of three kinds of customers."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ebb.cli.histories import history_given
from ebb.cli.offline_segments import segments
from offline.backtest.rows import FloatArray
from offline.days import midnight_ms
from offline.segments.find import Customers, customers_of, find
from stream.customers.segments import SEGMENTS
from stream.errors import OfflineError
from stream.features.columns import SEGMENT_COLUMNS
from stream.features.layout import LAYOUT
from stream.scoring.documents import SegmentDocument, decode
from stream.settings.load import load_offline_settings
from tests.integration.retail import file_until

pytest.importorskip("sklearn")
BEGIN = datetime(2010, 1, 1, 12, tzinfo=UTC)
KINDS = {"great": (range(0, 360, 12), 90.0), "gone": (range(10, 230, 40), 40.0), "new": (range(345, 358, 12), 15.0)}
"""Kind -> the days it buys on, and for how much."""


def shop(path: Path, dearer: int = 1) -> Path:
    drawn, lines = np.random.default_rng(2), ["order_id,customer_id,event_time,product_id,quantity,unit_price"]
    for kind, (days, price) in KINDS.items():
        for customer in range(60):
            for order, day in enumerate(days):
                time = BEGIN + timedelta(days=day + int(drawn.integers(0, 6)))
                paid = dearer * price * drawn.uniform(0.8, 1.25)
                lines.append(f"{kind}-{customer}-{order},{kind}-{customer},{time:%Y-%m-%d %H:%M:%S},p,1,{paid:.2f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def run(path: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(segments, [str(path), "--source", "generic", "--out", str(out), "--json", *options])


def test_customers_of_three_kinds_come_to_three_named_clusters_that_would_come_again(tmp_path: Path) -> None:
    finished = run(shop(tmp_path / "orders.csv"), tmp_path / "run")
    assert finished.exit_code == 0, finished.output
    found = json.loads(finished.stdout)
    assert found["votes"]["silhouette"] == found["votes"]["davies_bouldin"] == 3
    assert [cluster["customers"] for cluster in found["clusters"]] == [60, 60, 60]
    named = {cluster["name"]: cluster for cluster in found["clusters"]}
    assert set(named) <= set(SEGMENTS[1:])
    assert named["New Customers"]["tenure_days"] < 30
    assert named["Champions"]["purchase_days"] > 25
    assert found["stability"] > 0.95
    assert found["ward_agreement"] > 0.95
    document = decode((tmp_path / "run" / "models" / "segments.json").read_bytes(), LAYOUT)
    assert isinstance(document, SegmentDocument)
    assert (len(document.centres), document.columns, document.samples) == (3, SEGMENT_COLUMNS, 180)
    assert json.loads((tmp_path / "run" / "run.json").read_bytes())["data_hash"][:8] in document.version
    assert "<svg" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_page_and_screen_number_clusters_alike_and_name_the_currency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBB_CURRENCY", "CHF")
    options = ["--source", "generic", "--out", str(tmp_path / "run"), "--clusters", "5"]
    finished = CliRunner().invoke(segments, [str(shop(tmp_path / "orders.csv")), *options])
    assert finished.exit_code == 0, finished.output
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    numbered = re.findall(r"<tr><td>(\d: [\w' ]+)</td>", page)
    assert [title[:3] for title in numbered] == ["1: ", "2: ", "3: ", "4: ", "5: "]
    assert re.findall(r"^(\d: [\w' ]+?)  ", finished.stdout, re.MULTILINE) == numbered
    for title in ("Silence and spend", "Age and spend"):
        plot = next(each for each in page.split("<svg")[1:] if title in each)
        assert re.findall(r">(\d: [\w' ]+)</text>", plot) == numbered
        assert ">spend of a year, CHF</text>" in plot
    assert "<th>spend of a year, CHF</th>" in page
    assert "spend, CHF" in finished.stdout


def test_spend_of_billions_keeps_its_distance_on_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBB_CURRENCY", "VND")
    options = ["--source", "generic", "--out", str(tmp_path / "run"), "--clusters", "3"]
    finished = CliRunner().invoke(segments, [str(shop(tmp_path / "orders.csv", 10_000_000)), *options])
    assert finished.exit_code == 0, finished.output
    head, *rows = finished.stdout.splitlines()[2:6]
    assert [len(re.split("  +", row)) for row in (head, *rows)] == [6, 6, 6, 6]
    assert {len(row) for row in rows} == {len(head)}
    assert max(int(re.split("  +", row)[4].replace(",", "")) for row in rows) > 10**10


@pytest.mark.parametrize("sizes", [(20, 90, 40), (90, 40, 20), (40, 20, 90)])
def test_a_customer_is_drawn_in_the_cluster_that_the_table_numbers(sizes: tuple[int, ...]) -> None:
    matrix = np.repeat([[1.0] * 4, [3.0] * 4, [5.0] * 4], sizes, axis=0)
    matrix += np.random.default_rng(4).normal(0, 0.01, matrix.shape)
    finding = find(Customers(14_600, [str(number) for number in range(150)], matrix), 3, "GBP", None)
    assert [cluster.customers for cluster in finding.found.clusters] == [90, 40, 20]
    assert np.bincount(finding.cluster).tolist() == [90, 40, 20]


def test_too_few_customers_or_all_alike_end_with_a_sentence(tmp_path: Path) -> None:
    finished = run(shop(tmp_path / "orders.csv"), tmp_path / "run", "--at", "2010-01-05")
    assert (finished.exit_code, "Traceback" in finished.output) == (1, False)
    assert "had bought within 180 days before 2010-01-05: segments take 100 customers" in finished.output
    assert not (tmp_path / "run").exists()
    matrix = np.repeat(np.eye(4), 50, axis=0)
    few = Customers(14_600, [str(number) for number in range(200)], matrix)
    with pytest.raises(OfflineError, match="4 different customers make no 6 clusters"):
        find(few, 6, "GBP", None)


CORNERS = 4.0 * np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0]])


def planted(kinds: int) -> Customers:
    """Five hundred customers or so around some corners, far apart for how wide they lie around each."""
    matrix = np.repeat(CORNERS[:kinds], 500 // kinds, axis=0)
    return numbered(matrix + np.random.default_rng(5).normal(0, 0.7, matrix.shape))


def numbered(matrix: FloatArray) -> Customers:
    return Customers(14_600, [str(number) for number in range(len(matrix))], matrix)


@pytest.mark.parametrize("kinds", [3, 4, 6])
def test_as_many_clusters_are_found_as_there_are(kinds: int) -> None:
    votes = find(planted(kinds), None, "GBP", None).found.votes
    assert votes is not None
    assert (votes.chosen, votes.silhouette, votes.davies_bouldin) == (kinds,) * 3


def of_the_example(folder: Path) -> Customers:
    """Of Online Retail, those of its first nine weeks."""
    file, midnight = file_until("2010-02-02", folder), np.array([midnight_ms(date(2010, 2, 1))], np.int64)
    named = {"history": (file,), "source": "online_retail", "columns": "", "from_kafka": False, "memory_mb": 500}
    with history_given(load_offline_settings({}), named) as given:
        return customers_of(given.batches, midnight, given.folder, given.memory_bytes, None)


def test_whoever_comes_first_there_are_as_many_clusters_at_the_same_places(tmp_path: Path) -> None:
    customers = of_the_example(tmp_path)
    order = np.random.default_rng(1).permutation(len(customers.matrix))
    shuffled = replace(customers, matrix=customers.matrix[order])
    found, again = (find(each, None, "GBP", None) for each in (customers, shuffled))
    assert found.found == again.found
    assert found.document.centres == again.document.centres
    assert found.cluster[order].tolist() == again.cluster.tolist()
    without = replace(customers, matrix=np.delete(customers.matrix, order[: len(order) // 20], axis=0))
    fewer = find(without, None, "GBP", None)
    assert len(fewer.found.clusters) == len(found.found.clusters), "nor does it hang on a customer in twenty"


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_where_nearly_all_are_alike_the_few_others_are_told_apart() -> None:
    matrix = np.concatenate([np.ones((120, 4)), 5.0 * np.eye(4), [[2.0] * 4]])
    votes = find(numbered(matrix), None, "GBP", None).found.votes
    assert votes is not None
    assert 3 <= votes.chosen <= 5
