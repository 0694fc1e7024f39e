"""A rebuilt partition in commits of a size that a Redis in use can take."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from stream.memory_store import StoredPartition
from stream.ports import Commit, SeenBlock
from stream.worker.journal_entry import JournalEntry, encode_entry

Key = TypeVar("Key")
Value = TypeVar("Value")

AT_ONCE = 500  # customers or messages of a commit, as a lane's: Redis serves nobody else meanwhile
SEEN_BLOCK_BYTES = 8 * 16_384


def commits_of(stored: StoredPartition, noted: Sequence[JournalEntry], version: int) -> Iterator[Commit]:
    """Everything that is stored; positions come with the last commit, so that none before it is taken for all.

    Args:
        stored: what is to be written.
        noted: journal entries of it that no archive has, from the first on.
        version: of the partition before the first commit.
    """
    head = stored.head
    nothing = Commit({}, stream_time_ms=head.stream_time_ms, sequence=head.sequence)
    for number, entry in enumerate(noted, version + 1):
        yield replace(nothing, journal=encode_entry(replace(entry, version=number)))
    yield from _customers(stored, nothing)
    yield from _beside_customers(stored, nothing)
    sweep = head.sweep if head.sweep.under else None
    yield replace(nothing, positions=head.positions, totals=stored.totals, sweep=sweep, heard=head.heard)


def _customers(stored: StoredPartition, nothing: Commit) -> Iterator[Commit]:
    """What is kept of each customer, some customers a commit."""
    segment_of = {customer: name for name, members in stored.segments.items() for customer in members}
    for customers in _parts(list(stored.states)):
        yield replace(
            nothing,
            states=_of(customers, stored.states),
            views=_of(customers, stored.views),
            deadlines=_of(customers, stored.deadlines),
            segment_moves=[(each, None, segment_of[each]) for each in customers if each in segment_of],
            risks=_of(customers, stored.risks),
            labels=_of(customers, stored.labels),
        )


def _beside_customers(stored: StoredPartition, nothing: Commit) -> Iterator[Commit]:
    """What was merged and erased, snapshots, messages that wait, and ids of events; some of them a commit."""
    for names in _parts(list(stored.identities)):
        yield replace(nothing, identities=_of(names, stored.identities))
    for timelines in _parts(list(stored.timelines)):
        yield replace(nothing, timelines=_of(timelines, stored.timelines))
    for keys in _parts(list(stored.snapshots)):
        yield replace(nothing, snapshots=_of(keys, stored.snapshots))
    for sequences in _parts(sorted(stored.outbox)):
        yield replace(nothing, outbox=[(sequence, stored.outbox[sequence]) for sequence in sequences])
    for topic, blocks in stored.seen.items():
        packed = b"".join(blocks)
        for at in range(0, len(packed), SEEN_BLOCK_BYTES):
            yield replace(nothing, seen={topic: SeenBlock(packed[at : at + SEEN_BLOCK_BYTES])})


def _of(some: Sequence[Key], everything: Mapping[Key, Value]) -> dict[Key, Value]:
    return {key: everything[key] for key in some if key in everything}


def _parts(everything: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for at in range(0, len(everything), AT_ONCE):
        yield everything[at : at + AT_ONCE]
