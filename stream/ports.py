"""What the core asks of the outside. Adapters implement these; one law suite runs on every implementation.

Everything here is bytes and numbers already: encoding is the core's business, keeping is the store's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from stream.errors import OvertakenError
from stream.features.vocabulary import NOTHING_DECLARED, Vocabulary
from stream.outcomes.declaration import BUILT_IN, Outcome


@dataclass(frozen=True)
class LogPosition:
    """How far one topic of a partition has been applied, and what its last record looked like."""

    next_offset: int
    last_timestamp_ms: int = 0
    last_crc32: int = 0
    topic_id: str = ""


class SweepProgress(NamedTuple):
    """How far customers have been decided anew since models or rules changed.

    Attributes:
        under: names the models and rules of the last sweep that was begun.
        cursor: where it goes on; empty when it has ended.
        renewed: how many customers it has looked at.
    """

    under: str = ""
    cursor: str = ""
    renewed: int = 0


NOT_SWEPT = SweepProgress()


class Page(NamedTuple):
    """Some customers of a partition, where to go on (empty at the end), and about how many there are in all."""

    customers: list[str]
    cursor: str
    of: int


@dataclass(frozen=True)
class Head:
    """The partition as the store knows it: everything a commit is compared with.

    `version` grows by one with each commit and each claim; `sequence` is the number of the last message put in the
    outbox; `heard` is what the live clock has heard of each topic, packed by `stream.clock.SupportedMaximum`.
    """

    version: int = 0
    owner: str = ""
    positions: Mapping[str, LogPosition] = field(default_factory=dict)
    stream_time_ms: int = 0
    sequence: int = 0
    sweep: SweepProgress = NOT_SWEPT
    heard: Mapping[str, bytes] = field(default_factory=dict)

    def after(self, changes: "Commit") -> "Head":
        """The head once a commit is done.

        >>> head = Head(3, "ada").after(Commit({"events.clock": LogPosition(7)}, stream_time_ms=5, sequence=2))
        >>> head == Head(4, "ada", {"events.clock": LogPosition(7)}, stream_time_ms=5, sequence=2)
        True
        """
        return Head(
            version=self.version + 1,
            owner=self.owner,
            positions={**self.positions, **changes.positions},
            stream_time_ms=changes.stream_time_ms,
            sequence=changes.sequence,
            sweep=changes.sweep or self.sweep,
            heard=with_heard(self.heard, changes.heard),
        )


def with_heard(heard: Mapping[str, bytes], changed: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """What was heard of topics once some of it has changed; nothing of one is not kept.

    >>> with_heard({"events.purchases": b"..", "events.profiles": b"."}, {"events.profiles": b""})
    {'events.purchases': b'..'}
    """
    return {topic: packed for topic, packed in {**heard, **changed}.items() if packed} if changed else heard


@dataclass(frozen=True)
class SeenBlock:
    """Event-id hashes of the records one commit applied from one topic, packed as little-endian u8.

    `replaces_last` says that the block already contains the topic's last stored block (small blocks are joined);
    `drop_first` is how many of the oldest blocks have left the window.
    """

    packed: bytes
    replaces_last: bool = False
    drop_first: int = 0


RISK_INDEX_WITHIN = 0.05
"""An entry of the index by value at risk is at most this share away from the value; readers allow for it."""


class Commit(msgspec.Struct, frozen=True):
    """All writes of one chunk. Applied whole or not at all."""

    positions: Mapping[str, LogPosition]
    stream_time_ms: int
    sequence: int
    states: Mapping[str, bytes] = {}
    views: Mapping[str, bytes] = {}
    deadlines: Mapping[str, int] = {}
    """customer -> time of its entry in the sorted set, ms; 0 removes it."""
    segment_moves: Sequence[tuple[str, str | None, str]] = ()
    """(customer, segment left or None, segment entered)."""
    risks: Mapping[str, float] = {}
    """customer -> value at risk, major units; 0 removes it."""
    labels: Mapping[str, bytes] = {}
    """customer -> open accumulators; empty removes them."""
    snapshots: Mapping[tuple[str, int], bytes] = {}
    """(customer, day) -> snapshot, written once."""
    closed_snapshots: Sequence[tuple[str, int]] = ()
    outbox: Sequence[tuple[int, bytes]] = ()
    """(sequence, packed message)."""
    forget_outbox: Sequence[int] = ()
    """Sequences acknowledged by the broker since the last commit."""
    seen: Mapping[str, SeenBlock] = {}
    journal: bytes = b""
    totals: Mapping[str, int] = {}
    """Increments of the shop's totals of this partition."""
    sweep: SweepProgress | None = None
    """None leaves it as it is."""
    removed: Sequence[str] = ()
    """Customers of whom state, view, deadline, segment, value at risk and open accumulators go, before the rest."""
    identities: Mapping[str, bytes] = {}
    """`stream.identities.known.name_of` an id -> what became of it."""
    timelines: Mapping[str, int] = {}
    """Timeline -> the number of the last message that it has sent from customer to customer."""
    heard: Mapping[str, bytes] = {}
    """Topic -> what the live clock has heard of it, where that has changed; empty removes it."""


