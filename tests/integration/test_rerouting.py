"""A producer that puts records where librdkafka's default partitioner does: each counts once, at home."""

import asyncio
import zlib
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer

from ebb.lookup import Lookup
from ebb.parity import wait_for_lag_zero
from offline.verify import compare
from schemas.decode import DecodeRules
from schemas.partition import partition_of
from schemas.topics import ENGAGEMENT, INPUT_TOPICS, INVALID, PROFILES, PURCHASES, REROUTED
from stream.redis_store.inspection import shop_totals
from tests.integration.live_events import now_ms, purchase
from tests.integration.processes import PARTITIONS, deployed, eventually, send
from tests.recomputed_logs import recompute_logs

CUSTOMERS = [f"shopper-{number}" for number in range(40)]


def events_of(round_: int) -> list[tuple[str, dict[str, Any]]]:
    """A purchase, a page view and a profile of every customer, and some guests."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name in CUSTOMERS:
        found.append((PURCHASES, purchase(name, now_ms(), f"{round_}-buys-{name}")))
        common = {"customer_id": name, "event_time_ms": now_ms()}
        found.append((ENGAGEMENT, {"type": "page_view", "event_id": f"{round_}-looks-{name}", **common}))
        found.append((PROFILES, {"type": "profile", "event_id": f"{round_}-is-{name}", "age": 40, **common}))
    guest = {"type": "page_view", "event_time_ms": now_ms()}
    return found + [(ENGAGEMENT, {"event_id": f"{round_}-guest-{number}", **guest}) for number in range(5)]


def crc_partition(event: dict[str, Any]) -> int:
    """Where librdkafka's `consistent_random` puts a record with a key."""
    return zlib.crc32(event.get("customer_id", event["event_id"]).encode()) % PARTITIONS


def by_confluent(servers: str, events: list[tuple[str, dict[str, Any]]]) -> None:
    """Sent by librdkafka as it comes: it chooses the partitions."""
    producer, placed = Producer({"bootstrap.servers": servers}), list[tuple[bytes, int]]()
    for topic, event in events:
        key = event.get("customer_id", event["event_id"]).encode()
        producer.produce(
            topic,
            msgspec.json.encode(event),
            key,
            on_delivery=lambda _, done: placed.append((done.key(), done.partition())),
        )
    assert producer.flush(30) == 0
    assert {partition == zlib.crc32(key) % PARTITIONS for key, partition in placed} == {True}
    assert len(placed) == len(events)


def test_records_that_crc_32_has_put_elsewhere_count_once_at_home_also_when_the_worker_is_killed(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        worker = shop.start("worker")
        sent = 0
        for round_ in range(3):
            events = events_of(round_)
            twice = events + events[::7]
            if round_ == 2:
                by_confluent(shop.servers, twice)
            else:
                send(shop.servers, [(topic, event, crc_partition(event), None, []) for topic, event in twice])
            sent += len(events)
            if round_ == 1:
                eventually(lambda: len(shop.messages(REROUTED)) > len(CUSTOMERS))
                shop.kill(worker)
                shop.start("worker")
        wait_for_lag_zero([shop.servers], redis_url, 60)
        assert shop_totals(redis_url)["events"] == sent
        assert shop.messages(INVALID) == []
        lookup = Lookup(redis_url)
        eventually(lambda: {lookup.get(name).features["purchases"] for name in CUSTOMERS} == {3}, what="views follow")
        rerouted = shop.messages(REROUTED)
        assert {record.partition == partition_of(record.key.decode(), PARTITIONS) for record in rerouted} == {True}
        assert {msgspec.json.decode(record.value)["type"] for record in rerouted} == {
            "purchase",
            "page_view",
            "profile",
        }
        logs = [record for topic in INPUT_TOPICS for record in shop.messages(topic)]
        expected = recompute_logs(logs, PARTITIONS, DecodeRules(currency="GBP"))
        assert compare(expected, asyncio.run(shop._states())).mismatches == []
