"""Is the log still the one Redis has applied? Asked before a partition goes on, and of what was read all the time.

The end that a broker tells when asked for it is not relied on: the embedded one answers with an offset within its last
batch. What a fetch at the last applied record brings is the truth on every broker, and that record can be compared.
"""

import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from schemas.topics import PASSED_OVER
from stream.errors import LogRecreatedError
from stream.metrics import worker as metrics
from stream.ports import LogPosition
from stream.worker.taking_leave import stop_consumer

ANSWER_WITHIN_S = 10.0  # a broker that answers nothing in that time is no proof against the log
POLL_MS = 500
FETCH_BYTES = 64 * 1024  # one record is wanted; a larger batch comes whole


class Reader(NamedTuple):
    """Who has read the log, and what to do when that was another one."""

    has_read: str
    remedy: str


REDIS = Reader(
    "Redis has applied",
    "Wipe Redis and replay the history, or point EBB_REDIS_URL at the Redis of this Kafka.",
)

REPLACED = "The topic was deleted or its data lost."

Positions = Mapping[TopicPartition, LogPosition]
Offsets = Mapping[TopicPartition, int]
NO_STARTS: Offsets = {}

log = structlog.get_logger()


def count_gap(topic: str, lost: int) -> None:
    """Of a worker."""
    metrics.LOG_GAPS.labels(topic).inc(lost)


async def check_logs(
    servers: Sequence[str],
    applied: Positions,
    log_starts: Offsets,
    count_lost: Callable[[str, int], None] = count_gap,
) -> None:
    """See that every log still holds what has been applied of it.

    Args:
        servers: host:port of brokers.
        applied: how far each topic-partition has been applied, and its last record.
        log_starts: the first offset that each log still has.
        count_lost: is told of the records of a topic that retention took.

    Raises:
        LogRecreatedError: a log ends before its position, or has another record there.
        KafkaError: no broker answers.
    """
    for tp, position in applied.items():
        lost = log_starts[tp] - position.next_offset
        if lost > 0:
            count_lost(tp.topic, lost)
            log.error("records were lost to retention", topic=tp.topic, partition=tp.partition, lost=lost)
    await compare_logs(servers, applied, log_starts)


async def compare_logs(
    servers: Sequence[str], read: Positions, log_starts: Offsets = NO_STARTS, reader: Reader = REDIS
) -> set[TopicPartition]:
    """Compare the last record that was read of each log with the one that Kafka has at its offset now.

    Returns:
        The topic-partitions that Kafka has answered for.

    Raises:
        LogRecreatedError: a log ends before its position, or has another record there.
        KafkaError: no broker answers.
    """
    offsets = {tp: max(at.next_offset - 1, log_starts.get(tp, 0)) for tp, at in read.items() if at.next_offset}
    seen = await _look(servers, offsets) if offsets else {}
    for tp, found in seen.items():
        refuse_another(tp, read[tp], found, reader)
    return {tp for tp, found in seen.items() if found.is_clear}


@dataclass
class Seen:
    """What is known of a log from `offset` on: its first record there, and where it ends; None before any answer."""

    offset: int
    record: Any = None
    end: int | None = None
    out_of_range: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether Kafka has answered: with a record, an end before the offset, or that nothing is there."""
        return self.out_of_range or self.record is not None or (self.end is not None and self.end <= self.offset)


async def _look(servers: Sequence[str], offsets: Offsets) -> dict[TopicPartition, Seen]:
    """Fetch at each offset until all is clear; what is not clear in time has nothing that can be read there."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(servers),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    seen = {tp: Seen(offset) for tp, offset in offsets.items()}
    try:
        await consumer.start()
        consumer.assign([TopicPartition(*tp) for tp in offsets])
        for tp, offset in offsets.items():
            consumer.seek(TopicPartition(*tp), offset)
        give_up_s = time.monotonic() + ANSWER_WITHIN_S
        while (unclear := [tp for tp, found in seen.items() if not found.is_clear]) and time.monotonic() < give_up_s:
            await _fetch(consumer, unclear, seen)
    finally:
        await stop_consumer(consumer)
    return seen


async def _fetch(
    consumer: AIOKafkaConsumer, unclear: Iterable[TopicPartition], seen: Mapping[TopicPartition, Seen]
) -> None:
    """One fetch. Partitions that are clear are paused: a fetch may have room for one of the others only."""
    try:
        fetched = await consumer.getmany(*(TopicPartition(*tp) for tp in unclear), timeout_ms=POLL_MS, max_records=1)
    except OffsetOutOfRangeError as error:
        for tp, end in (await consumer.end_offsets(list(error.args[0]))).items():
            seen[TopicPartition(*tp)].out_of_range, seen[TopicPartition(*tp)].end = True, end
            consumer.pause(tp)
        return
    for tp in unclear:
        found, aiokafka_tp = seen[tp], TopicPartition(*tp)
        records = fetched.get(aiokafka_tp)
        found.record = records[0] if records else None
        found.end = consumer.highwater(aiokafka_tp)
        if found.is_clear:
            consumer.pause(aiokafka_tp)


def refuse_another(tp: TopicPartition, position: LogPosition, seen: Seen, reader: Reader = REDIS) -> None:
    """See that what Kafka has where the last record was read is that record, as far as it can be told.

    Args:
        tp: of which log.
        position: how far it was read, and its last record.
        seen: what is found at that record's offset, or at the first later one that is still there.
        reader: who has read it.

    Raises:
        LogRecreatedError: the log ends before the position, or has another record there.
    """
    where, record = f"topic {tp.topic} partition {tp.partition}", seen.record
    if record is None and seen.end is not None and seen.end < position.next_offset:
        raise LogRecreatedError(
            f"{where} ends at offset {seen.end:,}, but {reader.has_read} {position.next_offset:,}. {REPLACED} "
            f"{reader.remedy}"
        )
    if record is None or record.offset != position.next_offset - 1 or not position.last_timestamp_ms:
        return  # retention, compaction or a transaction took what lay there, or it was never noted
    if record.key == PASSED_OVER:
        return  # deleted, but the broker has crashed before it noted that
    if (record.timestamp, zlib.crc32(record.value or b"")) != (position.last_timestamp_ms, position.last_crc32):
        raise LogRecreatedError(
            f"{where} holds another record at offset {record.offset:,} than the one {reader.has_read}. {REPLACED} "
            f"{reader.remedy}"
        )
