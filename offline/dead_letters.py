"""Dead letters read back from `events.invalid`: what could not be applied, why, and where it was written."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from offline.broker import ANSWER_WITHIN_S, POLL_MS, BrokerError, broker_errors, readable_ends, reader
from schemas.origin import Origin, origin_of
from schemas.topics import INPUT_TOPICS, INVALID

LETTER_ID = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")


@dataclass(frozen=True)
class DeadLetter:
    """A record that could not be applied. A `fix` function gets one and returns it with another value or topic.

    Attributes:
        id: where it lies on `events.invalid`, as partition:offset.
        topic: where its producer had written it, one of ours or one that `ebb ingest` reads; empty when the record does
            not say so.
        key: of the record, as it came.
        value: of the record, as it came; None of a tombstone.
        reason: one of docs/events.md.
        field: the path of the field at fault, or empty.
        detail: what is wrong, in one line.
        source: its place there; None of what neither a worker nor `ebb ingest` has written.
        written_ms: when it became a dead letter, ms since 1970.
        headers: all of them.
    """

    id: str
    topic: str
    key: bytes | None
    value: bytes | None
    reason: str
    field: str
    detail: str
    source: Origin | None
    written_ms: int
    headers: Sequence[tuple[str, bytes]] = ()


def dead_letter_of(record: Any) -> DeadLetter:
    """What a record of `events.invalid` says. Whoever wrote it, nothing in it raises."""
    headers = list(record.headers)
    told = {name: (text or b"").decode(errors="backslashreplace") for name, text in headers}
    topic = told.get("source_topic")
    source = origin_of(headers, (*INPUT_TOPICS, topic) if topic else INPUT_TOPICS)
    return DeadLetter(
        id=f"{record.partition}:{record.offset}",
        topic=source.topic if source else "",
        key=record.key,
        value=record.value,
        reason=told.get("reason") or "unknown",
        field=told.get("field", ""),
        detail=told.get("detail", ""),
        source=source,
        written_ms=record.timestamp,
        headers=headers,
    )


def read_dead_letters(servers: Sequence[str]) -> Iterator[DeadLetter]:
    """Every dead letter that is there now, partition by partition in order, each once.

    An outbox publishes at least once: what names a place that was named before is left out.

    Raises:
        BrokerError: Kafka is away, or there is no such topic.
    """
    named: set[Origin] = set()
    for record in records_of(servers, INVALID):
        letter = dead_letter_of(record)
        if letter.source is None or letter.source not in named:
            yield letter
        if letter.source is not None:
            named.add(letter.source)


def find_dead_letter(servers: Sequence[str], letter_id: str) -> DeadLetter | None:
    """The dead letter with this id; None when there is none, or none any more.

    Raises:
        BrokerError: Kafka is away, or there is no such topic.
    """
    named = LETTER_ID.fullmatch(letter_id)
    if named is None:
        return None
    tp, offset = TopicPartition(INVALID, int(named[1])), int(named[2])
    end = readable_ends(servers, [INVALID]).get((INVALID, tp.partition), 0)
    with broker_errors(servers), closing(reader(servers)) as consumer:
        if offset < end:
            consumer.assign([tp])
            consumer.seek(tp, offset)
            while consumer.position(tp) < end:
                for record in _next(servers, consumer, tp):
                    return dead_letter_of(record) if record.offset == offset else None
    return None


def records_of(servers: Sequence[str], topic: str) -> Iterator[Any]:
    """The records of a topic that can be read now.

    Raises:
        BrokerError: Kafka is away, or there is no such topic.
    """
    ends = {TopicPartition(*place): end for place, end in readable_ends(servers, [topic]).items() if end}
    with broker_errors(servers), closing(reader(servers)) as consumer:
        for tp, end in ends.items():  # one after another, so that the order is that of the logs
            consumer.assign([tp])
            consumer.seek_to_beginning(tp)
            while consumer.position(tp) < end:
                yield from (record for record in _next(servers, consumer, tp) if record.offset < end)


def _next(servers: Sequence[str], consumer: KafkaConsumer, tp: TopicPartition) -> Sequence[Any]:
    """What the next fetch brings: records, or none where it has passed what nobody can read.

    Raises:
        BrokerError: Kafka answers nothing.
    """
    until_s, before = monotonic() + ANSWER_WITHIN_S, consumer.position(tp)
    while monotonic() < until_s:
        records: Sequence[Any] = consumer.poll(timeout_ms=POLL_MS).get(tp, ())
        if records or consumer.position(tp) != before:
            return records
    raise BrokerError(
        f"Kafka at {','.join(servers)} did not send {tp.topic} partition {tp.partition} within "
        f"{ANSWER_WITHIN_S:.0f} s. Is a broker down?"
    )
