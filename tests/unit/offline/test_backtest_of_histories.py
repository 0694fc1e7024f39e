"""A backtest goes through a simulated shop and through an archive as a lockstep replay of them does."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ebb.backtest.past import Past, past_of
from ebb.cli.backtest import backtest
from offline.archive.records import ArchivedRecord
from offline.archive.writing import LogArchive
from offline.features.archived import of_archive
from offline.features.batches import Reading
from offline.features.simulated import of_simulation
from offline.sources import read_history
from schemas.decode import DecodeRules
from schemas.partition import partition_of
from schemas.topics import PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.features.hashes import event_hash
from tests.integration.retail import file_until
from tests.replayed_logs import NOW_MS, PARTITIONS, Logs, midnights, published, simulated
from tests.shop_of_partitions import erasure, merge
from tests.world import BEGIN_MS, purchase

RETAIL = ("--source", "online_retail", "--outcome", "purchase_7d", "--from", "2010-01-06", "--json")


def reading() -> Reading:
    return Reading(DecodeRules(currency="GBP"), PARTITIONS, NOW_MS)


def went_through(past: Past) -> list[tuple[int, list[tuple[str, int]]]]:
    """Each moment, with whose events came before it."""
    customers = past.customers
    return [
        (time_ms, sorted(zip([customers[row] for row in facts.row], facts.id_hash.tolist(), strict=True)))
        for time_ms, facts in past.days()
    ]


def test_a_simulated_shop_and_its_archive_have_each_event_once_on_the_day_it_was_sent(tmp_path: Path) -> None:
    mishaps = {"late": 0.2, "late_hours_mean": 20.0, "duplicate": 0.1, "misrouted": 0.1}
    slices = simulated(tmp_path / "shop", customers=60, days=20, seed=4, **mishaps)
    Logs(tmp_path / "archive").replay(midnights(slices)).close()
    expected: list[tuple[int, list[tuple[str, int]]]] = [(slices[0].begin_ms, [])]
    known: Counter[str] = Counter()
    for sent in slices:
        events = [json.loads(value) for value in sent.values]
        first = [event for event in events if not known.update([event["event_id"]]) and known[event["event_id"]] == 1]
        named = [(event["customer_id"], event_hash(event["event_id"])) for event in first if "customer_id" in event]
        expected.append((sent.end_ms, sorted(named)))
    assert {1, 2} <= set(known.values())
    for nth, memory_bytes in enumerate([10**9, 20_000]):
        for kind, read in (("shop", of_simulation), ("archive", of_archive)):
            parts = tmp_path / f"{kind}-{nth}"
            parts.mkdir()
            took = reading()
            found = went_through(past_of(read(tmp_path / kind, took), took, parts, memory_bytes))
            assert found == expected
            assert bool(list(parts.iterdir())) == bool(nth)


def test_an_archive_goes_by_its_clock_records_only_where_it_has_them(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    for name, day in (("b", 1.5), ("a", 0.5), ("c", 3.25)):
        logs.write(PURCHASES, partition_of("ada", PARTITIONS), json.dumps(purchase("ada", day, event_id=name)).encode())
    took = reading()
    past = past_of(of_archive(logs.close(), took), took, tmp_path, 10**9)
    hashes = {event_hash(name): name for name in "abc"}
    found = [(time_ms, [hashes[each] for _, each in events]) for time_ms, events in went_through(past)]
    moments_ms = [round(BEGIN_MS + day * DAY_MS) for day in (0, 1, 2, 3, 3.25)]
    assert found == list(zip(moments_ms, [[], ["a"], ["b"], [], ["c"]], strict=True))


def test_who_was_erased_or_merged_has_no_past(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    orders = [purchase(name, day, event_id=f"{name}-{day}") for name in ("ada", "bob", "cy") for day in (0.5, 3.5)]
    for event in [*orders, erasure("bob", 3, event_id="e"), merge("cy", "ada", 4, event_id="m")]:
        topic = PURCHASES if "lines" in event else PROFILES
        logs.write(topic, partition_of(event["customer_id"], PARTITIONS), json.dumps(event).encode())
    took = reading()
    past = past_of(of_archive(logs.close(), took), took, tmp_path, 10**9)
    assert past.customers == ["ada", "bob"]
    whose = [(customer, each) for _, events in went_through(past) for customer, each in events]
    ids = ["ada-0.5", "cy-0.5", "ada-3.5", "bob-3.5", "cy-3.5"]
    assert {each for _, each in whose} == {event_hash(name) for name in ids}
    assert Counter(customer for customer, _ in whose) == {"ada": 4, "bob": 1}


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return file_until("2010-01-22", tmp_path_factory.mktemp("history"))


def run(*given: str | Path) -> Result:
    pytest.importorskip("sklearn")
    return CliRunner().invoke(backtest, [*map(str, given)], env={"EBB_PARTITIONS": str(PARTITIONS)})


def figures(*given: str | Path) -> dict[str, Any]:
    finished = run(*given)
    assert finished.exit_code == 0, finished.output
    found: dict[str, Any] = json.loads(finished.stdout)
    return found | {"events_per_s": 0}


def test_an_archive_of_a_replayed_history_is_backtested_like_the_history_itself(weeks: Path, tmp_path: Path) -> None:
    archive = Logs(tmp_path / "archive").replay(published(read_history([weeks], "online_retail", "GBP"))).close()
    of_files = figures(weeks, *RETAIL)
    assert of_files["left_out"], "orders of the file that are none are told"
    assert figures(archive, *RETAIL[2:]) == of_files | {"left_out": ""}


def test_a_simulated_shop_is_backtested_like_its_archive_in_whatever_memory(tmp_path: Path) -> None:
    slices = simulated(tmp_path / "shop", customers=600, days=90, late=0.1)
    archive = Logs(tmp_path / "archive").replay(midnights(slices)).close()
    asked = ("--outcome", "purchase_7d", "--from", "2024-03-10", "--json")
    found = figures(tmp_path / "shop", *asked)
    assert found["rows"] > 500
    assert figures(archive, *asked, "--memory-mb", "1") == found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "Name a HISTORY: files with --source, or a folder; or take --kafka."),
        (("orders.csv", "--kafka"), "--kafka reads Kafka's topics: leave out HISTORY and --source."),
        (("shop", "--columns", "a=b"), "--columns names columns of files: it goes with their --source."),
        (
            ("nothing",),
            "nothing is no folder of `ebb archive` or `ebb simulate --parquet`. Of files, say with --source",
        ),
    ],
)
def test_what_is_no_history_is_refused_in_a_sentence(given: tuple[str, ...], said: str) -> None:
    finished = run(*given, "--outcome", "purchase_7d", "--from", "2024-02-20")
    assert said in finished.output
    assert "Traceback" not in finished.output
    assert finished.exit_code in {1, 2}


def test_folders_are_named_one_at_a_time_and_without_a_source(tmp_path: Path) -> None:
    shop, archive = tmp_path / "shop", Logs(tmp_path / "archive")
    archive.replay(midnights(simulated(shop, customers=20, days=3))).close()
    asked = ("--outcome", "purchase_7d", "--from", "2024-01-02")
    both = run(shop, tmp_path / "archive", *asked)
    assert (both.exit_code, "of folders a history is one. Name one of them." in both.output) == (1, True)
    for folder in (shop, tmp_path / "archive"):
        sourced = run(folder, "--source", "generic", *asked)
        assert (sourced.exit_code, f"{folder} is a folder of" in sourced.output) == (1, True)
        assert "leave out --source" in sourced.output


def test_what_an_archive_lacks_is_said(tmp_path: Path) -> None:
    log = LogArchive(tmp_path, PURCHASES, 1)
    for offset, gone in ((3, True), (4, False), (9, True)):
        if gone:
            log.skip_to(offset)
        log.add([ArchivedRecord(offset, NOW_MS, b"key", json.dumps(purchase("ada", offset, event_id="1")).encode())])
    log.flush()
    told = run(tmp_path, "--outcome", "purchase_7d", "--from", "2010-01-06")
    assert f"note: {tmp_path} lacks 7 offsets of events.purchases partition 1: what was there counts" in told.output


def test_a_history_without_customers_is_refused_in_a_sentence(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("order_id,customer_id,event_time,product_id,quantity,unit_price\n1,,2010-01-05,tea,1,4.90\n")
    finished = run(orders, "--source", "generic", "--outcome", "purchase_7d", "--from", "2010-01-06")
    assert (finished.exit_code, "The history holds no event of a customer" in finished.output) == (1, True)
