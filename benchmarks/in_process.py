"""One partition of a worker in this process, over memory: inbox, clock and commits, no Kafka, no Redis."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, ClassVar, NamedTuple

from faust.types import TP

from benchmarks.loads import Record
from ebb.compose.rules import STALE_AFTER_DAYS_SWEPT
from schemas.decode import DecodeRules
from schemas.decode_many import decode_many
from schemas.topics import INPUT_TOPICS
from schemas.units import DAY_MS
from stream.chunk import Models, Rules
from stream.columns.events import columns_by
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.ports import Commit, Head
from stream.redis_store.commit import transaction
from stream.redis_store.wire import packed
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.fetched import Fetched
from stream.worker.inbox import Batch, Inbox
from stream.worker.timing import LaneLimits, LiveTiming

DECODING = DecodeRules(currency="GBP")
LIVE_RULES = Rules(stale_after_ms=STALE_AFTER_DAYS_SWEPT * DAY_MS)


class FetchedRecord(NamedTuple):
    """What a worker reads of a Kafka record."""

    topic: str
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class HeapPartition(StoredPartition):
    """Deadlines in a heap: the sorted list of `StoredPartition` costs 20 us an entry at 100,000 customers."""

    def _move_deadlines(self, changes: Commit) -> None:
        for customer, deadline in changes.deadlines.items():
            self.deadlines[customer] = deadline
            if deadline:
                heappush(self.due, (deadline, customer.encode()))


class HeapPartitionStore(MemoryPartitionStore):
    """`PartitionStore` over a `HeapPartition`."""

    def _due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        """What is due; what is read fires in this chunk."""
        due: list[tuple[str, int]] = []
        while self._stored.due and self._stored.due[0][0] <= until_ms and len(due) < limit:
            deadline, entry = heappop(self._stored.due)
            customer = entry.decode()
            if self._stored.deadlines.get(customer) == deadline:
                due.append((customer, deadline))
        return due


class PackingPartitionStore(HeapPartitionStore):
    """Makes the bytes that Redis would be sent, then keeps the commit in memory. `spent_s` is CPU time of all."""

    spent_s: ClassVar[Counter[str]] = Counter()

    async def commit(self, head: Head, changes: Commit) -> bool:
        """Pack, then apply."""
        began = time.process_time()
        packed(transaction(0, head.version + 1, changes))
        packed_s = time.process_time()
        done = await super().commit(head, changes)
        self.spent_s.update(
            {"pack for Redis": packed_s - began, "keep in memory instead": time.process_time() - packed_s}
        )
        return done


class Acknowledged:
    """Stands where the publisher does: everything is published at once. `messages` holds what the last chunks said."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes]] = []
        self._acknowledged: list[int] = []

    def add(self, messages: Sequence[tuple[int, bytes]], _caused: object = None) -> None:
        """Publish."""
        self.messages.extend(messages)
        self._acknowledged.extend(sequence for sequence, _ in messages)

    def take_acknowledged(self) -> list[int]:
        """What the store may forget."""
        taken, self._acknowledged = self._acknowledged, []
        return taken

    def give_back(self, sequences: list[int]) -> None:
        """Nobody else writes here."""
        raise AssertionError(f"a commit was refused: {len(sequences)} messages")


@dataclass
class LogEnds:
    """How far the log is filled: what the live clock asks of the consumer."""

    ends: dict[str, int]

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        """Whether everything of the topic has been taken."""
        return next_offset >= self.ends.get(tp.topic, 0)


@dataclass
class InProcess:
    """Feed it records in log order with `put`, then `take` and `apply` until nothing is left."""

    models: Models = field(default_factory=Models)
    rules: Rules = LIVE_RULES
    chunk_records: int = 500
    due_at_once: int = 250
    wall_ms: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    store_of: Callable[[StoredPartition], MemoryPartitionStore] = HeapPartitionStore

    def __post_init__(self) -> None:
        limits = LaneLimits(self.chunk_records, chunk_bytes=4_000_000, queue_bytes=16_000_000, tick_ms=250)
        self.stored, self.outbox = HeapPartition(), Acknowledged()
        self.store = self.store_of(self.stored)
        assembly = Assembly(0, 1, self.rules, lockstep=False, live=True)
        outbox: Any = self.outbox
        self._applying = Applying(0, "benchmark", self.store, outbox, assembly, self.due_at_once, {}, may_lag=True)
        self.inbox = Inbox(
            dict.fromkeys(INPUT_TOPICS, 0),
            lambda topic, values, timestamps_ms: decode_many(topic, values, timestamps_ms, DECODING),
            columns=columns_by(DECODING, self.rules.vocabulary),
        )
        self.timing = LiveTiming(0, {}, limits, 0, LogEnds(self.ends), lambda: self.wall_ms)
        self._offsets: dict[str, int] = defaultdict(int)

    async def claim(self) -> None:
        """Before the first records."""
        await self._applying.load(await self.store.claim("benchmark"))

    def fetched(self, records: Sequence[Record]) -> list[Fetched]:
        """Records as the consumer hands them over, topic by topic."""
        by_topic: dict[str, list[FetchedRecord]] = {}
        for record in records:
            offset = self._offsets[record.topic]
            self._offsets[record.topic] = offset + 1
            by_topic.setdefault(record.topic, []).append(
                FetchedRecord(record.topic, offset, self.wall_ms, record.key, record.value)
            )
        return [Fetched(TP(topic, 0), read[0].offset, read) for topic, read in by_topic.items()]

    async def apply(self, batch: Batch) -> None:
        """One batch, in as many commits as its deadlines need."""
        times = self.timing.times(batch)
        await self._applying.apply(batch, times, self.models)
        if self._applying.lags_at_ms is not None:
            self.timing.lag(self._applying.lags_at_ms)

    async def run(self, records: Sequence[Record]) -> None:
        """Apply records of one stretch of the log."""
        for fetched in self.fetched(records):
            self.inbox.put(fetched)
        while batch := self.inbox.take_live(self.chunk_records, 4_000_000):
            await self.apply(batch)

    async def silence_until(self, wall_ms: int) -> None:
        """Nothing arrives until then: ticks until no deadline is left."""
        self.wall_ms = wall_ms
        await self.apply(Batch())
        while self._applying.lags_at_ms is not None:
            await self.apply(Batch())
