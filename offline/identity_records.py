"""Writing a record about who a customer is, to the partition of that customer."""

from collections.abc import Sequence
from contextlib import closing

import msgspec
from kafka import KafkaProducer

from offline.broker import CONNECT_WITHIN_MS, broker_errors
from schemas.identities import Erasure, Merge
from schemas.partition import partition_of
from schemas.topics import PROFILES

ACKNOWLEDGED_WITHIN_S = 30.0


def write(record: Erasure | Merge, servers: Sequence[str], partitions: int) -> tuple[str, int, int]:
    """Write a record and wait for the acknowledgement; its (topic, partition, offset).

    Raises:
        BrokerError: Kafka is away or refuses.
    """
    with broker_errors(servers):
        producer = KafkaProducer(
            bootstrap_servers=list(servers),
            bootstrap_timeout_ms=CONNECT_WITHIN_MS,
            acks="all",
            enable_idempotence=False,  # a record that is written twice is known by its event id
            allow_auto_create_topics=False,
        )
        with closing(producer):
            customer = record.customer_id
            partition = partition_of(customer, partitions)
            answer = producer.send(PROFILES, msgspec.json.encode(record), key=customer.encode(), partition=partition)
            written = answer.get(timeout=ACKNOWLEDGED_WITHIN_S)
    return written.topic, written.partition, written.offset
