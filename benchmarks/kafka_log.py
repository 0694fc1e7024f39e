"""Filling the log before anybody reads it."""

import uuid
from collections.abc import Sequence
from itertools import chain

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.loads import Record
from benchmarks.peers.started import TOPIC
from ebb.topic_admin import create_topics

PARTITIONS = 4
FLUSHED_WITHIN_S = 120
POLL_EVERY = 1_000
QUIET = {"log_level": 2}  # the client warns of a coordinator that has only just started, and of its own end


def make_topics(servers: str) -> None:
    """Ebb's topics, and the one that peers read."""
    create_topics([servers], PARTITIONS)
    admin = AdminClient({"bootstrap.servers": servers} | QUIET)
    for made in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)]).values():
        made.result()


def fill(servers: str, records: Sequence[Record], *, for_peers: bool = True) -> None:
    """Write records to Ebb's topics and, in the same order, to that of the peers; keyed, murmur2.

    Raises:
        RuntimeError: Kafka did not take them all.
    """
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 50,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
            **QUIET,
        }
    )
    ours = ((record.topic, record) for record in records)
    theirs = ((TOPIC, record) for record in records) if for_peers else iter(())
    for number, (topic, record) in enumerate(chain(ours, theirs)):
        producer.produce(topic, record.value, record.key)
        if number % POLL_EVERY == 0:
            producer.poll(0)
    left = producer.flush(FLUSHED_WITHIN_S)
    if left:
        raise RuntimeError(f"Kafka has not taken {left} of {len(records)} records within {FLUSHED_WITHIN_S} s.")


def new_group(name: str) -> str:
    """A consumer group nobody has used."""
    return f"benchmark-{name}-{uuid.uuid4().hex[:8]}"
