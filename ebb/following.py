"""Messages that Ebb has sent, read back from their topics: all there are, or each as it comes."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from offline.broker import CONNECT_WITHIN_MS, broker_errors, end_offsets
from schemas.messages import ChurnAlertClosed, ChurnAlertOpened, SegmentChanged

POLL_MS = 200  # how long a wish to stop may wait

MarketingMessage = ChurnAlertOpened | ChurnAlertClosed | SegmentChanged
"""What the topics for marketing carry."""

decode_message = msgspec.json.Decoder(MarketingMessage).decode


def published(servers: Sequence[str], topics: Sequence[str]) -> list[MarketingMessage]:
    """All messages of some topics for marketing, partition by partition.

    Raises:
        BrokerError: Kafka is away, or a topic does not exist.
    """
    ends = {place: end for place, end in end_offsets(servers, topics).items() if end}
    messages: list[MarketingMessage] = []
    with _reader(servers, ends, from_start=True) as consumer:
        while any(consumer.position(TopicPartition(*place)) < end for place, end in ends.items()):
            messages.extend(decode_message(record.value) for record in _next(consumer))
    return messages


def follow(servers: Sequence[str], topics: Sequence[str], *, from_start: bool) -> Generator[list[ConsumerRecord]]:
    """Records of some topics as they come, for ever; an empty list at least every `POLL_MS`, the first one at once.

    Args:
        servers: host:port of Kafka.
        topics: all their partitions are read.
        from_start: begin with the oldest record that is kept, not with the next one.

    Raises:
        BrokerError: Kafka is away at the beginning, or a topic does not exist.
    """
    with _reader(servers, end_offsets(servers, topics), from_start=from_start) as consumer:
        yield []
        while True:
            yield _next(consumer)


@contextmanager
def _reader(
    servers: Sequence[str], ends: Mapping[tuple[str, int], int], *, from_start: bool
) -> Iterator[KafkaConsumer]:
    """A consumer of these partitions, at their beginnings or at these ends, in no group."""
    with broker_errors(servers), closing(_consumer(servers)) as consumer:
        consumer.assign([TopicPartition(*place) for place in ends])
        for place, end in ends.items():
            if from_start:
                consumer.seek_to_beginning(TopicPartition(*place))
            else:
                consumer.seek(TopicPartition(*place), end)
        yield consumer


def _consumer(servers: Sequence[str]) -> KafkaConsumer:
    return KafkaConsumer(
        bootstrap_servers=list(servers),
        bootstrap_timeout_ms=CONNECT_WITHIN_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # where retention has taken the next record: the oldest that is left
    )


def _next(consumer: KafkaConsumer) -> list[ConsumerRecord]:
    return [record for records in consumer.poll(timeout_ms=POLL_MS).values() for record in records]
