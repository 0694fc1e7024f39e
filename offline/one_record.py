"""Writing one record by hand, as commands do, and waiting until the broker has it."""

from collections.abc import Sequence
from contextlib import closing

from kafka import KafkaProducer

from offline.broker import CONNECT_WITHIN_MS, broker_errors

ACKNOWLEDGED_WITHIN_S = 30.0


def write_one(servers: Sequence[str], topic: str, partition: int, key: str, value: bytes) -> tuple[str, int, int]:
    """Write a record and wait for the acknowledgement; its (topic, partition, offset).

    Raises:
        BrokerError: Kafka is away or refuses.
    """
    with broker_errors(servers):
        producer = KafkaProducer(
            bootstrap_servers=list(servers),
            bootstrap_timeout_ms=CONNECT_WITHIN_MS,
            max_block_ms=CONNECT_WITHIN_MS,  # for what the broker knows of the topic; the client's own is a minute
            acks="all",
            enable_idempotence=False,  # a record that is written twice is known by the id in it
            allow_auto_create_topics=False,
        )
        with closing(producer):
            answer = producer.send(topic, value, key=key.encode(), partition=partition)
            written = answer.get(timeout=ACKNOWLEDGED_WITHIN_S)
    return written.topic, written.partition, written.offset
