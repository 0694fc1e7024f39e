"""Publishing a history to Kafka, day by day, with the clock records that make it a replay (docs/architecture.md).

Events and clock records go to different topics, and nothing orders topics. So a clock record is sent when every event
before it is acknowledged, and says in `ends` how far each event topic of its partition goes. The events of following
days are on their way meanwhile.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaProducer

from offline.addresses import key_of, partition_for, topic_of
from offline.broker import CONNECT_WITHIN_MS, BrokerError, broker_errors, end_offsets
from offline.days import EVER, days
from offline.history import History
from schemas.clock import ClockRecord
from schemas.topics import CLOCK, INPUT_BYTES_MAX, INPUT_TOPICS, SOURCE_TOPICS

IN_FLIGHT_MAX = 5_000  # records sent and not acknowledged: about 10 MB of Online Retail, a full request at any broker
ACKNOWLEDGED_WITHIN_S = 120.0
CLOSE_WITHIN_S = 5.0  # everything is acknowledged by then, or has failed
REPORT_EVERY = 200  # events between two calls of `on_progress` within a day


@dataclass(frozen=True)
class Progress:
    """How far a replay is: events sent of `total`, and the history's time that has been reached, in ms."""

    events: int
    total: int
    time_ms: int


@dataclass(frozen=True)
class Replayed:
    """What a replay has written, all of it acknowledged. `days` are UTC days from the first event to the last."""

    events: int
    clock_records: int
    days: int


OnProgress = Callable[[Progress], None]


