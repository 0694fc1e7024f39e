"""Batches of events as columns, each with the customer it counts for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from offline.columns.names import Names
from offline.columns.reading import NOBODY, Told
from offline.rejections import Rejections
from offline.verify import NOBODY_GONE
from schemas.decode import DecodeRules
from stream.features.facts import EventFacts
from stream.features.vocabulary import NOTHING_DECLARED, Vocabulary
from stream.identities.known import UNKNOWN, Identity, counts_for, name_of

IntArray = NDArray[np.int64]

AT_ONCE = 50_000  # records read together: some 25 MB of columns


@dataclass(frozen=True)
class Batch:
    """Events that follow each other in one log.

    Attributes:
        log: tells logs apart.
        facts: of the events; `row` is the place of the customer that it counts for in `customers`.
        customers: everybody that was met so far, with and without events.
        came_ms: shape (events,), when each was there for a replay, ms since 1970; not before its day.
        guests_ms: shape (guests,), the times of the events of nobody that were among them.
    """

    log: str
    facts: EventFacts
    customers: Names
    came_ms: IntArray
    guests_ms: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass
class Reading:
    """What a deployment accepts, and what was left out while reading.

    Attributes:
        rules: which records are events.
        partitions: of each input topic; a repeat is known within its partition.
        received_ms: when the records of files count as having been received, ms since 1970.
        vocabulary: the names it declares.
        customers: met so far.
        rejected: records that no worker would take.
        duplicates: repeats.
        clock_ms: how far the clock of a replay would go, ms since 1970; 0 where it ends with the last event.
    """

    rules: DecodeRules
    partitions: int
    received_ms: int
    vocabulary: Vocabulary = NOTHING_DECLARED
    customers: Names = field(default_factory=Names)
    rejected: Rejections = field(default_factory=Rejections)
    duplicates: int = 0
    clock_ms: int = 0


def batch_of(
    log: str,
    told: Told,
    kept: NDArray[np.bool_],
    came_ms: IntArray | None = None,
    identities: Mapping[str, Identity] = NOBODY_GONE,
) -> Batch:
    """Those events of records that are kept and count for somebody, once erasures and merges have taken effect.

    Args:
        log: that they are of.
        told: what the records tell.
        kept: shape (records,).
        came_ms: shape (records,), as of `Batch`; None where each was there when it happened.
        identities: what became of ids.
    """
    times_ms, is_named = told.facts.time_ms, told.facts.row >= 0
    came_ms = times_ms if came_ms is None else came_ms
    at = np.flatnonzero(kept & is_named)
    facts, guests_ms = told.facts.take(at), times_ms[kept & ~is_named]
    if not identities:
        return Batch(log, facts, told.customers, came_ms[at], guests_ms)
    row = _rows_counting(facts, told.customers, identities)
    left = np.flatnonzero(row >= 0)
    return Batch(log, replace(facts, row=row).take(left), told.customers, came_ms[at[left]], guests_ms)


def _rows_counting(facts: EventFacts, customers: Names, identities: Mapping[str, Identity]) -> NDArray[np.intp]:
    """The customer that each of the events counts for; `NOBODY` of one that was erased."""
    met, of_event = np.unique(facts.row, return_inverse=True)
    is_gone = np.array([identities.get(name_of(each), UNKNOWN).is_gone for each in customers.listed(met)], np.bool_)
    row = facts.row.copy()
    for event in np.flatnonzero(is_gone[of_event]).tolist():
        into = counts_for(customers[facts.row[event]], int(facts.time_ms[event]), identities)
        row[event] = NOBODY if into is None else customers.places_of([into])[0]
    return row
