"""Publishing a history to Kafka, day by day, with the clock records that make it a replay (docs/architecture.md).

Events and clock records go to different topics, and nothing orders topics. So a clock record is sent when every event
before it is acknowledged, and says in `ends` how far each event topic of its partition goes. Acknowledgements of a day
are not waited for before the next day's events are sent, only before the day's clock records are.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

import msgspec
from kafka import KafkaProducer

from offline.broker import BrokerError, broker_errors, end_offsets
from offline.days import days
from offline.history import History
from schemas.clock import ClockRecord
from schemas.events import Event
from schemas.partition import partition_of
from schemas.topics import CLOCK, INPUT_BYTES_MAX, INPUT_TOPICS, KINDS_OF

EVENT_TOPICS = tuple(topic for topic in INPUT_TOPICS if topic != CLOCK)
DAYS_IN_FLIGHT = 32  # of Online Retail about 2,300 events; enough for full batches, and clock records stay close behind
ACKNOWLEDGED_WITHIN_S = 120.0
REPORT_EVERY = 200  # events between two calls of `on_progress` within a day

_TOPIC_OF = {kind: topic for topic in EVENT_TOPICS for kind in KINDS_OF[topic]}


@dataclass(frozen=True)
class Progress:
    """How far a replay is: events sent of `total`, and the history's time that has been reached, in ms."""

    events: int
    total: int
    time_ms: int


@dataclass(frozen=True)
class Replayed:
    """What a replay has written, all of it acknowledged."""

    events: int
    clock_records: int
    days: int
    """UTC days of the history, from the first event's to the last one's."""


OnProgress = Callable[[Progress], None]


def publish(
    history: History,
    servers: list[str],
    partitions: int,
    on_progress: OnProgress | None = None,
    rate: float | None = None,
) -> Replayed:
    """Write a history to the input topics, which exist.

    Each event goes to the partition of its customer, a guest's to that of its event id. Kafka timestamps are the time of
    writing: brokers delete old ones.

    Args:
        history: events in order of time.
        servers: host:port of brokers.
        partitions: of every input topic.
        on_progress: called every few hundred events and at every day.
        rate: at most so many events per second; None is as fast as possible.

    Raises:
        BrokerError: Kafka is away, a topic is missing or has another number of partitions, or a record is refused.
    """
    with broker_errors(servers), _producer(servers) as producer:
        written = _Written(producer, _first_ends(servers, partitions), partitions)
        pace = _pace(rate)
        sent = 0
        for time_ms, events in days(history.events):
            unacknowledged = []
            for event in events:
                next(pace)
                unacknowledged.append(written.send(event))
                sent += 1
                if on_progress and sent % REPORT_EVERY == 0:
                    on_progress(Progress(sent, len(history.events), event.event_time_ms))
            written.close(time_ms, unacknowledged)
            if on_progress:
                on_progress(Progress(sent, len(history.events), time_ms))
        clock_records = written.finish()
    # The first and the last clock time are no midnight in between, so there is one fewer day than moments.
    return Replayed(sent, clock_records, max(0, clock_records // partitions - 1))


@dataclass
class _Written:
    """What has been sent, and which of it is acknowledged.

    Attributes:
        ends: (topic, partition) -> next offset after what is acknowledged.
        open_days: (clock time, events whose acknowledgement it waits for), oldest first.
    """

    producer: KafkaProducer
    ends: dict[tuple[str, int], int]
    partitions: int
    open_days: deque[tuple[int, list[Any]]] = field(default_factory=deque)
    clock_records: list[Any] = field(default_factory=list)
    encode: Callable[[object], bytes] = field(default_factory=lambda: msgspec.json.Encoder().encode)

    def send(self, event: Event) -> Any:
        """Send an event; the answer tells later where it was written."""
        key = event.customer_id or event.event_id
        return self.producer.send(
            _TOPIC_OF[type(event)],
            key=key.encode(),
            value=self.encode(event),
            partition=partition_of(key, self.partitions),
        )

    def close(self, time_ms: int, unacknowledged: list[Any]) -> None:
        """A moment of the clock has come. Its records, and those of moments before it, are sent when they may be."""
        self.open_days.append((time_ms, unacknowledged))
        while self.open_days and (
            len(self.open_days) > DAYS_IN_FLIGHT or all(answer.is_done for answer in self.open_days[0][1])
        ):
            self._tell_time()

    def finish(self) -> int:
        """Wait until everything is acknowledged; how many clock records there were."""
        while self.open_days:
            self._tell_time()
        for answer in self.clock_records:
            answer.get(timeout=ACKNOWLEDGED_WITHIN_S)
        return len(self.clock_records)

    def _tell_time(self) -> None:
        time_ms, unacknowledged = self.open_days.popleft()
        for answer in unacknowledged:
            written = answer.get(timeout=ACKNOWLEDGED_WITHIN_S)
            self.ends[written.topic, written.partition] = written.offset + 1
        for partition in range(self.partitions):
            ends = {topic: self.ends[topic, partition] for topic in EVENT_TOPICS}
            record = self.encode(ClockRecord(time_ms=time_ms, ends=ends))
            self.clock_records.append(self.producer.send(CLOCK, value=record, partition=partition))


@contextmanager
def _producer(servers: Sequence[str]) -> Iterator[KafkaProducer]:
    producer = KafkaProducer(
        bootstrap_servers=list(servers),
        acks="all",
        # One request at a time keeps the order of a partition also when one is repeated, on brokers without idempotent
        # producers too; a record that is written twice is known by its event id.
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        # The checksum is Python: 4,300 events/s of 1.5 kB uncompressed, 24,600 with a tenth of the bytes.
        compression_type="gzip",
        batch_size=512 * 1024,
        linger_ms=5,
        max_request_size=INPUT_BYTES_MAX,
        allow_auto_create_topics=False,
    )
    try:
        yield producer
    finally:
        producer.close(timeout=ACKNOWLEDGED_WITHIN_S)


def _first_ends(servers: list[str], partitions: int) -> dict[tuple[str, int], int]:
    """Where the event topics end before the replay, once it is sure that topics and partitions are as expected."""
    ends = end_offsets(servers, INPUT_TOPICS)
    for topic in INPUT_TOPICS:
        found = sum(name == topic for name, _ in ends)
        if found != partitions:
            raise BrokerError(f"Topic {topic} has {found} partitions, not {partitions}. Set EBB_PARTITIONS={found}.")
    return ends


def _pace(rate: float | None) -> Iterator[None]:
    """Waits before each step so that there are at most `rate` steps a second."""
    start, steps = monotonic(), 0
    while True:
        if rate is not None:
            sleep(max(0.0, start + steps / rate - monotonic()))
        yield
        steps += 1
