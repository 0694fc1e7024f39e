"""Bringing an archive of Kafka's topics up to date: what readers of committed records get, each record once."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import OffsetOutOfRangeError

from offline.archive.files import files
from offline.archive.reading import last_record, topic_id_of
from offline.archive.records import ArchivedRecord
from offline.archive.standing import load_standing
from offline.archive.writing import LogArchive
from offline.broker import (
    ANSWER_WITHIN_S,
    CONNECT_WITHIN_MS,
    POLL_MS,
    BrokerError,
    broker_errors,
    readable_ends,
    reader,
)
from schemas.topics import INPUT_BYTES_MAX, INPUT_TOPICS, LABELS, PASSED_OVER
from stream.errors import LogRecreatedError

ARCHIVED_TOPICS = (*INPUT_TOPICS, LABELS)
"""What a customer's state and the models are functions of."""

NO_TOPIC_ID = "0" * 32

Place = tuple[str, int]
"""(topic, partition)."""

OnProgress = Callable[[int, int], None]
"""Is told how many offsets of how many are done."""


@dataclass(frozen=True)
class Archived:
    """What a run has added: records, and per topic-partition the offsets (from, until before) that it found gone."""

    records: int
    lost: Mapping[Place, tuple[int, int]]


def archive_topics(servers: Sequence[str], folder: Path, on_progress: OnProgress | None = None) -> Archived:
    """Add to an archive whatever can be read now and is not there yet. The caller holds the lock of the archive.

    Raises:
        LogRecreatedError: a topic is not the one that was archived.
        ArchiveError: a file of the archive is damaged.
        BrokerError: Kafka is away, or a topic does not exist.
    """
    ends = readable_ends(servers, ARCHIVED_TOPICS)
    with broker_errors(servers), closing(archive_reader(servers)) as consumer:
        starts = consumer.beginning_offsets([TopicPartition(*place) for place in ends])
        ids, standing = _topic_ids(servers, ARCHIVED_TOPICS), load_standing(folder)
        remade = standing.remade if standing else {}
        logs = {
            TopicPartition(*place): _Log(
                folder, place, ids.get(place[0], ""), starts[TopicPartition(*place)], end, remade.get(place[0], "")
            )
            for place, end in ends.items()
        }
        _read(consumer, logs, on_progress)
    lost = {(tp.topic, tp.partition): log.lost for tp, log in logs.items() if log.lost}
    return Archived(sum(log.records for log in logs.values()), lost)


class _Log:
    """One topic-partition on its way into the archive, from where the archive ends to where Kafka ended."""

    def __init__(
        self, folder: Path, place: Place, topic_id: str, log_start: int, end: int, remade_id: str = ""
    ) -> None:
        self._place, self.end, self.records = place, end, 0
        self.lost: tuple[int, int] | None = None
        self._known = last_record(folder, *place)
        self._check(folder, topic_id, remade_id)
        self.archive = LogArchive(folder, *place, topic_id)
        if log_start > self.archive.position:
            self.lose(log_start)
        # the last archived record is read once more, to see that the log is still the same
        self.start = max(log_start, min(self.archive.position, self._known.offset if self._known else end))

    def _check(self, folder: Path, topic_id: str, remade_id: str) -> None:
        found = files(folder, *self._place)
        archived_id = topic_id_of(found[-1]) if found else ""
        if found and self.end < found[-1].end and self.end:
            raise _recreated(self._place, f"ends at offset {self.end:,}, and {found[-1].end:,} are archived")
        if archived_id and topic_id and topic_id not in (archived_id, remade_id):
            raise _recreated(self._place, "has another id than the one that was archived")

    def lose(self, log_start: int) -> None:
        """Kafka has nothing before this offset any more."""
        self.lost = (self.archive.position, log_start)
        self.archive.skip_to(log_start)

    def add(self, records: Sequence[ArchivedRecord]) -> None:
        """Add what is new of the next records."""
        if self._known and records and records[0].offset == self._known.offset:
            _compare(self._place, self._known, records[0])
        new = [record for record in records if self.archive.position <= record.offset < self.end]
        self.archive.add(new)
        self.records += len(new)


