"""Reading from Kafka what a replay and a verification must know: that it is there, and where its partitions end."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from time import monotonic

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream.errors import EbbError

ANSWER_WITHIN_S = 30.0  # a partition that is being moved to another broker answers within seconds
POLL_MS = 200
CONNECT_WITHIN_MS = 10_000


class BrokerError(EbbError):
    """Kafka cannot be reached, or does not do what was asked."""


@contextmanager
def broker_errors(servers: Sequence[str]) -> Iterator[None]:
    """Turn errors of the Kafka client into `BrokerError`s that name the servers."""
    try:
        yield
    except KafkaError as error:
        raise BrokerError(
            f"Kafka at {','.join(servers)}: {error or type(error).__name__}. Check EBB_KAFKA_SERVERS and that it runs."
        ) from error


def end_offsets(servers: Sequence[str], topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """The next offset of every partition of the topics: (topic, partition) -> offset.

    It is the high watermark of a fetch. The end that the embedded broker answers when asked for it lies within the last
    batch (1 after a first batch of 3 records).

    Raises:
        BrokerError: Kafka is away, or a topic does not exist.
    """
    with broker_errors(servers), closing(_consumer(servers)) as consumer:
        partitions = [
            TopicPartition(topic, partition) for topic in topics for partition in sorted(partitions_of(consumer, topic))
        ]
        starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        filled = [partition for partition in partitions if ends[partition] > starts[partition]]
        ends.update(_high_watermarks(consumer, {partition: ends[partition] - 1 for partition in filled}))
    return {(partition.topic, partition.partition): ends[partition] for partition in partitions}


def _consumer(servers: Sequence[str]) -> KafkaConsumer:
    return KafkaConsumer(
        bootstrap_servers=list(servers), bootstrap_timeout_ms=CONNECT_WITHIN_MS, enable_auto_commit=False
    )


def partitions_of(consumer: KafkaConsumer, topic: str) -> set[int]:
    """The partitions of a topic.

    Raises:
        BrokerError: the topic does not exist.
    """
    partitions: set[int] | None = consumer.partitions_for_topic(topic)
    if not partitions:
        raise BrokerError(f"Topic {topic} does not exist. 'ebb replay' creates all topics.")
    return partitions


def _high_watermarks(consumer: KafkaConsumer, positions: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
    """What a fetch at each of `positions` says about the end of its partition."""
    consumer.assign(list(positions))
    for partition, offset in positions.items():
        consumer.seek(partition, offset)
    found: dict[TopicPartition, int] = {}
    deadline = monotonic() + ANSWER_WITHIN_S
    while len(found) < len(positions):
        if monotonic() > deadline:
            missing = ", ".join(f"{p.topic}-{p.partition}" for p in positions if p not in found)
            raise BrokerError(
                f"Kafka did not say within {ANSWER_WITHIN_S:.0f} s where {missing} ends. Is a broker down?"
            )
        consumer.poll(timeout_ms=POLL_MS)
        marks = {partition: consumer.highwater(partition) for partition in positions}
        found = {partition: mark for partition, mark in marks.items() if mark is not None}
    return found
