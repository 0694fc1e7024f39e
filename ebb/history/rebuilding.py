"""A partition made again from its past: the worker's own engine, over the memory store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace as replaced

from ebb.history.past import Stretch
from offline.archive.standing import Waiting, model_path
from schemas.identities import Arrival
from schemas.topics import CHURN_ALERTS, INPUT_TOPICS, INVALID, LABELS, REROUTED, SEGMENT_CHANGES
from stream.chunk import Models, StreamTimes
from stream.drafts import unpack_outgoing
from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.memory_store import MemoryModelStore, MemoryPartitionStore, StoredPartition
from stream.ports import Commit, LogPosition, SeenBlock, SweepProgress
from stream.signing import Keyring
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.inbox import Batch
from stream.worker.journal_entry import JournalEntry, decode_entry, encode_entry
from stream.worker.model_watch import ModelWatch
from stream.worker.plan import WorkerPlan
from stream.worker.sweeping import Renewal

Item = TypeVar("Item")

OWNER = "ebb recover"
NO_LIMIT = 1 << 40
CUSTOMERS_OF_A_COMMIT = 500  # as a lane's: Redis serves nobody else meanwhile
SEEN_BLOCK_BYTES = 8 * 16_384
READ_BY_OTHERS = (CHURN_ALERTS, SEGMENT_CHANGES, INVALID)


class ArchivedModels(MemoryModelStore):
    """The models of an archive; `in_force` says which of them are."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder, self.in_force, self.missing = folder, dict[str, str](), set[tuple[str, str]]()

    async def champions(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """The versions in force."""
        return {name: (self.in_force[name], 0) for name in names if name in self.in_force}

    async def fetch(self, name: str, version: str) -> bytes:
        """A sealed document."""
        try:
            return model_path(self._folder, LAYOUT, name, version).read_bytes()
        except FileNotFoundError:
            self.missing.add((name, version))
            raise ModelRefusedError(f"Version {version!r} of model {name!r} was not archived.") from None


class PastModels:
    """The models that were in force, by their versions. One that was not archived leaves the one before it.

    What is missing is noted in `missing`.
    """

    def __init__(self, folder: Path, keyring: Keyring, outcomes: Sequence[str]) -> None:
        self._store = ArchivedModels(folder)
        self._watch = ModelWatch(self._store, keyring, outcomes)
        self.missing = self._store.missing

    async def of(self, versions: Mapping[str, str] | None) -> Models:
        """The models; those of the call before where nobody knows."""
        if versions is not None and versions != self._store.in_force:
            self._store.in_force = dict(versions)
            await self._watch.refresh()
        return self._watch.models


class NoModels:
    """Stands where `PastModels` does for a past whose models have another layout."""

    missing: frozenset[tuple[str, str]] = frozenset()

    async def of(self, _versions: Mapping[str, str] | None) -> Models:
        """None."""
        return Models()


class Again(Enum):
    """Which messages of the past are to be sent once more."""

    UNSENT = "those of which nobody knows that they were sent"
    WHAT_OTHERS_READ = "all that are not for Ebb itself, which knows a repeat only for a while"
    WHAT_HAS_A_LAYOUT = "labels, and customers on their way to another partition: those sent had another layout"


class _Typed(msgspec.Struct):
    type: str = ""


_ARRIVAL = str(Arrival.__struct_config__.tag)
_type_decoder = msgspec.json.Decoder(_Typed)


def _has_layout(packed: bytes) -> bool:
    message = unpack_outgoing(packed)
    if message.topic == REROUTED:
        return _type_decoder.decode(message.value or b"").type == _ARRIVAL
    return message.topic == LABELS


class _Sent:
    """Stands where the publisher does: nothing is sent; what was sent already, as far as is known, is forgotten."""

    def __init__(self, waiting: Waiting, again: Again) -> None:
        self._waiting, self._again = waiting, again
        self._acknowledged: list[int] = []

    def add(self, messages: Iterable[tuple[int, bytes]], _caused: object = None, /) -> None:
        """Take note of messages."""
        self._acknowledged += [number for number, packed in messages if not self._is_kept(number, packed)]

    def _is_kept(self, number: int, packed: bytes) -> bool:
        if self._again is Again.WHAT_HAS_A_LAYOUT:
            return _has_layout(packed)
        is_unsent = self._waiting.may_be_unsent(number)
        return is_unsent or (self._again is Again.WHAT_OTHERS_READ and unpack_outgoing(packed).topic in READ_BY_OTHERS)

    def take_acknowledged(self) -> list[int]:
        """Those to be forgotten."""
        taken, self._acknowledged = self._acknowledged, []
        return taken

    def give_back(self, sequences: list[int]) -> None:
        """They were not forgotten."""
        self._acknowledged += sequences


class Rebuilding:
    """One partition in the making: `stored` is what has become of the stretches that were applied.

    `noted` are journal entries of what no archived one has spoken of: the next archive tells it as it was done here.
    """

    def __init__(
        self, partition: int, partitions: int, plan: WorkerPlan, waiting: Waiting, again: Again = Again.UNSENT
    ) -> None:
        self.partition, self.records = partition, 0
        self.stored, self.noted = StoredPartition(), list[JournalEntry]()
        self._store = MemoryPartitionStore(self.stored)
        self._sent = _Sent(waiting, again)
        self._timeline, self._assembly = "", Assembly(partition, partitions, plan.rules, lockstep=plan.lockstep)
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
        if stretch.first:
            self.stored.head = replace(self.stored.head, positions=_positions(stretch.first))
        for part in _cut(stretch):
            await self._apply(part, models)

    async def _apply(self, stretch: Stretch, models: Models) -> None:
        if not stretch.first:  # offsets may come from several logs: see `place`
            self.stored.head = replace(
                self.stored.head, positions=_positions(dict.fromkeys(stretch.records.last_places, 0))
            )
        times = StreamTimes(stretch.times, stretch.end_ms)
        self._assembly.timeline = stretch.timeline or self._timeline
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
        self.stored.head = replace(
            self.stored.head,
            # a partition without positions has no customers, as a lane believes; a new one has some
            positions=dict(positions) or dict.fromkeys(INPUT_TOPICS, LogPosition(0)),
            sequence=max(sequence, self.stored.head.sequence),
            stream_time_ms=max(stream_time_ms, self.stored.head.stream_time_ms),
        )

    def commits(self, version: int) -> Iterator[Commit]:
        """Everything stored, in commits of a size that a Redis in use can take; positions come with the last one.

        Args:
            version: of the partition before the first of them.
        """
        stored, head = self.stored, self.stored.head
        nothing = Commit({}, stream_time_ms=head.stream_time_ms, sequence=head.sequence)
        for number, entry in enumerate(self.noted, version + 1):
            yield replaced(nothing, journal=encode_entry(replaced(entry, version=number)))
        segment_of = {customer: name for name, members in stored.segments.items() for customer in members}
        for customers in _parts(list(stored.states), CUSTOMERS_OF_A_COMMIT):
            yield replaced(
                nothing,
                states={customer: stored.states[customer] for customer in customers},
                views={customer: stored.views[customer] for customer in customers if customer in stored.views},
                deadlines={each: stored.deadlines[each] for each in customers if each in stored.deadlines},
                segment_moves=[(each, None, segment_of[each]) for each in customers if each in segment_of],
                risks={customer: stored.risks[customer] for customer in customers if customer in stored.risks},
                labels={customer: stored.labels[customer] for customer in customers if customer in stored.labels},
            )
        for names in _parts(list(stored.identities), CUSTOMERS_OF_A_COMMIT):
            yield replaced(nothing, identities={name: stored.identities[name] for name in names})
        for timelines in _parts(list(stored.timelines), CUSTOMERS_OF_A_COMMIT):
            yield replaced(nothing, timelines={timeline: stored.timelines[timeline] for timeline in timelines})
        for keys in _parts(list(stored.snapshots), CUSTOMERS_OF_A_COMMIT):
            yield replaced(nothing, snapshots={key: stored.snapshots[key] for key in keys})
        for sequences in _parts(sorted(stored.outbox), CUSTOMERS_OF_A_COMMIT):
            yield replaced(nothing, outbox=[(sequence, stored.outbox[sequence]) for sequence in sequences])
        for topic, blocks in stored.seen.items():
            packed = b"".join(blocks)
            for at in range(0, len(packed), SEEN_BLOCK_BYTES):
                yield replaced(nothing, seen={topic: SeenBlock(packed[at : at + SEEN_BLOCK_BYTES])})
        sweep = head.sweep if head.sweep.under else None
        yield replaced(nothing, positions=head.positions, totals=stored.totals, sweep=sweep)


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


def _parts(everything: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for at in range(0, len(everything), size):
        yield everything[at : at + size]
