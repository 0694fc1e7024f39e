"""Batches of events as columns, each with the customer it counts for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offline.columns.reading import Told
from offline.verify import NOBODY_GONE
from schemas.decode import DecodeRules
from stream.features.facts import EventFacts
from stream.features.vocabulary import NOTHING_DECLARED, Vocabulary
from stream.identities.known import UNKNOWN, Identity, counts_for, name_of

AT_ONCE = 100_000  # records read together: some 50 MB of columns


@dataclass(frozen=True)
class Batch:
    """Events that follow each other in one log.

    Attributes:
        log: tells logs apart.
        facts: of the events; `row` is the place of the customer that it counts for in `customers`.
        customers: ids, in the order of their first event here.
    """

    log: str
    facts: EventFacts
    customers: Sequence[str]


@dataclass
class Reading:
    """What a deployment accepts, and what was left out while reading.

    Attributes:
        rules: which records are events.
        partitions: of each input topic; a repeat is known within its partition.
        received_ms: when the records of files count as having been received, ms since 1970.
        vocabulary: the names it declares.
        rejected: records that no worker would take.
        duplicates: repeats.
    """

    rules: DecodeRules
    partitions: int
    received_ms: int
    vocabulary: Vocabulary = NOTHING_DECLARED
    rejected: int = 0
    duplicates: int = 0


def batch_of(log: str, told: Told, kept: NDArray[np.bool_], identities: Mapping[str, Identity] = NOBODY_GONE) -> Batch:
    """Those events of records that are kept and count for somebody, once erasures and merges have taken effect.

    Args:
        log: that they are of.
        told: what the records tell.
        kept: shape (records,).
        identities: what became of ids.
    """
    facts, customers = told.facts.take(np.flatnonzero(kept & (told.facts.row >= 0))), list(told.customers)
    if identities:
        facts, customers = _counting(facts, customers, identities)
    return numbered(log, facts, customers)


def _counting(
    facts: EventFacts, customers: list[str], identities: Mapping[str, Identity]
) -> tuple[EventFacts, list[str]]:
    """Those of the events that were not erased, under the customers that they count for."""
    is_gone = np.array([identities.get(name_of(customer), UNKNOWN).is_gone for customer in customers], np.bool_)
    places = {customer: place for place, customer in enumerate(customers)}
    row = facts.row.copy()
    for event in np.flatnonzero(is_gone[facts.row]).tolist():
        into = counts_for(customers[facts.row[event]], int(facts.time_ms[event]), identities)
        row[event] = -1 if into is None else places.setdefault(into, len(places))
    return replace(facts, row=row).take(np.flatnonzero(row >= 0)), list(places)


def numbered(log: str, facts: EventFacts, customers: Sequence[str]) -> Batch:
    """A batch of these events: customers by their first one; those without one are left out."""
    first = np.full(len(customers), len(facts))
    first[facts.row[::-1]] = np.arange(len(facts))[::-1]
    order = np.argsort(first, kind="stable")[: int((first < len(facts)).sum())]
    place = np.empty(len(customers), np.intp)
    place[order] = np.arange(len(order))
    return Batch(log, replace(facts, row=place[facts.row]), [customers[each] for each in order.tolist()])
