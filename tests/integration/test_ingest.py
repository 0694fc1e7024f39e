"""`ebb ingest` on Apache Kafka: killed, frozen, without Kafka or its registry; nothing is lost or counts twice."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from ebb.services.apache_kafka import ApacheKafka
from offline.broker import end_offsets
from schemas.partition import partition_of
from schemas.topics import INVALID, PURCHASES
from tests.hurting import frozen
from tests.integration.live_events import now_ms
from tests.integration.processes import (
    PARTITIONS,
    Deployment,
    TestedProcess,
    deployed,
    eventually,
    read_all,
    send,
    without_topics,
)
from tests.integration.test_worker_logs import PATIENT
from tests.schema_registry import USER, Registry, framed, running_registry

ORDERS, RECEIPTS = "shop.orders", "shop.receipts"
EACH = 3_000
RECEIPT = {
    "type": "record",
    "name": "Receipt",
    "fields": [
        {"name": "number", "type": "string"},
        {"name": "card", "type": ["null", "string"]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "cents", "type": "long"},
    ],
}
MAP = """
[source."shop.orders"]
format = "json"

[source."shop.receipts"]
format = "avro"

[[event]]
type = "purchase"
from = "shop.orders"

[event.fields]
customer_id = "buyer"
event_time_ms = { path = "at", time = "milliseconds" }
currency = { constant = "GBP" }

[event.lines]
product_id = "items[].sku"
quantity = "items[].count"
unit_price = "items[].price"

[[event]]
type = "purchase"
from = "shop.receipts"

[event.fields]
event_id = "number"
customer_id = "card"
event_time_ms = { path = "at", time = "iso" }
currency = { constant = "GBP" }
channel = { constant = "in_store" }

[event.lines]
product_id = { constant = "receipt" }
quantity = { constant = 1 }
unit_price = { path = "cents", money = "minor" }
"""


class IngestProcess(TestedProcess):
    """`ebb ingest` with the map of this test."""

    map_file: Path

    def prepare(self) -> list[str]:
        return [sys.executable, "-m", "ebb", "ingest", "--map", str(self.map_file)]


def start_ingest(shop: Deployment, registry: Registry) -> IngestProcess:
    map_file = shop.folder / "map.toml"
    map_file.write_text(MAP)
    shop.started += 1
    settings = shop.environ(EBB_REGISTRY_URL=registry.url, EBB_REGISTRY_AUTH=USER, EBB_INGEST_CHUNK_RECORDS="40")
    process = IngestProcess("ingest", shop.folder / f"ingest-{shop.started}", settings)
    process.map_file = map_file
    process.start()
    shop.processes.append(process)
    return process


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        found.add(7, RECEIPT)
        yield found


def json_order(number: int) -> bytes:
    items = [{"sku": "85048", "count": 2, "price": 6.95}]
    return msgspec.json.encode({"buyer": f"buyer-{number % 97}", "at": now_ms(), "items": items})


def avro_receipt(number: int) -> bytes:
    card = f"buyer-{number % 89}" if number % 10 else None
    return framed(7, RECEIPT, {"number": f"r-{number}", "card": card, "at": now_ms(), "cents": 1_250})


def make_sources(servers: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.create_topics([NewTopic(ORDERS, 3, 1), NewTopic(RECEIPTS, 2, 1)])


def write_sources(servers: str, numbers: range) -> None:
    """Records without keys, and some that are none."""
    orders = [(ORDERS, json_order(number), number % 3, None, []) for number in numbers]
    receipts = [(RECEIPTS, avro_receipt(number), number % 2, None, []) for number in numbers]
    send(servers, orders + receipts)


GARBAGE = [(ORDERS, b"{", 1), (RECEIPTS, b"\0\0\0\0\x08none", 0), (RECEIPTS, b"text", 1), (RECEIPTS, None, 1)]


def written(servers: str) -> int:
    """Events so far, those written twice included."""
    return sum(end_offsets([servers], [PURCHASES]).values())


def uncommitted(servers: str) -> int:
    """Source records that the group has not committed."""
    ends = end_offsets([servers], [ORDERS, RECEIPTS])
    with closing(KafkaConsumer(bootstrap_servers=servers, group_id="ebb-ingest", enable_auto_commit=False)) as group:
        return sum(end - (group.committed(TopicPartition(*place)) or 0) for place, end in ends.items())


def stop(process: TestedProcess) -> None:
    """Ask it to leave."""
    process.send(signal.SIGTERM)
    assert process.exit_code() == 0, process.output()[-3000:]
    assert "Traceback" not in process.output()
    assert "registry-secret" not in process.output()


def event_id(record: Any) -> str:
    return str(msgspec.json.decode(record.value)["event_id"])


def check_events(servers: str) -> None:
    """Each source record is one event at its customer's, and what was written twice has the same id and partition."""
    records = read_all(servers, PURCHASES)
    for record in records:
        event = msgspec.json.decode(record.value)
        assert record.key.decode() == event.get("customer_id", event["event_id"])
        assert record.partition == partition_of(record.key.decode(), PARTITIONS)
    events = {event_id(record): msgspec.json.decode(record.value) for record in records}
    assert len(events) == len({(record.partition, event_id(record)) for record in records}) == 2 * EACH
    orders = [event for name, event in events.items() if name.startswith(f"{ORDERS}:")]
    assert sum(int(event["customer_id"].removeprefix("buyer-")) for event in orders) == sum(n % 97 for n in range(EACH))
    assert {f"r-{number}" for number in range(EACH)} == events.keys() - {event["event_id"] for event in orders}
    assert {event["lines"][0]["unit_price"] for event in events.values()} == {"6.95", "12.50"}


