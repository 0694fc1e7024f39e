"""What producers of every make and broker's housekeeping leave in a log: codecs, transactions, holes, a late start."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from ebb.parity import wait_for_lag_zero
from schemas.topics import PROFILES, PURCHASES
from stream.redis_store.inspection import applied_positions, outbox_depths, shop_totals
from tests.integration.live_events import now_ms, publish_silence_model, purchase
from tests.integration.processes import PARTITIONS, Deployment, TestedProcess, deployed, eventually, read_all
from tests.integration.recomputation import equals_recomputation

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CUSTOMERS = [f"customer-{number}" for number in range(8)]
LOST = "records were lost to retention"

Keyed = tuple[bytes, bytes]


def purchases(name: str) -> Iterator[Keyed]:
    """A purchase of each customer: key and value. Whoever sends them chooses the partition by the key."""
    for customer in CUSTOMERS:
        yield customer.encode(), msgspec.json.encode(purchase(customer, now_ms(), f"{name}-{customer}"))


def by_kafka_python(servers: str, codec: str, name: str = "python") -> int:
    compression = None if codec == "none" else codec
    with closing(KafkaProducer(bootstrap_servers=servers, acks="all", compression_type=compression)) as producer:
        answers = [producer.send(PURCHASES, key=key, value=value) for key, value in purchases(f"{name}-{codec}")]
        return len([answer.get(30) for answer in answers])


def by_confluent(servers: str, codec: str) -> int:
    """librdkafka, told to choose partitions as Java does."""
    producer = Producer({"bootstrap.servers": servers, "compression.type": codec, "partitioner": "murmur2_random"})
    for key, value in purchases(f"confluent-{codec}"):
        producer.produce(PURCHASES, key=key, value=value)
    assert producer.flush(30) == 0
    return len(CUSTOMERS)


def in_transactions(servers: str) -> int:
    """Of four transactions every other one is aborted."""
    producer = Producer({"bootstrap.servers": servers, "transactional.id": "shop", "partitioner": "murmur2_random"})
    producer.init_transactions(30)
    for number, end in enumerate((producer.abort_transaction, producer.commit_transaction) * 2):
        producer.begin_transaction()
        for key, value in purchases(f"transaction-{number}"):
            producer.produce(PURCHASES, key=key, value=value)
        producer.flush(30)
        end(30)
    return 2 * len(CUSTOMERS)


def profiles(servers: str, ages: range) -> int:
    """Profiles of a few customers, one after another, each replacing the one before; how many."""
    with closing(KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=0)) as producer:
        for age, customer in itertools.product(ages, CUSTOMERS):
            event = {"type": "profile", "event_id": f"{customer}-{age}", "customer_id": customer, "age": age}
            producer.send(
                PROFILES, key=customer.encode(), value=msgspec.json.encode(event | {"event_time_ms": now_ms()})
            )
    return len(ages) * len(CUSTOMERS)


def compacted(servers: str) -> int:
    """Write profiles again and again until Kafka has thrown away some that others replaced; how many are left."""
    clean_up(servers, {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"})
    ages = itertools.count(20)

    def has_holes() -> bool:
        age = next(ages)
        profiles(servers, range(age, age + 1))
        return any(len(found) <= found[-1].offset for found in by_partition(servers))

    eventually(has_holes, what="Kafka has compacted")
    clean_up(servers, {"cleanup.policy": "delete"})  # what is applied must be there to be recomputed
    return sum(map(len, by_partition(servers)))


def clean_up(servers: str, how: dict[str, str]) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, PROFILES, how)])


def by_partition(servers: str) -> list[list[Any]]:
    records = read_all(servers, PROFILES)
    found = [[record for record in records if record.partition == partition] for partition in range(PARTITIONS)]
    return [of_it for of_it in found if of_it]


def started(shop: Deployment) -> TestedProcess:
    """A worker that has its partitions."""
    worker = shop.start("worker")
    eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
    return worker


def shortened(shop: Deployment) -> int:
    """Let Kafka drop what nobody has applied, as retention does: two offsets of each partition; how many in all."""
    applied = applied_positions(shop.redis_url)
    with closing(KafkaAdminClient(bootstrap_servers=shop.servers)) as admin:
        admin.delete_records({TopicPartition(PURCHASES, p): applied[PURCHASES, p] + 2 for p in range(PARTITIONS)})
    return 2 * PARTITIONS


def test_whatever_a_log_went_through_every_record_that_can_be_read_counts_once(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        publish_silence_model(redis_url)
        sent = sum(send(shop.servers, codec) for codec in CODECS for send in (by_kafka_python, by_confluent))
        sent += in_transactions(shop.servers)
        left = compacted(shop.servers)
        worker = started(shop)
        wait_for_lag_zero([shop.servers], redis_url, 60)
        later = profiles(shop.servers, range(90, 92))
        wait_for_lag_zero([shop.servers], redis_url, 60)
        totals = shop_totals(redis_url)
        assert totals.get("dead_letters", 0) == 0
        assert totals["purchases"] == sent
        assert totals["events"] == sent + left + later
        eventually(lambda: not any(outbox_depths(redis_url).values()), what="everything is sent")
        worker.stop()
        shop.processes.clear()
        equals_recomputation(shop)

        by_kafka_python(shop.servers, "lz4", "later")
        lost = shortened(shop)
        kept = sum(b'"later-lz4' in record.value for record in shop.messages(PURCHASES))
        worker = started(shop)
        wait_for_lag_zero([shop.servers], redis_url, 60)
        assert sum(line["lost"] for line in worker.said(LOST)) == lost
        assert 0 < kept < len(CUSTOMERS)
        assert shop_totals(redis_url)["purchases"] == sent + kept
