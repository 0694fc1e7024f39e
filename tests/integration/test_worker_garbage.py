"""Whatever is written to the input topics: the worker goes on, neighbours count, and nothing is lost."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ebb.lookup import Lookup
from schemas.partition import partition_of
from schemas.topics import CLOCK, ENGAGEMENT, INVALID, PROFILES, PURCHASES, REROUTED
from schemas.units import DAY_MS
from stream.redis_store.inspection import shop_totals
from tests.integration.processes import PARTITIONS, deployed, eventually, send

NOW_MS = time.time_ns() // 1_000_000
LINE: dict[str, Any] = {"product_id": "85048", "quantity": 2, "unit_price": "12.50"}
PURCHASE: dict[str, Any] = {
    "type": "purchase",
    "event_id": "bad",
    "customer_id": "bad",
    "event_time_ms": NOW_MS,
    "currency": "GBP",
    "lines": [LINE],
}


def without(field: str) -> bytes:
    return msgspec.json.encode({name: value for name, value in PURCHASE.items() if name != field})


def changed(**fields: Any) -> bytes:
    return msgspec.json.encode(PURCHASE | fields)


def with_line(**fields: Any) -> bytes:
    return changed(lines=[LINE | fields])


EVERYWHERE: list[tuple[str, bytes | None]] = [
    ("malformed_json", b"{"),
    ("malformed_json", b"\xff\xfe\x00"),
    ("invalid_field", b"[" * 100_000),
    ("unknown_kind", b'{"type":"teleport","event_id":"1","event_time_ms":1}'),
    ("empty_value", b""),
    ("tombstone", None),
    ("too_large", b'{"type":"purchase","note":"' + b"x" * 5_000_000 + b'"}'),
]
AMONG_PURCHASES: list[tuple[str, bytes | None]] = [
    ("invalid_field", b"[1,2,3]"),
    ("missing_field", without("event_id")),
    ("missing_field", without("lines")),
    ("invalid_field", changed(event_time_ms="yesterday")),
    ("invalid_field", with_line(unit_price="NaN")),
    ("invalid_field", with_line(unit_price="Infinity")),
    ("malformed_json", changed().replace(b'"12.50"', b"NaN")),
    ("invalid_field", with_line(quantity=-2)),
    ("event_time_too_early", changed(event_time_ms=86_400_000)),
    ("event_time_too_late", changed(event_time_ms=32_503_680_000_000)),
    ("wrong_currency", changed(currency="USD")),
    ("unsupported_version", changed(schema_version=2)),
    ("wrong_topic", b'{"type":"page_view","event_id":"v","event_time_ms":%d}' % NOW_MS),
]


@dataclass(frozen=True)
class Written:
    """A record of the test; `reason` is why it is a dead letter, None when it is not."""

    topic: str
    value: Any
    partition: int | None = None
    key: bytes | None = None
    reason: str | None = None


def neighbour(topic: str, number: int) -> dict[str, Any]:
    """A good record of a customer of its own."""
    customer = f"{topic}-{number}"
    record = {"event_id": customer, "customer_id": customer, "event_time_ms": NOW_MS}
    if topic == PURCHASES:
        return PURCHASE | record
    return record | ({"type": "page_view"} if topic == ENGAGEMENT else {"type": "profile", "age": 40})


def clock_records(time_ms: int) -> list[Written]:
    value = msgspec.json.encode({"type": "clock", "time_ms": time_ms})
    return [Written(CLOCK, value, partition) for partition in range(PARTITIONS)]


def garbage_among_neighbours(topic: str) -> Iterator[Written]:
    for number, (reason, value) in enumerate(EVERYWHERE + (AMONG_PURCHASES if topic == PURCHASES else [])):
        yield Written(topic, value, number % PARTITIONS, b"key-%d" % number, reason)
        if topic != CLOCK:
            yield Written(topic, neighbour(topic, number))


def on_a_wrong_partition() -> Written:
    """Nobody but a worker writes to `events.rerouted`, and it knows where to."""
    event = neighbour(PURCHASES, 1_000)
    away = 1 - partition_of(event["customer_id"], PARTITIONS)
    return Written(REROUTED, msgspec.json.encode(event), away, b"any", "wrong_partition")


@pytest.mark.parametrize("clock_mode", ["replay", "live"])
def test_garbage_on_every_topic_is_a_dead_letter_and_its_neighbours_count(
    clock_mode: str, empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    log = clock_records(NOW_MS - NOW_MS % DAY_MS)
    for topic in (PURCHASES, ENGAGEMENT, PROFILES, REROUTED, CLOCK):
        log += garbage_among_neighbours(topic)
    log += [on_a_wrong_partition(), *clock_records(NOW_MS)]
    customers = [record.value["customer_id"] for record in log if isinstance(record.value, dict)]
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock=clock_mode) as shop:
        places = send(shop.servers, [(record.topic, record.value, record.partition, record.key, []) for record in log])
        expected = {place: record for place, record in zip(places, log, strict=True) if record.reason}
        shop.start("worker")
        shop.wait_until_applied()
        eventually(lambda: len(shop.messages(INVALID)) >= len(expected))
        dead = {place_of(record): record for record in shop.messages(INVALID)}
        assert dead.keys() == expected.keys()
        for place, record in expected.items():
            assert dict(dead[place].headers)["reason"].decode() == record.reason, dead[place].headers
            assert (dead[place].key, dead[place].value) == (record.key, record.value)
        lookup = Lookup(redis_url)
        assert [lookup.get(customer).customer_id for customer in customers] == customers
        totals = shop_totals(redis_url)
        assert (totals["events"], totals["dead_letters"]) == (len(customers), len(expected))


def place_of(record: Any) -> tuple[str, int, int]:
    """Where a dead letter came from."""
    headers = {name: value.decode() for name, value in record.headers}
    return headers["source_topic"], int(headers["source_partition"]), int(headers["source_offset"])
