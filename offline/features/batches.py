"""Batches of events as columns, each with the customer it counts for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from offline.columns.names import Names
from offline.columns.reading import Told
from offline.rejections import Rejections
from offline.verify import NOBODY_GONE
from schemas.decode import DecodeRules
from stream.features.facts import EventFacts
from stream.features.vocabulary import NOTHING_DECLARED, Vocabulary
from stream.identities.known import UNKNOWN, Identity, counts_for, name_of

AT_ONCE = 50_000  # records read together: some 25 MB of columns


@dataclass(frozen=True)
class Batch:
    """Events that follow each other in one log.

    Attributes:
        log: tells logs apart.
        facts: of the events; `row` is the place of the customer that it counts for in `customers`.
        customers: everybody that was met so far, with and without events.
    """

    log: str
    facts: EventFacts
    customers: Names


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
    """

    rules: DecodeRules
    partitions: int
    received_ms: int
    vocabulary: Vocabulary = NOTHING_DECLARED
    customers: Names = field(default_factory=Names)
    rejected: Rejections = field(default_factory=Rejections)
    duplicates: int = 0


def batch_of(log: str, told: Told, kept: NDArray[np.bool_], identities: Mapping[str, Identity] = NOBODY_GONE) -> Batch:
    """Those events of records that are kept and count for somebody, once erasures and merges have taken effect.

    Args:
        log: that they are of.
        told: what the records tell.
        kept: shape (records,).
        identities: what became of ids.
    """
    facts = told.facts.take(np.flatnonzero(kept & (told.facts.row >= 0)))
    return Batch(log, _counting(facts, told.customers, identities) if identities else facts, told.customers)


def _counting(facts: EventFacts, customers: Names, identities: Mapping[str, Identity]) -> EventFacts:
    """Those of the events that were not erased, under the customers that they count for."""
    met, of_event = np.unique(facts.row, return_inverse=True)
    is_gone = np.array([identities.get(name_of(each), UNKNOWN).is_gone for each in customers.listed(met)], np.bool_)
    row = facts.row.copy()
    for event in np.flatnonzero(is_gone[of_event]).tolist():
        into = counts_for(customers[facts.row[event]], int(facts.time_ms[event]), identities)
        row[event] = -1 if into is None else customers.places_of([into])[0]
    return replace(facts, row=row).take(np.flatnonzero(row >= 0))
