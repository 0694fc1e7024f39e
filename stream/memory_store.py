"""The ports over dictionaries: for offline runs and tests. Same laws as Redis (tests/laws/), gone with the process."""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from stream.errors import ModelRefusedError
from stream.ports import CHALLENGERS_AT_MOST, Commit, Head, Page, SeenBlock, refuse_overtaken

VERSIONS_KEPT = 50  # as many as on Redis

Value = TypeVar("Value", float, bytes)


@dataclass
class StoredPartition:
    """Everything stored of one partition; read it freely, write it through a `MemoryPartitionStore`."""

    head: Head = field(default_factory=Head)
    states: dict[str, bytes] = field(default_factory=dict)
    views: dict[str, bytes] = field(default_factory=dict)
    deadlines: dict[str, int] = field(default_factory=dict)
    due: list[tuple[int, bytes]] = field(default_factory=list)
    """(deadline, customer in UTF-8), sorted."""
    segments: dict[str, set[str]] = field(default_factory=dict)
    risks: dict[str, float] = field(default_factory=dict)
    labels: dict[str, bytes] = field(default_factory=dict)
    snapshots: dict[tuple[str, int], bytes] = field(default_factory=dict)
    outbox: dict[int, bytes] = field(default_factory=dict)
    seen: dict[str, list[bytes]] = field(default_factory=dict)
    journal: list[bytes] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    identities: dict[str, bytes] = field(default_factory=dict)
    """name -> what became of an id."""
    timelines: dict[str, int] = field(default_factory=dict)
    """Timeline -> the number of the last message that it has sent from customer to customer."""

    def apply(self, changes: Commit) -> None:
        """Write a whole commit."""
        self._remove(changes.removed)
        self.states.update(changes.states)
        self.views.update(changes.views)
        self._move_deadlines(changes)
        self._move_segments(changes)
        _set_or_remove(self.risks, changes.risks)
        _set_or_remove(self.labels, changes.labels)
        self.snapshots.update(changes.snapshots)
        for closed in changes.closed_snapshots:
            self.snapshots.pop(closed, None)
        self.outbox.update(changes.outbox)
        self.forget(changes.forget_outbox)
        for topic, block in changes.seen.items():
            self._remember(topic, block)
        self.identities.update(changes.identities)
        self.timelines.update(changes.timelines)
        if changes.journal:
            self.journal.append(changes.journal)
        for name, increment in changes.totals.items():
            self.totals[name] = self.totals.get(name, 0) + increment
        self.head = self.head.after(changes)

    def forget(self, sequences: Iterable[int]) -> None:
        """Remove messages from the outbox."""
        for sequence in sequences:
            self.outbox.pop(sequence, None)

    def _remove(self, customers: Sequence[str]) -> None:
        for customer in customers:
            for stored in (self.states, self.views, self.labels):
                stored.pop(customer, None)
            self.risks.pop(customer, None)
            self._move_deadline(customer, 0)
            for members in self.segments.values():
                members.discard(customer)

    def _move_deadlines(self, changes: Commit) -> None:
        for customer, deadline in changes.deadlines.items():
            self._move_deadline(customer, deadline)

    def _move_deadline(self, customer: str, deadline: int) -> None:
        entry = customer.encode()
        before = self.deadlines.pop(customer, None)
        if before is not None:
            del self.due[bisect_left(self.due, (before, entry))]
        if deadline:
            self.deadlines[customer] = deadline
            insort(self.due, (deadline, entry))

    def _move_segments(self, changes: Commit) -> None:
        for customer, left, entered in changes.segment_moves:
            if left is not None:
                self.segments.setdefault(left, set()).discard(customer)
            self.segments.setdefault(entered, set()).add(customer)

    def _remember(self, topic: str, block: SeenBlock) -> None:
        blocks = self.seen.setdefault(topic, [])
        if block.replaces_last:
            del blocks[-1:]
        blocks.append(block.packed)
        del blocks[: block.drop_first]


def _set_or_remove(stored: dict[str, Value], changed: Mapping[str, Value]) -> None:
    for customer, value in changed.items():
        if value:
            stored[customer] = value
        else:
            stored.pop(customer, None)