class EventRecord(NamedTuple):
    """An event as it is written to Kafka; `time_ms` is when it happened."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    time_ms: int


Moments = Iterable[tuple[int, Iterable[EventRecord]]]
"""Each moment of the clock in ms, and the events since the one before: `offline.days` says which moments."""


def publish(
    history: History,
    servers: list[str],
    partitions: int,
    on_progress: OnProgress | None = None,
    rate: float | None = None,
    counted: range = EVER,
) -> Replayed:
    """Write a history to the input topics, which exist.

    Each event goes to the partition of its customer, a guest's to that of its event id. Kafka timestamps are the time
    of writing: brokers delete old ones.

    Args:
        history: events in order of time.
        servers: host:port of brokers.
        partitions: of every input topic.
        on_progress: called every few hundred events and at every moment of the clock.
        rate: at most so many events per second; None is as fast as possible.
        counted: the times that move the clock, as `offline.days` has it.

    Raises:
        BrokerError: Kafka is away, a topic is missing or has another number of partitions, or a record is refused.
    """
    return publish_moments(
        _moments(history, partitions, counted), len(history.events), servers, partitions, on_progress, rate
    )


def publish_moments(
    moments: Moments,
    total: int,
    servers: list[str],
    partitions: int,
    on_progress: OnProgress | None = None,
    rate: float | None = None,
) -> Replayed:
    """The same for events that are encoded already; `total` is only for `on_progress`."""
    sent, told = 0, 0
    report = on_progress or _no_report
    with broker_errors(servers), event_producer(servers) as producer:
        log = _Log(producer, first_ends(servers, partitions), partitions)
        pace = paced(rate)
        for time_ms, events in moments:
            for event in events:
                next(pace)
                log.send(event)
                sent += 1
                if sent % REPORT_EVERY == 0:
                    report(Progress(sent, total, event.time_ms))
            log.tell_time(time_ms)
            told += 1
            report(Progress(sent, total, time_ms))
        log.finish()
    return Replayed(sent, told * partitions, max(0, told - 1))  # one moment ends the last day, the others begin one


def _moments(history: History, partitions: int, counted: range) -> Moments:
    encode = msgspec.json.Encoder().encode
    for time_ms, events in days(history.events, counted):
        yield (
            time_ms,
            (
                EventRecord(
                    topic_of(event),
                    partition_for(event, partitions),
                    key_of(event).encode(),
                    encode(event),
                    event.event_time_ms,
                )
                for event in events
            ),
        )


@dataclass
class _Log:
    """The input topics as this replay writes them.

    Attributes:
        ends: (topic, partition) -> next offset after what is acknowledged.
        waiting: in the order of the history, answers to events that were sent and moments of the clock to be told.
    """

    producer: KafkaProducer
    ends: dict[tuple[str, int], int]
    partitions: int
    waiting: deque[Any] = field(default_factory=deque)
    clock_answers: list[Any] = field(default_factory=list)
    encode: Callable[[object], bytes] = field(default_factory=lambda: msgspec.json.Encoder().encode)

    def send(self, event: EventRecord) -> None:
        answer = self.producer.send(event.topic, key=event.key, value=event.value, partition=event.partition)
        self.waiting.append(answer)
        self._settle(IN_FLIGHT_MAX)

    def tell_time(self, time_ms: int) -> None:
        """Send the clock records of this moment as soon as every event sent so far is acknowledged."""
        self.waiting.append(time_ms)
        self._settle(IN_FLIGHT_MAX)

    def finish(self) -> None:
        """Wait until everything is acknowledged."""
        self._settle(0)
        for answer in self.clock_answers:
            answer.get(timeout=ACKNOWLEDGED_WITHIN_S)

    def _settle(self, waiting_max: int) -> None:
        """Take from the front what is settled, and wait for what is not while more than `waiting_max` are waiting."""
        waiting = self.waiting
        while waiting and (isinstance(waiting[0], int) or waiting[0].is_done or len(waiting) > waiting_max):
            first = waiting.popleft()
            if isinstance(first, int):
                self._send_clock_records(first)
            else:
                written = first.get(timeout=ACKNOWLEDGED_WITHIN_S)
                self.ends[written.topic, written.partition] = written.offset + 1

    def _send_clock_records(self, time_ms: int) -> None:
        for partition in range(self.partitions):
            ends = {topic: self.ends[topic, partition] for topic in SOURCE_TOPICS}
            record = self.encode(ClockRecord(time_ms=time_ms, ends=ends))
            self.clock_answers.append(self.producer.send(CLOCK, value=record, partition=partition))


@contextmanager
def event_producer(servers: Sequence[str]) -> Iterator[KafkaProducer]:
    """A producer that keeps the order of a partition, and what was sent when it is closed."""
    producer = KafkaProducer(
        bootstrap_servers=list(servers),
        bootstrap_timeout_ms=CONNECT_WITHIN_MS,
        acks="all",
        # One request at a time keeps the order of a partition also when one is repeated, on brokers without idempotent
        # producers too; a record that is written twice is known by its event id.
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        # 25,000 events/s of Online Retail on one core. kafka-python would compress with gzip at its slowest: 7,000.
        compression_type=None,
        batch_size=512 * 1024,
        linger_ms=5,
        max_request_size=INPUT_BYTES_MAX,
        allow_auto_create_topics=False,
    )
    try:
        yield producer
    finally:
        producer.close(timeout=CLOSE_WITHIN_S)


def first_ends(servers: list[str], partitions: int) -> dict[tuple[str, int], int]:
    """Where the event topics end before the replay, once it is sure that topics and partitions are as expected.

    Raises:
        BrokerError: Kafka is away, or a topic has another number of partitions.
    """
    ends = end_offsets(servers, INPUT_TOPICS)
    for topic in INPUT_TOPICS:
        found = sum(name == topic for name, _ in ends)
        if found != partitions:
            raise BrokerError(f"Topic {topic} has {found} partitions, not {partitions}. Set EBB_PARTITIONS={found}.")
    return ends


def paced(rate: float | None) -> Iterator[None]:
    """Waits before each step so that there are at most `rate` steps a second."""
    start, steps = monotonic(), 0
    while True:
        if rate is not None:
            sleep(max(0.0, start + steps / rate - monotonic()))
        yield
        steps += 1


def _no_report(progress: Progress) -> None:
    """Nobody is watching."""
