import asyncio
import json

import pytest
from click.testing import CliRunner

from ebb.cli.replay import replay
from ebb.cli.verify import verify
from offline.broker import end_offsets
from offline.sources import read_history
from offline.verify import recompute
from schemas.decode import DecodeRules
from schemas.partition import partition_of
from schemas.topics import INPUT_TOPICS
from stream.features.layout import LAYOUT
from stream.features.stored import pack
from stream.ports import Commit, Deployment, LogPosition
from stream.redis_store.deployment import check_deployment
from stream.redis_store.partition import RedisPartitionStore

PARTITIONS = 2
LATER_MS = 1_800_000_000_000


@pytest.fixture
def orders(tmp_path):
    path = tmp_path / "orders.csv"
    rows = [f"o{number},customer{number % 25},2024-03-{number // 4 + 1:02},tea,1,4.50" for number in range(100)]
    path.write_text("\n".join(["order_id,customer_id,event_time,product_id,quantity,unit_price", *rows]) + "\n")
    return path


@pytest.fixture
def environ(embedded_kafka, redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return {"EBB_KAFKA_SERVERS": embedded_kafka, "EBB_REDIS_URL": redis_url, "EBB_PARTITIONS": str(PARTITIONS)}


def run(command, orders, environ, *options):
    return CliRunner().invoke(command, [str(orders), "--source", "generic", *options], env=environ)


def apply(environ, orders, change=lambda states: states):
    """Store what a worker would, apart from what `change` makes of the states."""
    history = read_history([orders], "generic", "GBP")
    result = recompute(history, PARTITIONS, DecodeRules(currency="GBP"), LATER_MS)
    blobs = dict(zip(result.customers, pack(result.states), strict=True))
    stored = change(blobs)
    url = environ["EBB_REDIS_URL"]
    check_deployment(url, Deployment(PARTITIONS, "replay", LAYOUT), require_append_only=False)
    ends = end_offsets([environ["EBB_KAFKA_SERVERS"]], INPUT_TOPICS)

    async def commit(partition):
        store = RedisPartitionStore(url, partition)
        await store.claim("test")
        head, _ = await store.begin(0, 0)
        positions = {topic: LogPosition(ends[topic, partition]) for topic in INPUT_TOPICS}
        mine = {customer: blob for customer, blob in stored.items() if partition_of(customer, PARTITIONS) == partition}
        assert await store.commit(head, Commit(positions, LATER_MS, 0, states=mine))
        await store.close()

    for partition in range(PARTITIONS):
        asyncio.run(commit(partition))


def test_replay_prints_a_summary_and_no_bar_into_a_pipe(orders, environ):
    result = run(replay, orders, environ)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("100 events, 0 of guests, 25 customers, 25 days, ")


def test_a_misspelt_year_moves_no_clock(orders, environ):
    orders.write_text(orders.read_text() + "odd,ada,2124-03-25,tea,1,4.50\n")
    told = json.loads(run(replay, orders, environ, "--json").stdout)
    assert (told["events"], told["clock_records"], told["days"]) == (101, 26 * PARTITIONS, 25)


def test_replay_tells_json_with_what_was_left_out(orders, environ):
    orders.write_text(orders.read_text() + "o200,ada,2024-03-26,tea,-1,4.50\n")
    told = json.loads(run(replay, orders, environ, "--json").stdout)
    assert (told["events"], told["clock_records"], told["days"]) == (100, 26 * PARTITIONS, 25)
    assert told["skipped"] == {"negative_quantity_or_price": 1}


def test_verify_finds_parity(orders, environ):
    run(replay, orders, environ)
    apply(environ, orders)
    result = run(verify, orders, environ)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "25 customers recomputed from the history: Redis holds the same\n"
    told = json.loads(run(verify, orders, environ, "--json").stdout)
    assert told == {"customers": 25, "mismatches": 0, "first_mismatches": []}


def test_verify_lists_what_differs_and_exits_with_1(orders, environ):
    run(replay, orders, environ)
    apply(environ, orders, lambda blobs: {f"{customer}x": blob for customer, blob in blobs.items()})
    result = run(verify, orders, environ)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "25 customers recomputed from the history: 50 differences"
    assert lines[1].split() == ["customer0", "customer", "history", "stored", "Redis", "none"]
    assert (len(lines), lines[-1]) == (22, "  and 30 more")


def test_verify_says_what_is_not_applied_yet(orders, environ):
    run(replay, orders, environ)
    apply(environ, orders)
    run(replay, orders, environ)
    result = run(verify, orders, environ, "--timeout", "0")
    assert result.exit_code == 1
    assert "After 0 s 152 records are not applied" in result.stderr


def test_verify_without_a_deployment_says_so(orders, environ):
    run(replay, orders, environ)
    result = run(verify, orders, environ, "--timeout", "0")
    assert result.exit_code == 1
    assert result.stderr.startswith("ebb: ")