def check_dead_letters(servers: str) -> None:
    """What is no event is in events.invalid as it was, with where it came from and why."""
    letters = {}
    for record in read_all(servers, INVALID):
        headers = {name: value.decode() for name, value in record.headers}
        place = headers["source_topic"], int(headers["source_partition"]), headers["source_offset"]
        letters[place] = (place[0], record.value, place[1]), headers["reason"], record.key
    assert sorted((garbage for garbage, _, _ in letters.values()), key=str) == sorted(GARBAGE, key=str)
    reasons = sorted(reason for _, reason, _ in letters.values())
    assert reasons == ["malformed_avro", "malformed_json", "tombstone", "unknown_schema"]
    assert {key for _, _, key in letters.values()} == {b"key"}


def test_ingest_killed_frozen_and_without_its_services_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, registry: Registry
) -> None:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        make_sources(kafka.address)
        with deployed(kafka.address, "redis://127.0.0.1:1/0", tmp_path, clock="live") as shop:
            write_sources(shop.servers, range(EACH // 3))
            send(shop.servers, [(*garbage, b"key", []) for garbage in GARBAGE])
            registry.is_away = True
            first, second = start_ingest(shop, registry), start_ingest(shop, registry)
            eventually(lambda: registry.asked, what="the registry is asked")
            registry.is_away = False
            eventually(lambda: written(shop.servers) > 500)
            shop.kill(first)
            third = start_ingest(shop, registry)
            eventually(lambda: third.said("source partitions assigned"))
            second.send(signal.SIGSTOP)
            write_sources(shop.servers, range(EACH // 3, EACH))
            frozen_at = written(shop.servers)
            eventually(lambda: written(shop.servers) > frozen_at + EACH // 2, what="the third goes on with all")
            kafka.kill()
            second.send(signal.SIGCONT)
            kafka.start()
            kafka.wait_until_ready()
            eventually(lambda: uncommitted(shop.servers) == 0, what="all is read and committed")
            check_events(shop.servers)
            check_dead_letters(shop.servers)
            print(f"{written(shop.servers) - 2 * EACH} written twice")
            for process in (second, third):
                stop(process)
        kafka.kill()


def test_a_source_that_is_made_anew_unseen_and_longer_than_before_ends_the_process_that_reads_it(
    empty_apache_kafka: str, tmp_path: Path, registry: Registry
) -> None:
    with deployed(empty_apache_kafka, "redis://127.0.0.1:1/0", tmp_path, clock="live", settings=PATIENT) as shop:
        make_sources(shop.servers)
        process = start_ingest(shop, registry)
        write_sources(shop.servers, range(30))
        eventually(lambda: uncommitted(shop.servers) == 0)
        with frozen(process):
            without_topics(shop.servers)
            shop.make_topics()
            make_sources(shop.servers)
            write_sources(shop.servers, range(30, 120))
        assert process.exit_code() == 1
        said = process.output().splitlines()[-1]
        assert "holds another record at offset" in said
        assert "than the one the group has read" in said
