"""A partition made again from its past: the worker's own engine, over the memory store."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import cast

from ebb.history.commits import commits_of
from ebb.history.resending import Again, SentInThePast
from ebb.history.stretches import NO_LIMIT, Stretch
from offline.archive.standing import Waiting
from schemas.topics import INPUT_TOPICS
from stream.chunk import Models, StreamTimes
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.ports import Commit, LogPosition, SweepProgress, with_heard
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.hearing import heard_after
from stream.worker.homes import partitions_of
from stream.worker.inbox import Batch
from stream.worker.journal_entry import JournalEntry, decode_entry
from stream.worker.log_records import NO_RECORDS
from stream.worker.noted_rules import NotedRules, as_noted
from stream.worker.plan import WorkerPlan
from stream.worker.sweeping import Renewal

OWNER = "ebb recover"


class _Store(MemoryPartitionStore):
    """Where the deadlines of some customers alone may be due, as `Stretch.fires` has it."""

    fires: tuple[int, Collection[int]] | None = None

    def _due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        due = super()._due(until_ms, limit)
        if self.fires is None or not due:
            return due
        count, among = self.fires
        homes = partitions_of([customer for customer, _ in due], count)
        return [entry for entry, home in zip(due, homes, strict=True) if home in among]


class Rebuilding:
    """One partition in the making: `stored` is what has become of the stretches that were applied.

    `noted` are journal entries of what no archived one has spoken of: the next archive tells it as it was done here.
    """

    def __init__(
        self, partition: int, partitions: int, plan: WorkerPlan, waiting: Waiting, again: Again = Again.UNSENT
    ) -> None:
        self.partition, self.records = partition, 0
        self.stored, self.noted = StoredPartition(), list[JournalEntry]()
        self._store = _Store(self.stored)
        self._sent = SentInThePast(waiting, again)
        self._timeline = ""
        self._rules_now, self._ruled_by = plan.rules, cast(NotedRules | None, None)
        self._assembly = Assembly(partition, partitions, plan.rules, lockstep=plan.lockstep, live=plan.live)
        self._applying = Applying(
            partition,
            OWNER,
            self._store,
            self._sent,
            self._assembly,
            NO_LIMIT,
            {},
            may_lag=True,  # each time is what it was, late or not
            resident_bytes=plan.resident_bytes,
        )

    async def begin(self) -> None:
        """Claim the partition, and go on from what is stored."""
        await self._applying.load(await self._store.claim(OWNER))
        self._timeline = self._assembly.timeline  # of what no entry has spoken of

    async def apply(self, stretch: Stretch, models: Models) -> None:
        """Let it happen again. A record about who a customer is goes alone, as in a lane."""
        if stretch.rules != self._ruled_by:
            self._begin_anew(stretch.rules)
        if stretch.first:
            self.stored.head = replace(self.stored.head, positions=_positions(stretch.first))
        for part in _cut(stretch):
            await self._apply(part, models)

    def _begin_anew(self, rules: NotedRules | None) -> None:
        """Go on as a worker does that has started with these rules; where nobody has noted any, with those of now."""
        self._ruled_by = rules
        self._assembly.rules = as_noted(self._rules_now, rules) if rules else self._rules_now
        self._assembly.says_rules = True

    async def _apply(self, stretch: Stretch, models: Models) -> None:
        if not stretch.first:  # offsets may come from several logs: see `place`
            self.stored.head = replace(
                self.stored.head, positions=_positions(dict.fromkeys(stretch.records.last_places, 0))
            )
        times = StreamTimes(stretch.times, stretch.end_ms)
        self._assembly.timeline, self._store.fires = stretch.timeline or self._timeline, stretch.fires
        if stretch.is_of_sweep:
            renewal = Renewal(stretch.renewed, SweepProgress(stretch.swept))
            await self._applying.decide_again(renewal, times, models)
        elif stretch.postponed:
            await self._applying.postpone(stretch.postponed, models)
        else:
            self._applying.beside_at_once = stretch.fired or NO_LIMIT
            positions = self.stored.head.positions
            previous = {topic: positions[topic].next_offset for topic in stretch.records.last_places}
            await self._applying.apply(Batch(stretch.records, previous, stretch.clock_ms), times, models)
        self.records += len(stretch.records)
        if stretch.first:
            self.noted += map(decode_entry, self.stored.journal)
        self.stored.journal.clear()  # the archive has it
        self.stored.forget(self._sent.take_acknowledged())

    def place(self, positions: Mapping[str, LogPosition], sequence: int, stream_time_ms: int) -> None:
        """Say where the logs go on, after which sequence, and the time: the last tick may have changed nothing."""
        head, reached_ms = self.stored.head, max(stream_time_ms, self.stored.head.stream_time_ms)
        self.stored.head = replace(
            head,
            # a partition without positions has no customers, as a lane believes; a new one has some
            positions=dict(positions) or dict.fromkeys(INPUT_TOPICS, LogPosition(0)),
            sequence=max(sequence, head.sequence),
            stream_time_ms=reached_ms,
            heard=with_heard(head.heard, heard_after(head.heard, NO_RECORDS, reached_ms)),
        )

    def commits(self, version: int) -> Iterator[Commit]:
        """What is stored, for Redis; see `commits_of`."""
        return commits_of(self.stored, self.noted, version)


def _positions(offsets: Mapping[str, int]) -> dict[str, LogPosition]:
    return {topic: LogPosition(offset) for topic, offset in offsets.items()}


def _cut(stretch: Stretch) -> Iterator[Stretch]:
    """The stretch before and after each record about who a customer is, and these: offsets may be of several logs."""
    begin, end = 0, len(stretch.records)
    for place in stretch.records.is_identity.nonzero()[0].tolist():
        for first, last in ((begin, place), (place, place + 1)):
            if first < last < end:
                yield replace(_between(stretch, first, last), end_ms=int(stretch.times[last - 1]), clock_ms=None)
                begin = last
    yield stretch if not begin else _between(stretch, begin, end)


def _between(stretch: Stretch, begin: int, end: int) -> Stretch:
    return replace(stretch, records=stretch.records.part(begin, end), times=stretch.times[begin:end])
