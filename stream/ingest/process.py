"""The ingest process: read a chunk of source records, map it, send its events, and commit it when Kafka has them.

At least once, in that order: what a killed process has sent and not committed, the next one sends again with the same
event ids, and a worker drops a repeated id among the preceding million records of a partition.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord

from schemas.rejection import DETAIL_CHARACTERS_MAX, Rejection, shortened
from schemas.topics import INPUT_BYTES_MAX, INVALID
from stream.errors import EbbError
from stream.ingest.decoding import SourceDecoder
from stream.ingest.mapping.records import Mapped, SourceRecord
from stream.ingest.plan import IngestPlan
from stream.ingest.reading import GROUP, Fetched, Handover, fetch, source_consumer
from stream.ingest.sending import AbandonedError, Outgoing, Sender
from stream.metrics import ingest as metrics
from stream.worker.log_check import compare_logs
from stream.worker.log_watch import LogWatch, ReadSoFar
from stream.worker.taking_leave import stop_consumer

LOOK_EVERY_S = 5.0
HAND_OVER_WITHIN_S = 10.0  # below the time a rebalance waits for us
COMMIT_WITHIN_S = 2.0  # once asked to end
LEAVE_WITHIN_S = 1.5  # the group misses us after the session timeout anyway

log = structlog.get_logger()

Result = TypeVar("Result")


class SourceUnavailableError(EbbError):
    """Kafka cannot be reached or refuses to work."""


def run_ingest(plan: IngestPlan) -> None:
    """Run until SIGTERM or SIGINT, which let the chunk in flight end.

    Raises:
        EbbError: Kafka refuses, or a topic is not the one that was read.
    """
    try:
        asyncio.run(_until_stopped(plan))
    except KafkaError as error:
        raise SourceUnavailableError(f"Kafka: {error!r}. Check EBB_KAFKA_SERVERS and that it runs.") from error


async def _until_stopped(plan: IngestPlan) -> None:
    process = IngestProcess(plan)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.stop)
    await process.run()


class IngestProcess:
    """One member of the group that reads the sources."""

    def __init__(self, plan: IngestPlan) -> None:
        self._plan = plan
        self._stopping = asyncio.Event()
        self._chunk = asyncio.Lock()  # held while a chunk is mapped, sent and committed
        self._sender = Sender(plan.servers, self._stopping.is_set)
        self._decoder = SourceDecoder(plan.registry, self._stopping.is_set)
        self._done: dict[TopicPartition, int] = {}
        self._read = ReadSoFar()
        self._logs = LogWatch(partial(compare_logs, plan.source_servers, reader=GROUP), self._read.told)

    def stop(self) -> None:
        """End after the chunk in flight."""
        log.info("stopping, as asked")
        self._stopping.set()

    async def run(self) -> None:
        """Read, map and send until stopped.

        Raises:
            KafkaError: Kafka refuses for good.
            LogRecreatedError: a topic ends before what was committed of it, or was replaced while it was read.
        """
        for topic in self._plan.map.sources:
            metrics.begin_topic(topic)
        consumer = source_consumer(self._plan)
        consumer.subscribe(list(self._plan.map.sources), listener=Handover(self._idle))
        watch, logs = asyncio.ensure_future(self._watch(consumer)), asyncio.ensure_future(self._logs.run())
        try:
            await consumer.start()
            while not self._stopping.is_set():
                await self._next_chunk(consumer)
                if logs.done():
                    logs.result()
        except AbandonedError:
            log.info("left with a chunk uncommitted, which is read again")
        finally:
            watch.cancel()
            logs.cancel()
            await self._sender.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop_consumer(consumer), LEAVE_WITHIN_S)

    async def _next_chunk(self, consumer: AIOKafkaConsumer) -> None:
        # not under the lock: while the group assigns anew a fetch waits for that, and that waits for the lock
        fetched = await self._unless_stopping(fetch(consumer, self._plan.chunk_records)) or {}
        if not fetched:
            return
        for tp, records in fetched.items():
            self._done.setdefault(tp, records[0].offset)
            self._read.add(tp, records[-1])
        async with self._chunk:
            with metrics.CHUNK_SECONDS.time():
                mapped = {tp: await self._mapped(tp.topic, records) for tp, records in fetched.items()}
                await self._sender.send([record for records, _ in mapped.values() for record in records])
                await self._unless_stopping(self._commit(consumer, fetched), COMMIT_WITHIN_S)
        for tp, (_, what) in mapped.items():
            _count(tp.topic, len(fetched[tp]), what)

    async def _unless_stopping(self, work: Coroutine[Any, Any, Result], within_s: float = 0) -> Result | None:
        """The result, or None if the process is asked to end and it does not come within so many seconds from then.

        Both may wait for a Kafka that is away as long as it is.
        """
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done() and within_s:
            await asyncio.wait([working], timeout=within_s)
        stopping.cancel()
        if working.done():
            return working.result()
        working.cancel()
        return None

    async def _mapped(self, topic: str, raw: Sequence[ConsumerRecord]) -> tuple[list[Outgoing], Mapped]:
        """What becomes of the records of one partition, and what is to be sent of it."""
        records = [SourceRecord(topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in raw]
        values = await self._decoder.values(self._plan.map.sources[topic].format, [r.value for r in records])
        mapped = self._plan.mapper.map(records, values, self._plan.wall_ms())
        outgoing = [Outgoing(event.topic, event.partition, event.key, event.value) for event in mapped.events]
        for refused in mapped.refused:
            record = records[refused.place]
            outgoing.append(dead_letter(record, refused.rejection, refused.more, self._plan.partitions))
        return outgoing, mapped

    async def _commit(self, consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
        offsets = {tp: records[-1].offset + 1 for tp, records in fetched.items()}
        try:
            await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            metrics.COMMITS_REFUSED.inc()
            log.info("the group has given our partitions to another, which repeats a chunk", error=repr(error))
        else:
            self._done |= offsets

    async def _idle(self) -> None:
        """Wait until no chunk is in flight, at most so long: partitions are about to go."""
        try:
            await asyncio.wait_for(self._chunk.acquire(), HAND_OVER_WITHIN_S)
        except TimeoutError:
            return
        self._chunk.release()
        self._done.clear()
        self._read.clear()
        self._logs.forget()

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        """Show every few seconds how far the group is behind, as the last fetches told it."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            assigned, behind = consumer.assignment(), Counter(dict.fromkeys(self._plan.map.sources, 0))
            self._done = {tp: offset for tp, offset in self._done.items() if tp in assigned}
            for tp, offset in self._done.items():
                behind[tp.topic] += max((consumer.highwater(tp) or 0) - offset, 0)
            for topic, records in behind.items():
                metrics.LAG.labels(topic).set(records)