class PartitionStore(Protocol):
    """One partition of the store, for one lane: a chunk from `begin` or `follow` to `commit` or `abandon`."""

    async def claim(self, owner: str) -> Head:
        """Make `owner` the partition's owner and return the head after that."""
        ...

    async def begin(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]]:
        """Start a chunk: the head, and up to `due_limit` (customer, deadline) with deadline <= `due_until_ms`.

        Earliest first, ties by customer id in byte order. From here on another writer's commit makes ours fail.
        """
        ...

    def follow(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]] | None:
        """Start the chunk behind the last commit by what its answer has said; None where `begin` has to ask.

        What it gives is what `begin` would have given then. Another writer's commit since then makes ours fail.
        """
        ...

    async def load(self, customers: Sequence[str]) -> tuple[list[bytes | None], list[bytes | None]]:
        """States and open accumulators of the customers, in their order; None where there is none."""
        ...

    async def load_snapshots(self, keys: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """Snapshots by (customer, day)."""
        ...

    async def page(self, cursor: str, limit: int) -> Page:
        """About `limit` customers that have a deadline, from a cursor on; empty begins.

        Whoever has a deadline from the first page to the last is on one of them, and may be on several. A cursor of
        another run of the store begins again.
        """
        ...

    async def commit(self, head: Head, changes: Commit) -> bool:
        """Apply `changes` if the partition is still at `head.version`. False, and nothing written, if it is not.

        Raises:
            StoreUnavailableError: the outcome is not known; begin again and compare positions.
        """
        ...

    async def abandon(self) -> None:
        """End a chunk without writing."""
        ...

    async def last_sent(self, timelines: Sequence[tuple[int, str]]) -> list[int | None]:
        """The numbers of the last messages that (partition, timeline) has sent, of any partitions; within a chunk.

        0 where nothing is known of the timeline, None where the store cannot tell.
        """
        ...

    async def seen_blocks(self, topic: str) -> list[bytes]:
        """The stored blocks of event-id hashes of a topic, oldest first."""
        ...

    async def identities(self) -> dict[str, bytes]:
        """What became of ids of the partition, by their names in `stream.identities.known`."""
        ...

    async def outbox(self) -> list[tuple[int, bytes]]:
        """Messages committed and not yet forgotten, by sequence."""
        ...

    async def forget_outbox(self, sequences: Iterable[int]) -> None:
        """Remove messages the broker has acknowledged. Does not change the partition's version."""
        ...

    async def close(self) -> None:
        """Release the connection."""
        ...


@dataclass(frozen=True)
class PartitionFigures:
    """How a partition stands, as the metrics show it.

    `totals` are those of the shop; `deadlines_overdue` of `deadlines_waiting` have passed.
    """

    totals: Mapping[str, int]
    deadlines_waiting: int
    deadlines_overdue: int
    customers_at_risk: int
    segment_sizes: Mapping[str, int]


class Figures(Protocol):
    """Figures of partitions. Any number of readers."""

    async def read(self, until_ms: Mapping[int, int]) -> dict[int, PartitionFigures]:
        """Figures of the partitions in `until_ms`, each with the time up to which a deadline is overdue.

        Raises:
            StoreUnavailableError: it does not answer.
        """
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...


CHALLENGERS_AT_MOST = 4  # from outside, of an outcome; each is scored at every snapshot and stored with it


class ModelStore(Protocol):
    """Signed model documents by name and version, which version is in force, and challengers from outside."""

    async def champions(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """name -> (version, epoch day of its publication). Names never published are absent.

        Raises:
            ModelRefusedError: of one of them it cannot be read.
        """
        ...

    async def fetch(self, name: str, version: str) -> bytes:
        """The sealed document.

        Raises:
            ModelRefusedError: no such version.
        """
        ...

    async def publish(self, name: str, version: str, sealed: bytes | None, epoch_day: int) -> None:
        """Store the document (None: it is there already), make it champion of `epoch_day`, drop old versions."""
        ...

    async def fetch_challenger(self, outcome: str, name: str) -> bytes:
        """The sealed document of a challenger.

        Raises:
            ModelRefusedError: there is none of this name.
        """
        ...

    async def publish_challenger(self, outcome: str, name: str, sealed: bytes) -> None:
        """Store a challenger's document in place of one of its name.

        Raises:
            ModelRefusedError: the outcome has as many as may be.
        """
        ...

    async def withdraw_challenger(self, outcome: str, name: str) -> None:
        """Drop a challenger's document; that of a name which has none is none."""
        ...

    async def load_learner(self, name: str) -> tuple[int, bytes] | None:
        """(next offset of the labels log, learner state) as saved together, or None."""
        ...

    async def save_learner(self, name: str, next_offset: int, state: bytes, metrics: bytes) -> None:
        """Save learner state, metrics and offset in one write. What is saved never goes back.

        Raises:
            OvertakenError: a later offset is saved: by another learner.
        """
        ...

    async def forget(self, name: str) -> None:
        """Drop all versions of a model, which of them is in force, its challengers and its learner."""
        ...


def refuse_overtaken(name: str, saved_offset: int, next_offset: int) -> None:
    """See that no later offset is saved of a learner than the one that is to be saved.

    Raises:
        OvertakenError: there is.
    """
    if saved_offset > next_offset:
        raise OvertakenError(
            f"Learner {name} is saved up to offset {saved_offset:,} of labels, and this process has it up to "
            f"{next_offset:,}: another learner has gone on, while this one was missed or under another "
            "EBB_LEARNER_GROUP. Start it again if it is wanted as a stand-by; of one group one works at a time."
        )


@dataclass(frozen=True)
class Deployment:
    """What every process of a deployment must agree on; kept in `meta` from the first start."""

    partitions: int
    clock: str
    layout: str
    vocabulary: Vocabulary = NOTHING_DECLARED
    outcomes: tuple[Outcome, ...] = BUILT_IN

    @property
    def outcome_names(self) -> tuple[str, ...]:
        """The names of what is predicted."""
        return tuple(outcome.name for outcome in self.outcomes)
