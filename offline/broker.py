"""Reading from Kafka what a replay and a verification must know: that it is there, and where its partitions end."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from textwrap import shorten
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream.errors import EbbError

ANSWER_WITHIN_S = 30.0  # a partition that is being moved to another broker answers within seconds
POLL_MS = 200
NEAREST_OFFSETS = 64  # where the last record of nearly every log lies; markers take one offset each
FARTHER_TIMES = 8  # a long aborted transaction is stepped over in a few fetches, read little more than once
CONNECT_WITHIN_MS = 10_000
SAID_AT_MOST = 200  # characters of an error of the client, which may hold all topics that a broker has told


class BrokerError(EbbError):
    """Kafka cannot be reached, or does not do what was asked."""


@contextmanager
def broker_errors(servers: Sequence[str]) -> Iterator[None]:
    """Turn errors of the Kafka client into `BrokerError`s that name the servers.

    Raises:
        BrokerError: the client has failed.
    """
    try:
        yield
    except KafkaError as error:
        said = shorten(str(error) or type(error).__name__, SAID_AT_MOST, placeholder=" …")
        raise BrokerError(f"Kafka at {','.join(servers)}: {said}. Check EBB_KAFKA_SERVERS and that it runs.") from error


def reader(servers: Sequence[str], isolation_level: str = "read_committed", **others: Any) -> KafkaConsumer:
    """A consumer without a group, to be assigned and closed by the caller; `others` are kafka-python's settings."""
    settings = {
        "bootstrap_servers": list(servers),
        "bootstrap_timeout_ms": CONNECT_WITHIN_MS,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",  # where retention has taken a record meanwhile: the oldest that is left
        "isolation_level": isolation_level,
    }
    return KafkaConsumer(**settings | others)


def end_offsets(servers: Sequence[str], topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """The next offset of every partition of the topics: (topic, partition) -> offset.

    It is the high watermark of a fetch. The end that the embedded broker answers when asked for it lies within the last
    batch (1 after a first batch of 3 records).

    Raises:
        BrokerError: Kafka is away, or a topic does not exist.
    """
    with broker_errors(servers), closing(reader(servers, "read_uncommitted")) as consumer:
        partitions = [
            TopicPartition(topic, partition) for topic in topics for partition in sorted(partitions_of(consumer, topic))
        ]
        starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        filled = [partition for partition in partitions if ends[partition] > starts[partition]]
        ends.update(_high_watermarks(consumer, {partition: ends[partition] - 1 for partition in filled}))
    return {(partition.topic, partition.partition): ends[partition] for partition in partitions}


def readable_ends(servers: Sequence[str], topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """The offset behind the last record that a reader of committed records gets: (topic, partition) -> offset.

    It is 0 where there is none, and lower than `end_offsets` where a log ends with markers of transactions, with what
    was aborted, or with a transaction that is still open: nobody applies those.

    Raises:
        BrokerError: Kafka is away, or a topic does not exist.
    """
    ends = {TopicPartition(*place): end for place, end in end_offsets(servers, topics).items()}
    with broker_errors(servers), closing(reader(servers, "read_uncommitted")) as consumer:
        starts, listed = consumer.beginning_offsets(list(ends)), consumer.end_offsets(list(ends))
    with broker_errors(servers), closing(reader(servers)) as consumer:
        stable = consumer.end_offsets(list(ends))  # both answers lie within the last batch of the embedded broker
        above = {tp: min(end, stable[tp]) if stable[tp] < listed[tp] else end for tp, end in ends.items()}
        found = _behind_last_records(consumer, starts, above)
    return {(tp.topic, tp.partition): found.get(tp, 0) for tp in ends}


def _behind_last_records(
    consumer: KafkaConsumer, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Search each log backwards from its end, farther and farther; what has no record is left out."""
    found: dict[TopicPartition, int] = {}
    above = {tp: end for tp, end in ends.items() if end > starts[tp]}
    offsets = NEAREST_OFFSETS
    while above:
        below = {tp: max(starts[tp], end - offsets) for tp, end in above.items()}
        found |= _behind_last_between(consumer, below, above)
        above = {tp: offset for tp, offset in below.items() if tp not in found and offset > starts[tp]}
        offsets *= FARTHER_TIMES
    return found


def _behind_last_between(
    consumer: KafkaConsumer, below: Mapping[TopicPartition, int], above: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The offset behind the last record from `below` on and before `above`, of each log that has one there."""
    consumer.assign(list(below))
    for tp, offset in below.items():
        consumer.seek(tp, offset)
    found: dict[TopicPartition, int] = {}
    positions, deadline = dict(below), monotonic() + ANSWER_WITHIN_S
    while missing := [tp for tp in above if positions[tp] < above[tp]]:
        for tp, records in consumer.poll(timeout_ms=POLL_MS).items():
            readable = [record.offset for record in records if record.offset < above[tp]]
            found |= {tp: readable[-1] + 1} if readable else {}
        before, positions = positions, {tp: consumer.position(tp) for tp in above}
        if positions != before:
            deadline = monotonic() + ANSWER_WITHIN_S
        elif monotonic() > deadline:
            raise _silent(missing, "what is at the end of")
    return found


def partitions_of(consumer: KafkaConsumer, topic: str) -> set[int]:
    """The partitions of a topic.

    Raises:
        BrokerError: the topic does not exist.
    """
    partitions: set[int] | None = consumer.partitions_for_topic(topic)
    if not partitions:
        raise BrokerError(f"Topic {topic} does not exist. `ebb worker` and `ebb replay` create all topics.")
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
            raise _silent([partition for partition in positions if partition not in found], "the end of")
        consumer.poll(timeout_ms=POLL_MS)
        marks = {partition: consumer.highwater(partition) for partition in positions}
        found = {partition: mark for partition, mark in marks.items() if mark is not None}
    return found


def _silent(partitions: Sequence[TopicPartition], what: str) -> BrokerError:
    missing = ", ".join(f"{partition.topic}-{partition.partition}" for partition in partitions)
    return BrokerError(f"Kafka did not say within {ANSWER_WITHIN_S:.0f} s {what} {missing}. Is a broker down?")
