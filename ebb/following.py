"""Messages that Ebb has sent, read back from their topics: all there are, or each as it comes."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from time import monotonic

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import RetriableError

from ebb.outage import Outage
from offline.broker import CONNECT_WITHIN_MS, broker_errors, end_offsets
from schemas.messages import ChurnAlertClosed, ChurnAlertOpened, SegmentChanged

POLL_MS = 200  # how long a wish to stop may wait while Kafka is there
ASK_EVERY_S = 2.0  # whether Kafka is there: a fetch that nobody answers looks like one that has found nothing
ANSWER_WITHIN_MS = 1_000  # how long a wish to stop may wait otherwise
CONNECT_EVERY_MS = 1_000  # the client's own backoff would have it away for 30 s more
GIVE_UP_AFTER_S = 300.0  # a broker has restarted long before

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


def follow(
    servers: Sequence[str],
    topics: Sequence[str],
    tell: Callable[[str], None],
    *,
    from_start: bool,
    give_up_after_s: float = GIVE_UP_AFTER_S,
) -> Generator[list[ConsumerRecord]]:
    """Records of some topics as they come, for ever; an empty list at least every 1.2 s, the first one at once.

    While Kafka is away it tries again, and goes on behind the last record once it is back.

    Args:
        servers: host:port of Kafka.
        topics: all their partitions are read.
        tell: is told that Kafka has gone away, and that it is back.
        from_start: begin with the oldest record that is kept, not with the next one.
        give_up_after_s: how long it may be away.

    Raises:
        BrokerError: Kafka is away at the beginning or for `give_up_after_s`, or a topic does not exist.
    """
    with _reader(servers, end_offsets(servers, topics), from_start=from_start) as consumer:
        yield []
        asked_s = monotonic()
        outage = Outage(servers, topics, asked_s, give_up_after_s)
        while True:
            yield _next(consumer)
            if monotonic() < asked_s + ASK_EVERY_S:
                continue
            is_there, asked_s = _answers(consumer), monotonic()
            if said := outage.answered(asked_s) if is_there else outage.silent(asked_s):
                tell(said)


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
        fetch_max_wait_ms=POLL_MS,  # a question waits behind a fetch
        reconnect_backoff_max_ms=CONNECT_EVERY_MS,
        auto_offset_reset="earliest",  # where retention has taken the next record: the oldest that is left
    )


def _next(consumer: KafkaConsumer) -> list[ConsumerRecord]:
    return [record for records in consumer.poll(timeout_ms=POLL_MS).values() for record in records]


def _answers(consumer: KafkaConsumer) -> bool:
    """Whether all partitions that it reads can be asked for something."""
    try:
        consumer.end_offsets(list(consumer.assignment()), timeout_ms=ANSWER_WITHIN_MS)
    except RetriableError:
        return False
    return True
