"""`ebb simulate` as typed: files that can be read, Kafka logs that hold what was generated, and clear refusals."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import redis
from click.testing import CliRunner, Result
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from ebb.cli.simulate import simulate
from ebb.simulate import TOPICS, Shop, ShopSettings, Slice, partitions_of
from ebb.simulate.parquet import saved
from ebb.simulate.publishing import publish_live
from ebb.topic_admin import create_topics
from offline.broker import BrokerError, end_offsets
from schemas.clock import ClockRecord
from schemas.topics import CLOCK, ENGAGEMENT, PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.ports import Deployment
from stream.redis_store.deployment import check_deployment
from tests.integration.processes import eventually, without_topics

PARTITIONS = 2
DOCUMENT = Path(__file__).parents[2] / "docs" / "simulated-shop.md"


@pytest.fixture
def environ(embedded_kafka, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return {"EBB_KAFKA_SERVERS": embedded_kafka, "EBB_PARTITIONS": str(PARTITIONS)}


def run(environ: dict[str, str], *options: str) -> Result:
    return CliRunner().invoke(simulate, list(options), env=environ)


def log_of(environ: dict[str, str], topic: str) -> dict[int, list[tuple[bytes | None, bytes]]]:
    """partition -> (key, value) of its records."""
    servers = [environ["EBB_KAFKA_SERVERS"]]
    ends = {partition: end for (_, partition), end in end_offsets(servers, [topic]).items()}
    read: dict[int, list[tuple[bytes | None, bytes]]] = {partition: [] for partition in ends}
    with closing(KafkaConsumer(bootstrap_servers=servers)) as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in ends])
        consumer.seek_to_beginning()
        while any(len(read[partition]) < end for partition, end in ends.items()):
            for place, records in consumer.poll(timeout_ms=200).items():
                read[place.partition] += [(record.key, record.value) for record in records]
    return read


def ours(sent: Slice, topic: str) -> int:
    """How many events of a day are for partition 0 of a topic."""
    return int(((sent.topic == TOPICS.index(topic)) & (partitions_of(sent, PARTITIONS) == 0)).sum())


def test_files_hold_every_event_in_order_and_the_truth(tmp_path):
    done = run({}, *["--customers", "80", "--days", "40", "--seed", "5", "--json", "--parquet"], str(tmp_path / "shop"))
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    shop = Shop(ShopSettings(customers=80, days=40, seed=5))
    values = [value.decode() for sent in shop.slices() for value in sent.values]
    events = pq.read_table(tmp_path / "shop" / "events.parquet")
    assert events["value"].to_pylist() == values
    assert (len(values), sum(map(len, values))) == (summary["events"], summary["bytes"])
    assert (np.diff(events["sent_ms"].to_numpy()) >= 0).all()
    for row in events.slice(0, 200).to_pylist():
        event = json.loads(row["value"])
        assert (event["event_time_ms"], event.get("customer_id")) == (row["event_time_ms"], row["customer_id"])
        assert row["topic"] in TOPICS
    truth = pq.read_table(tmp_path / "shop" / "truth.parquet").to_pylist()
    assert len(truth) == 80
    gone = [row["dropped_out_ms"] for row in truth if row["dropped_out_ms"] is not None]
    assert len(gone) == int((~shop.world.people.alive).sum()) > 0
    products = pq.read_table(tmp_path / "shop" / "products.parquet").to_pylist()
    assert all(float(row["cost"]) < float(row["price"]) and row["stock"] >= 0 for row in products)
    campaigns = pq.read_table(tmp_path / "shop" / "campaigns.parquet").to_pylist()
    assert {row["kind"] for row in campaigns} == {"newsletter", "coupon", "advertising"}


@pytest.mark.parametrize("pace", [[], ["--rate", "1000000"]], ids=["batches", "paced"])
def test_kafka_holds_a_replay_of_the_shop_with_its_clock(environ, tmp_path, pace):
    shop = ["--customers", "60", "--days", "12", "--misrouted", "0.2", "--truth", "truth"]
    done = run(environ, *shop, *pace, "--json")
    assert done.exit_code == 0, done.output
    shop = Shop(ShopSettings(customers=60, days=12, misrouted=0.2))
    slices = list(shop.slices())
    for topic in (PURCHASES, ENGAGEMENT):
        expected = {partition: [] for partition in range(PARTITIONS)}
        for sent in slices:
            for place, partition, key, value in zip(
                sent.topic.tolist(), partitions_of(sent, PARTITIONS).tolist(), sent.keys, sent.values, strict=True
            ):
                if TOPICS[place] == topic:
                    expected[partition].append((key, value))
        assert log_of(environ, topic) == expected
    clock = [msgspec.json.decode(value, type=ClockRecord) for _, value in log_of(environ, CLOCK)[0]]
    assert [told.time_ms for told in clock] == [shop.settings.start_ms + day * DAY_MS for day in range(13)]
    sent = np.cumsum([0, *(ours(day, PURCHASES) for day in slices)])
    assert [told.ends[PURCHASES] for told in clock] == sent.tolist()
    assert json.loads(done.stdout)["clock_records"] == 13 * PARTITIONS
    assert (tmp_path / "truth" / "truth.parquet").exists()


def test_live_events_are_of_now_at_the_rate_asked_for_and_another_run_repeats_none(environ):
    began_ms = time.time_ns() // 1_000_000
    runs = [
        run(
            environ,
            *["--live", "--customers", "200", "--events-per-s", "300", "--seconds", "1", "--late", "0", "--json"],
        )
        for _ in "ab"
    ]
    ended_ms = time.time_ns() // 1_000_000
    sent = sum(json.loads(done.stdout)["events"] for done in runs)
    assert 0 < sent <= 2 * 301
    values = [value for topic in TOPICS for log in log_of(environ, topic).values() for _, value in log]
    events = [json.loads(value) for value in values]
    assert len({event["event_id"] for event in events}) >= 0.97 * sent  # repeats are part of a shop
    assert len(events) == sent
    assert all(began_ms - 600_000 <= event["event_time_ms"] <= ended_ms for event in events)


def test_a_live_shop_for_a_deployment_in_a_replay_says_that_its_events_wait(environ, redis_url):
    environ |= {"EBB_REDIS_URL": redis_url}
    few = ["--live", "--customers", "20", "--events-per-s", "50", "--seconds", "0.1", "--json"]
    for clock, said in ((None, ""), ("live", ""), ("replay", "runs on the clock of a replay")):
        if clock:
            with redis.Redis.from_url(redis_url) as client:
                client.flushdb()
            check_deployment(redis_url, Deployment(PARTITIONS, clock, LAYOUT), require_append_only=False)
        done = run(environ, *few)
        assert (done.exit_code, said in done.stderr, bool(done.stderr)) == (0, True, bool(said))


def test_an_event_that_kafka_refuses_ends_a_live_shop_though_later_ones_are_taken(apache_kafka):
    servers = [without_topics(apache_kafka)]
    create_topics(servers, PARTITIONS)
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, PROFILES, {"max.message.bytes": "100"})])
    refused, taken = TOPICS.index(PROFILES), TOPICS.index(ENGAGEMENT)
    days = Shop(ShopSettings(customers=50, days=9)).slices()
    sent = next(sent for sent in days if refused in sent.topic and sent.topic[-1] == taken)
    with pytest.raises(BrokerError, match="MessageSizeTooLarge"):
        publish_live([sent], servers, PARTITIONS, events_per_s=1_000)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--start 2999-01-01", 1, "would end on 3000-12-31, and events of the future are refused"),
        ("--parquet shop --live", 2, "--parquet writes files"),
        ("--start tomorrow", 2, "'tomorrow' is no date such as 2024-01-01"),
        ("--customers 0", 2, "--customers"),
        ("--start 1989-12-31 --days 9", 1, "would begin on 1989-12-31, and events before 1990-01-01 are refused"),
        ("--start 9990-01-01 --parquet shop", 1, "would end on 9991-12-31, and events of the future are refused"),
        ("--start 1960-01-01 --parquet shop", 1, "would begin on 1960-01-01, and events before 1990-01-01 are refused"),
        ("--start 9999-12-01 --parquet shop", 2, "730 days from 9999-12-01 on end after the year 9999"),
        ("--customers 3 --days 2 --rate 5 --seconds-per-day 0.1", 2, "--rate and --seconds-per-day are two paces"),
        ("--seconds 60", 2, "--events-per-s and --seconds go with --live"),
        ("--events-per-s 500", 2, "--events-per-s and --seconds go with --live"),
        (
            "--days 20 --concept-change-day 20 --parquet shop",
            2,
            "20 is after the last day: with --days 20 they go from",
        ),
        (f"--seed {2**63} --parquet shop", 2, "Invalid value for '--seed'"),
        ("--guests nan --parquet shop", 2, "'nan' is no number"),
        ("--late nan --parquet shop", 2, "'nan' is no number"),
        ("--truth file/truth", 1, "Cannot write to file/truth"),
        ("--live --truth file/truth", 1, "Cannot write to file/truth"),
    ],
)
def test_what_cannot_be_is_refused_in_words_before_anything_is_sent(environ, tmp_path, options, code, said):
    (tmp_path / "file").write_text("")
    done = run(environ, *options.split())
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert not (tmp_path / "shop").exists()
    with pytest.raises(BrokerError, match="does not exist"):
        end_offsets([environ["EBB_KAFKA_SERVERS"]], [PURCHASES])


def test_files_are_in_the_currency_of_the_shop(tmp_path):
    folder = tmp_path / "shop"
    done = run({"EBB_CURRENCY": "JPY"}, "--customers", "50", "--days", "9", "--parquet", str(folder))
    assert done.exit_code == 0, done.output
    assert re.search(r"a basket costs [\d,]+ JPY on average", done.stdout), done.stdout
    assert set(pq.read_table(folder / "products.parquet")["currency"].to_pylist()) == {"JPY"}
    events = map(json.loads, pq.read_table(folder / "events.parquet")["value"].to_pylist())
    assert {event["currency"] for event in events if event["type"] == "purchase"} == {"JPY"}


def test_a_shop_where_nobody_has_bought_says_so(tmp_path):
    said = [
        run({}, "--customers", "1", "--days", "1", "--parquet", str(tmp_path / "shop"), *options)
        for options in ([], ["--json"])
    ]
    assert "  nobody has bought\n" in said[0].stdout
    assert json.loads(said[1].stdout)["median_gap_days"] is None


def test_a_run_that_ends_early_leaves_the_shop_that_was_there(tmp_path):
    folder = tmp_path / "shop"
    first = Shop(ShopSettings(customers=20, days=3, seed=1))
    for _ in saved(first.slices(), first, folder):
        pass
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(kept) == ["campaigns.parquet", "events.parquet", "products.parquet", "truth.parquet"]
    second = Shop(ShopSettings(customers=20, days=3, seed=2))
    with closing(saved(second.slices(), second, folder)) as days:
        next(days)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


def test_ctrl_c_ends_a_live_shop_like_its_last_day(environ, tmp_path):
    create_topics([environ["EBB_KAFKA_SERVERS"]], PARTITIONS)
    command = [sys.executable, "-m", "ebb", "simulate", "--live", "--customers", "50", "--truth", "truth"]
    running = subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        eventually(lambda: any(log_of(environ, ENGAGEMENT).values()))
        running.send_signal(signal.SIGINT)
        said, errors = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    assert (running.returncode, errors) == (0, b"")
    sent = sum(len(log) for topic in TOPICS for log in log_of(environ, topic).values())
    assert said.startswith(f"{sent:,} events in ".encode())
    assert (tmp_path / "truth" / "truth.parquet").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    done = run({}, "--customers", "5", "--days", "2", "--parquet", str(tmp_path / "file"))
    assert (done.exit_code, "Cannot write to" in done.output, "Traceback" in done.output) == (1, True, False)


def test_the_python_of_the_document_runs():
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(code, names)
    assert isinstance(names["shop"], Shop)
    assert names["shop"].days_gone == 30


def test_the_commands_of_the_document_run(environ):
    lines = re.findall(r"^ebb simulate (.*?)(?: +#.*)?$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        small = re.sub(r"--customers \d+", "--customers 30", line)
        small = re.sub(r"--days \d+", "--days 5", re.sub(r"--seconds \d+", "--seconds 1", small))
        done = run(environ, *small.split())
        assert done.exit_code == 0, (small, done.output)
        assert " events" in done.output
