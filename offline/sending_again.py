"""Dead letters sent again to the topics they came from, each once, however often one asks.

A letter and the note that it was sent, on `events.replayed`, are one Kafka transaction: both are there or neither, and
workers read only what is committed. Whoever begins ends what an earlier run has left open, then reads the notes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

from offline.addresses import Addressed, key_of, partition_for, topic_of
from offline.broker import CONNECT_WITHIN_MS, BrokerError, broker_errors
from offline.dead_letters import DeadLetter, records_of
from schemas.decode import DecodeRules
from schemas.decode_many import decode_many
from schemas.events import Input
from schemas.identities import Arrival, Release
from schemas.origin import Origin
from schemas.rejection import Rejection
from schemas.topics import CLOCK, INPUT_BYTES_MAX, REPLAYED, REROUTED, SOURCE_TOPICS
from stream.bugs import rejecting_bugs
from stream.errors import EbbError

TRANSACTIONAL_ID = "ebb-dead-letters"  # one at a time: a second run ends the first
LETTERS_AT_ONCE = 200  # of a transaction
TRANSACTION_MS = 15_000  # workers wait so long behind what a run that was killed has left open
ACKNOWLEDGED_WITHIN_S = 10.0
HEADERS_BYTES = 64 * 1024
OF_EVENTS = (*SOURCE_TOPICS, REROUTED)

Fix = Callable[[DeadLetter], DeadLetter | None]


class FixError(EbbError):
    """A `fix` function failed, or returned what is no dead letter."""


class Ready(msgspec.Struct, frozen=True):
    """A record to be sent again."""

    source: Origin
    letter_id: str
    topic: str
    partition: int
    key: bytes
    value: bytes


@dataclass
class SentAgain:
    """What became of the letters that were asked for.

    Attributes:
        sent: now; in a dry run those that would be.
        before: by an earlier run.
        left: why -> how many could not be sent: a reason of docs/events.md, or one of `NO_ORIGIN`, `OF_INGEST`,
            `CLOCK_RECORD`, `INTERNAL` and `LEFT_BY_FIX`.
    """

    sent: int = 0
    before: int = 0
    left: Counter[str] = field(default_factory=Counter)


NO_ORIGIN, OF_INGEST, CLOCK_RECORD = "no_origin", "of_ingest", "clock_record"
INTERNAL, LEFT_BY_FIX = "internal", "left_by_fix"


def send_again(
    letters: Iterable[DeadLetter],
    servers: Sequence[str],
    partitions: int,
    rules: DecodeRules,
    now_ms: int,
    fix: Fix | None = None,
    *,
    dry_run: bool = False,
    on_progress: Callable[[SentAgain], None] = lambda _: None,
) -> SentAgain:
    """Send letters to where they came from, on the partitions of their customers, unless that has been done.

    What would only become a dead letter again is left.

    Args:
        letters: which.
        servers: host:port of Kafka.
        partitions: of every input topic.
        rules: what the deployment accepts.
        now_ms: the Kafka timestamp that the records will have, about.
        fix: changes a letter before it is sent, or leaves it by returning None.
        dry_run: count, send nothing.
        on_progress: told after every transaction.

    Raises:
        BrokerError: Kafka is away, has no transactions, or another run has taken over.
        FixError: `fix` failed. What was sent before stays sent, and is known.
    """
    result = SentAgain()
    with broker_errors(servers), _sender(servers, dry_run=dry_run) as send:
        done = set(_notes(servers))
        waiting: list[Ready] = []
        for letter in letters:
            if letter.source in done:
                result.before += 1
                continue
            ready = _ready(letter, partitions, rules, now_ms, fix)
            if isinstance(ready, str):
                result.left[ready] += 1
                continue
            waiting.append(ready)
            if len(waiting) >= LETTERS_AT_ONCE or sum(len(each.value) for each in waiting) >= INPUT_BYTES_MAX:
                _send(send, waiting, result)
                on_progress(result)
        _send(send, waiting, result)
        on_progress(result)
    return result


Send = Callable[[Sequence[Ready]], None]


def _send(send: Send, waiting: list[Ready], result: SentAgain) -> None:
    if waiting:
        send(waiting)
        result.sent += len(waiting)
        waiting.clear()


def _ready(letter: DeadLetter, partitions: int, rules: DecodeRules, now_ms: int, fix: Fix | None) -> Ready | str:
    """The record to send, or why there is none."""
    if letter.source is None:
        return NO_ORIGIN
    if letter.topic == CLOCK:
        return CLOCK_RECORD
    if letter.topic not in OF_EVENTS:
        return OF_INGEST
    fixed = letter if fix is None else _fixed(letter, fix)
    if fixed is None:
        return LEFT_BY_FIX
    read = rejecting_bugs(lambda topic, values, times_ms: decode_many(topic, values, times_ms, rules))
    (record,) = read(fixed.topic, [fixed.value], [now_ms])
    if not isinstance(record, Addressed):
        return _why_left(record)
    topic = topic_of(record) if fixed.topic == REROUTED else fixed.topic
    return Ready(
        letter.source, letter.id, topic, partition_for(record, partitions), key_of(record).encode(), fixed.value or b""
    )


def _why_left(record: Input | Rejection) -> str:
    if isinstance(record, Rejection):
        return record.reason
    return INTERNAL if isinstance(record, Arrival | Release) else CLOCK_RECORD


def _fixed(letter: DeadLetter, fix: Fix) -> DeadLetter | None:
    """The letter as a user's function has changed it: its topic and value count, its place stays.

    Raises:
        FixError: it failed.
    """
    try:
        fixed = fix(letter)
    except Exception as error:
        raise FixError(f"fix failed on dead letter {letter.id}: {type(error).__name__}: {error}") from error
    if fixed is None:
        return None
    if not isinstance(fixed, DeadLetter) or not isinstance(fixed.value, bytes | None):
        raise FixError(
            f"fix returned {type(fixed).__name__} for dead letter {letter.id}. Return the letter, changed by "
            "dataclasses.replace(letter, value=bytes), or None to leave it."
        )
    if fixed.topic not in OF_EVENTS:
        raise FixError(
            f"fix put dead letter {letter.id} on topic {fixed.topic!r}. Events go to {', '.join(SOURCE_TOPICS)}."
        )
    return replace(fixed, source=letter.source)


def _notes(servers: Sequence[str]) -> Iterator[Origin]:
    """The places of the letters that have been sent."""
    read = msgspec.json.Decoder(Origin).decode
    for record in records_of(servers, REPLAYED):
        try:
            yield read(record.value or b"")
        except msgspec.MsgspecError as error:
            raise BrokerError(
                f"{REPLAYED} partition {record.partition} offset {record.offset} is no note of a letter sent: {error}. "
                "Somebody else writes to this topic; what has been sent is not certain."
            ) from error


@contextmanager
def _sender(servers: Sequence[str], *, dry_run: bool) -> Iterator[Send]:
    """Sends records and their notes in one transaction."""
    if dry_run:
        yield lambda _: None
        return
    with closing(_producer(servers)) as producer:
        _begin(producer, servers)
        yield lambda ready: _transaction(producer, ready)


def _producer(servers: Sequence[str]) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=list(servers),
        bootstrap_timeout_ms=CONNECT_WITHIN_MS,
        transactional_id=TRANSACTIONAL_ID,
        transaction_timeout_ms=TRANSACTION_MS,
        acks="all",
        compression_type=None,
        max_request_size=INPUT_BYTES_MAX + HEADERS_BYTES,
        allow_auto_create_topics=False,
    )


def _begin(producer: KafkaProducer, servers: Sequence[str]) -> None:
    """End what an earlier run has left open, and keep it from going on."""
    try:
        producer.init_transactions()
    except KafkaError as error:
        raise BrokerError(
            f"Kafka at {','.join(servers)} begins no transaction: {error or type(error).__name__}. Dead letters are "
            "sent again by transactions alone, so that each counts once."
        ) from error


def _transaction(producer: KafkaProducer, records: Sequence[Ready]) -> None:
    try:
        producer.begin_transaction()
        answers = [answer for ready in records for answer in _sent(producer, ready)]
        for answer in answers:
            answer.get(timeout=ACKNOWLEDGED_WITHIN_S)
        producer.commit_transaction()
    except KafkaError as error:
        if _is_fenced(error):
            raise BrokerError("Another 'ebb dead-letters replay' has begun, and goes on with the rest.") from error
        producer.abort_transaction()
        raise


def _is_fenced(error: KafkaError) -> bool:
    """Whether another producer has taken over; kafka-python names it in a general error too."""
    names = (ProducerFencedError, InvalidProducerEpochError)
    return isinstance(error, names) or any(name.__name__ in str(error) for name in names)


def _sent(producer: KafkaProducer, ready: Ready) -> Iterator[Any]:
    headers = [("dead_letter", ready.letter_id.encode())]
    yield producer.send(ready.topic, ready.value, key=ready.key, headers=headers, partition=ready.partition)
    yield producer.send(REPLAYED, msgspec.json.encode(ready.source), partition=0)
