"""A batch applied to a partition: read, step, commit, and what to do when the store is not where we thought."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import structlog

from schemas.decode import Rejection
from schemas.topics import CLOCK, INPUT_TOPICS
from stream.chunk import Models, StreamTimes
from stream.metrics import worker as metrics
from stream.ports import Head, PartitionStore, SeenBlock
from stream.worker.assembly import Applied, Assembly, Loaded
from stream.worker.inbox import Batch
from stream.worker.publisher import OutboxPublisher
from stream.worker.seen import SeenWindow
from stream.worker.sorting import Sorted, sort_out

log = structlog.get_logger()


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: `behind` is the head of a partition that has applied less than we believed."""

    epoch_day: int | None = None
    behind: Head | None = None


class Fenced(Exception):  # noqa: N818 - it is a state of affairs, not an error of anyone
    """Another worker owns the partition now."""


class Applying:
    """Keeps the partition's event-id windows and version, and turns batches into commits."""

    def __init__(
        self,
        partition: int,
        owner: str,
        store: PartitionStore,
        publisher: OutboxPublisher,
        assembly: Assembly,
        due_at_once: int,
        log_starts: Mapping[str, int],
    ) -> None:
        self._partition, self._owner, self._store = partition, owner, store
        self._log_starts = log_starts  # what retention took before we applied it is not waited for
        self._publisher, self._assembly, self._due_at_once = publisher, assembly, due_at_once
        self._windows: dict[str, SeenWindow] = {}
        self._version = -1
        self.applied: dict[str, int] = {}

    async def load(self, head: Head) -> None:
        """Read what outlives a process: event-id windows and the messages not yet acknowledged."""
        for topic in INPUT_TOPICS:
            if topic != CLOCK:
                self._windows[topic] = SeenWindow(await self._store.seen_blocks(topic))
        self._publisher.add(await self._store.outbox())
        self._version = head.version

    async def apply(self, batch: Batch, times: StreamTimes, models: Models) -> Outcome:
        """Apply `batch` once, in as many commits as its deadlines need.

        Raises:
            StoreUnavailableError: Redis is away; call again with the same batch.
            Fenced: another worker has claimed the partition.
        """
        while True:
            with metrics.STAGE_SECONDS.labels("read").time():
                head, due = await self._store.begin(times.end_ms, self._due_at_once)
            if head.version != self._version:
                await self._resync(head)
                continue
            if self._is_behind(head, batch):
                await self._store.abandon()
                return Outcome(behind=head)
            batch, times = _left(head, batch, times)
            if len(due) >= self._due_at_once:
                await self._commit(head, Batch([], {}), _only_deadlines(due[-1][1]), due, models)
            elif not batch.records and not due:
                await self._store.abandon()
                return Outcome()
            else:
                applied = await self._commit(head, batch, times, due, models)
                if applied is not None:
                    return Outcome(epoch_day=applied.epoch_day)

    async def _resync(self, head: Head) -> None:
        """The partition moved without us: a commit of ours whose answer was lost, or another worker's."""
        await self._store.abandon()
        if head.owner != self._owner:
            raise Fenced(head.owner)
        log.info("partition is at another version, reading it again", partition=self._partition, version=head.version)
        await self.load(head)

    def _is_behind(self, head: Head, batch: Batch) -> bool:
        """Whether Redis has applied less of one of the batch's topics than we believed."""
        return any(
            topic in head.positions
            and max(head.positions[topic].next_offset, self._log_starts.get(topic, 0)) < previous
            for topic, previous in batch.previous.items()
        )

    async def _commit(
        self, head: Head, batch: Batch, times: StreamTimes, due: list[tuple[str, int]], models: Models
    ) -> Applied | None:
        """One commit; None when somebody else was faster."""
        found = sort_out(batch.records, self._windows)
        with metrics.STAGE_SECONDS.labels("read").time():
            loaded = await self._load(found, due, times)
        with metrics.STAGE_SECONDS.labels("step").time():
            applied = self._assembly.apply(head, batch, found, loaded, times, models)
        seen = {topic: self._windows[topic].block_of(hashes) for topic, hashes in found.hashes.items()}
        forget = self._publisher.take_acknowledged()
        commit = replace(applied.commit, seen=seen, forget_outbox=forget)
        with metrics.STAGE_SECONDS.labels("commit").time():
            done = await self._store.commit(head, commit)
        if not done:
            metrics.COMMITS_REFUSED.labels(self._partition).inc()
            self._publisher.give_back(forget)
            return None
        self._committed(head, applied, found, seen)
        self._count(batch, found, applied, len(due))
        return applied

    async def _load(self, found: Sorted, due: list[tuple[str, int]], times: StreamTimes) -> Loaded:
        customers = sorted({event.customer_id or "" for _, event in found.events} | {customer for customer, _ in due})
        if not customers:
            return Loaded([], [], [], {})
        states, accumulators = await self._store.load(customers)
        needed = self._assembly.snapshots_needed(customers, accumulators, times.end_ms)
        stored = await self._store.load_snapshots(needed) if needed else []
        snapshots = {key: packed for key, packed in zip(needed, stored, strict=True) if packed is not None}
        return Loaded(customers, states, accumulators, snapshots)

    def _committed(self, head: Head, applied: Applied, found: Sorted, seen: Mapping[str, SeenBlock]) -> None:
        self._version = head.version + 1
        self.applied = {topic: position.next_offset for topic, position in applied.commit.positions.items()}
        for topic, hashes in found.hashes.items():
            self._windows[topic].advance(hashes, seen[topic])
        self._publisher.add(applied.commit.outbox)

    def _count(self, batch: Batch, found: Sorted, applied: Applied, due: int) -> None:
        metrics.COMMITS.labels(self._partition).inc()
        metrics.DEADLINES_FIRED.labels(self._partition).inc(due)
        metrics.STREAM_TIME.labels(self._partition).set(applied.commit.stream_time_ms / 1000)
        for name, count in applied.commit.totals.items():
            metrics.TOTALS.labels(name).inc(count)
        for rejection in applied.rejections:
            metrics.DEAD_LETTERS.labels(rejection.reason).inc()
        duplicates = set(found.duplicates)
        for index, record in enumerate(batch.records):
            result = "invalid" if isinstance(record.decoded, Rejection) else "duplicate" if index in duplicates else "applied"
            metrics.RECORDS.labels(record.topic, result).inc()


def _left(head: Head, batch: Batch, times: StreamTimes) -> tuple[Batch, StreamTimes]:
    """What Redis has not applied yet of the batch, with its stream times."""
    applied = {topic: position.next_offset for topic, position in head.positions.items()}
    kept = [at for at, record in enumerate(batch.records) if record.offset >= applied.get(record.topic, 0)]
    if len(kept) == len(batch.records):
        return batch, times
    return batch.after(applied), StreamTimes(times.of_record[kept], times.end_ms)


def _only_deadlines(until_ms: int) -> StreamTimes:
    return StreamTimes(np.zeros(0, np.int64), until_ms)