def _read(consumer: KafkaConsumer, logs: Mapping[TopicPartition, _Log], on_progress: OnProgress | None) -> None:
    waiting = {tp: log for tp, log in logs.items() if log.start < log.end}
    consumer.assign(list(waiting))
    for tp, log in waiting.items():
        consumer.seek(tp, log.start)
    positions = {tp: log.start for tp, log in waiting.items()}
    total = sum(log.end - log.start for log in waiting.values())
    deadline_s = monotonic() + ANSWER_WITHIN_S
    while missing := [tp for tp, log in waiting.items() if positions[tp] < log.end]:
        for tp, records in _poll(consumer, waiting).items():
            waiting[tp].add(records)
        before, positions = positions, {tp: consumer.position(tp) for tp in waiting}
        if positions != before:
            deadline_s = monotonic() + ANSWER_WITHIN_S
        elif monotonic() > deadline_s:
            place = f"{missing[0].topic}-{missing[0].partition}"
            raise BrokerError(f"Kafka sent nothing of {place} for {ANSWER_WITHIN_S:.0f} s. Is a broker down?")
        if on_progress:
            on_progress(sum(min(positions[tp], log.end) - log.start for tp, log in waiting.items()), total)
        for tp in [tp for tp in missing if positions[tp] >= waiting[tp].end]:
            consumer.pause(tp)
    for log in waiting.values():
        log.archive.flush()


def _poll(
    consumer: KafkaConsumer, logs: Mapping[TopicPartition, _Log]
) -> Mapping[TopicPartition, list[ArchivedRecord]]:
    """The next records; nothing, when retention was quicker than we, which is noted."""
    try:
        found: dict[TopicPartition, list[ArchivedRecord]] = consumer.poll(timeout_ms=POLL_MS)
    except OffsetOutOfRangeError:
        starts = consumer.beginning_offsets(list(logs))
        gone = {tp: start for tp, start in starts.items() if start > consumer.position(tp)}
        if not gone:
            raise
        for tp, start in gone.items():
            logs[tp].lose(start)
            consumer.seek(tp, start)
        return {}
    return found


def _compare(place: Place, known: ArchivedRecord, found: ArchivedRecord) -> None:
    if found.key == PASSED_OVER:
        return  # deleted, but the broker has crashed before it noted that
    if _fingerprint(known) != _fingerprint(found):
        raise _recreated(place, f"holds another record at offset {known.offset:,} than was archived")


def _fingerprint(record: ArchivedRecord) -> tuple[int, bytes | None, int]:
    return record.timestamp, record.key, zlib.crc32(record.value or b"")


def _recreated(place: Place, what: str) -> LogRecreatedError:
    return LogRecreatedError(
        f"Topic {place[0]} partition {place[1]} {what}: it was deleted and made again. Nothing was mixed in. Archive "
        "into another folder (--to), and keep this one: it is the history of the log that is gone."
    )


def _topic_ids(servers: Sequence[str], topics: Sequence[str]) -> dict[str, str]:
    """The ids that Kafka has given topics; those it does not tell are absent."""
    with (
        broker_errors(servers),
        closing(KafkaAdminClient(bootstrap_servers=list(servers), bootstrap_timeout_ms=CONNECT_WITHIN_MS)) as admin,
    ):
        found = {each["name"]: told_id(each) for each in admin.describe_topics(list(topics))}
    return {name: topic_id for name, topic_id in found.items() if topic_id}


def told_id(described: Mapping[str, Any]) -> str:
    """The id that Kafka's description of a topic tells, in hexadecimal; empty where it tells none.

    >>> told_id({"topic_id": "0f3c5f9e-0000-4000-8000-000000000001"}), told_id({"topic_id": None})
    ('0f3c5f9e000040008000000000000001', '')
    """
    topic_id = str(described.get("topic_id") or "").replace("-", "")
    return "" if topic_id == NO_TOPIC_ID else topic_id


def archive_reader(servers: Sequence[str]) -> KafkaConsumer:
    """A consumer that says when retention has taken what it was to read."""
    return reader(
        servers,
        auto_offset_reset="none",  # what retention takes meanwhile must be noticed
        max_poll_records=10_000,
        max_partition_fetch_bytes=INPUT_BYTES_MAX,
    )