def dead_letter(record: SourceRecord, rejection: Rejection, more: int, partitions: int) -> Outgoing:
    """The record as it was, with why and where from in its headers, as a worker writes it.

    A value that is larger than any topic of Ebb's takes stays where it is, and the letter says so.
    """
    key, value = record.key, record.value
    detail = f"{rejection.detail} (and {more} more)" if more else rejection.detail
    if len(key or b"") + len(value or b"") > INPUT_BYTES_MAX:
        key, value, detail = None, None, f"too large to be copied, it is in its topic; {detail}"
    headers = {
        "reason": rejection.reason,
        "field": rejection.field or "",
        "detail": shortened(detail, DETAIL_CHARACTERS_MAX),
        "source_topic": record.topic,
        "source_partition": str(record.partition),
        "source_offset": str(record.offset),
        "source_timestamp_ms": str(record.timestamp_ms),
    }
    encoded = [(name, text.encode()) for name, text in headers.items()]
    return Outgoing(INVALID, record.partition % partitions, key, value, encoded)


def _count(topic: str, records: int, mapped: Mapped) -> None:
    refused, ignored = len(mapped.refused), len(mapped.ignored)
    for result, count in (("mapped", records - refused - ignored), ("refused", refused), ("ignored", ignored)):
        metrics.RECORDS.labels(topic, result).inc(count)
    for kind, count in Counter(event.kind for event in mapped.events).items():
        metrics.EVENTS.labels(kind).inc(count)
    for refusal in mapped.refused:
        metrics.REFUSED.labels(refusal.rejection.reason).inc()