class MemoryPartitionStore:
    """`PartitionStore` over a `StoredPartition`. Several may share one, as several workers share a Redis.

    `everybody` are all partitions, where others send to this one.
    """

    def __init__(self, stored: StoredPartition, everybody: Sequence[StoredPartition] = ()) -> None:
        self._stored, self._everybody = stored, everybody
        self._begun: Head | None = None  # whoever writes puts another in its place
        self._committed: Head | None = None

    async def claim(self, owner: str) -> Head:
        """Make `owner` the partition's owner, one version up."""
        self._begun = self._committed = None
        self._stored.head = replace(self._stored.head, version=self._stored.head.version + 1, owner=owner)
        return self._stored.head

    async def begin(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]]:
        """Remember the version, then read the head and what is due."""
        self._begun, self._committed = self._stored.head, None
        return self._stored.head, self._due(due_until_ms, due_limit)

    def _due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        entries = self._stored.due
        end = bisect_right(entries, until_ms, key=lambda entry: entry[0])
        return [(entry.decode(), deadline) for deadline, entry in entries[: min(end, limit)]]

    def follow(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]] | None:
        """The head as our last commit left it, whoever has written since."""
        head, self._committed = self._committed, None
        if head is None:
            return None
        self._begun = head
        return head, self._due(due_until_ms, due_limit)

    async def load(self, customers: Sequence[str]) -> tuple[list[bytes | None], list[bytes | None]]:
        """States and open accumulators."""
        self._chunk()
        states, labels = self._stored.states, self._stored.labels
        return [states.get(customer) for customer in customers], [labels.get(customer) for customer in customers]

    async def load_snapshots(self, keys: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """Snapshots by (customer, day)."""
        self._chunk()
        return [self._stored.snapshots.get(key) for key in keys]

    async def page(self, cursor: str, limit: int) -> Page:
        """Customers by id, after the one that the cursor names."""
        self._chunk()
        customers = sorted(self._stored.deadlines)
        begin = bisect_right(customers, cursor) if cursor else 0
        found = customers[begin : begin + limit]
        return Page(found, found[-1] if begin + limit < len(customers) else "", len(customers))

    async def commit(self, head: Head, changes: Commit) -> bool:
        """Apply the changes unless somebody wrote since `begin`."""
        begun = self._chunk()
        if not all(map(math.isfinite, changes.risks.values())):
            raise ValueError("A value at risk is not finite.")
        self._begun = None
        if begun is not self._stored.head or head.version != begun.version:
            return False
        self._stored.apply(changes)
        self._committed = self._stored.head
        return True

    async def abandon(self) -> None:
        """Forget the chunk."""
        self._begun = self._committed = None

    async def last_sent(self, timelines: Sequence[tuple[int, str]]) -> list[int | None]:
        """Of the partitions that there are."""
        self._chunk()
        return [
            self._everybody[partition].timelines.get(timeline, 0) if partition < len(self._everybody) else None
            for partition, timeline in timelines
        ]

    async def seen_blocks(self, topic: str) -> list[bytes]:
        """Blocks of event-id hashes, oldest first."""
        return list(self._stored.seen.get(topic, ()))

    async def identities(self) -> dict[str, bytes]:
        """What became of ids."""
        return dict(self._stored.identities)

    async def outbox(self) -> list[tuple[int, bytes]]:
        """Waiting messages by sequence."""
        return sorted(self._stored.outbox.items())

    async def forget_outbox(self, sequences: Iterable[int]) -> None:
        """Remove messages outside a commit."""
        self._stored.forget(sequences)

    async def close(self) -> None:
        """Nothing to release; a chunk that was begun is abandoned."""
        self._begun = self._committed = None

    def _chunk(self) -> Head:
        if self._begun is None:
            raise RuntimeError("No chunk is open. `begin` or `follow` comes before `load` and `commit`.")
        return self._begun


@dataclass
class MemoryModelStore:
    """`ModelStore` over dictionaries."""

    documents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    """Stored versions of each name, the longest unused first."""
    champion: dict[str, tuple[str, int]] = field(default_factory=dict)
    learners: dict[str, tuple[int, bytes, bytes]] = field(default_factory=dict)
    """name -> (next offset, state, metrics)."""
    challengers: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """outcome -> name -> sealed document."""

    async def champions(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """The versions in force."""
        return {name: self.champion[name] for name in names if name in self.champion}

    async def fetch(self, name: str, version: str) -> bytes:
        """A stored document."""
        if (name, version) not in self.documents:
            raise ModelRefusedError(f"There is no version {version!r} of model {name!r}.")
        return self.documents[name, version]

    async def publish(self, name: str, version: str, sealed: bytes | None, epoch_day: int) -> None:
        """Store the document and put it in force."""
        if sealed is None:
            await self.fetch(name, version)
        else:
            self.documents[name, version] = sealed
        kept = [other for other in self.versions.get(name, ()) if other != version] + [version]
        for old in kept[:-VERSIONS_KEPT]:
            del self.documents[name, old]
        self.versions[name] = kept[-VERSIONS_KEPT:]
        self.champion[name] = version, epoch_day

    async def fetch_challenger(self, outcome: str, name: str) -> bytes:
        """A challenger's document."""
        if name not in self.challengers.get(outcome, {}):
            raise ModelRefusedError(f"There is no challenger {name!r} of {outcome!r}.")
        return self.challengers[outcome][name]

    async def publish_challenger(self, outcome: str, name: str, sealed: bytes) -> None:
        """Store a challenger's document."""
        stored = self.challengers.setdefault(outcome, {})
        if name not in stored and len(stored) >= CHALLENGERS_AT_MOST:
            raise ModelRefusedError(f"There are {CHALLENGERS_AT_MOST} challengers of {outcome!r} already.")
        stored[name] = sealed

    async def withdraw_challenger(self, outcome: str, name: str) -> None:
        """Drop a challenger's document."""
        self.challengers.get(outcome, {}).pop(name, None)

    async def load_learner(self, name: str) -> tuple[int, bytes] | None:
        """Offset and state as saved together."""
        saved = self.learners.get(name)
        return saved and saved[:2]

    async def save_learner(self, name: str, next_offset: int, state: bytes, metrics: bytes) -> None:
        """Save offset, state and metrics."""
        if name in self.learners:
            refuse_overtaken(name, self.learners[name][0], next_offset)
        self.learners[name] = next_offset, state, metrics

    async def forget(self, name: str) -> None:
        """Drop what there is of a model."""
        for version in self.versions.get(name, ()):
            del self.documents[name, version]
        for kept in (self.versions, self.champion, self.learners, self.challengers):
            kept.pop(name, None)
