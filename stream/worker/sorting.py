"""A batch sorted out before the store is asked: duplicates, dead letters, guests, and events of customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.messages import EpochPassed
from schemas.origin import headers_of
from schemas.rejection import Rejection
from schemas.topics import CLOCK, INVALID, LABELS, REROUTED
from stream.compiled import compiled
from stream.drafts import CopyDraft, Draft, MessageDraft, message_id
from stream.features.facts import KIND_CODES, Envelopes, EventFacts
from stream.features.facts_of_events import facts_of
from stream.features.hashes import event_hashes
from stream.features.packed_facts import unpacked
from stream.features.vocabulary import Vocabulary
from stream.identities.known import Onward
from stream.worker.log_records import (
    FIRST_IDENTITY_KIND,
    LOST_KIND,
    NO_RECORDS,
    REJECTED,
    TOPIC_NUMBERS,
    LogRecord,
    LogRecords,
)
from stream.worker.seen import HashArray, SeenWindow

Places = NDArray[np.intp]


class Redirected(NamedTuple):
    """An event that goes on to another customer, for whom it counts since a merge or an erasure."""

    place: int
    onward: Onward
    erased_ms: int


@dataclass
class Sorted:
    """What a batch holds.

    Attributes:
        records: all of it.
        places: of the events of customers, in the batch.
        customers: whose they are.
        guests: places of events without a customer.
        invalid: (place, why).
        duplicates: places of records that repeat an event id.
        hashes: topic -> `event_hash` of each of its records, clock records apart; `NO_ID` for one without an id.
        misrouted: (place, customer) of records to be sent on to the partition of their customer.
        identities: places of erasures, merges and arrivals: one at most, alone in its batch.
        erased: places of events that count no more, since their customer was erased.
        redirected: events that count for another customer.
    """

    records: LogRecords
    hashes: dict[str, HashArray]
    duplicates: Places
    places: Places
    customers: list[str]
    guests: Places
    invalid: list[tuple[int, Rejection]]
    misrouted: list[tuple[int, str]] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    redirected: list[Redirected] = field(default_factory=list)


_NOWHERE: Places = np.zeros(0, np.intp)
NOTHING_SORTED = Sorted(NO_RECORDS, {}, _NOWHERE, _NOWHERE, [], _NOWHERE, [])

_REPEATED, _REJECTED, _OF_CUSTOMER, _OF_GUEST, _IDENTITY, _SORTS = range(6)
"""What `_sort` tells apart."""


def sort_out(records: LogRecords, windows: Mapping[str, SeenWindow]) -> Sorted:
    """Decide what each record is. Windows are read, not advanced: the batch is not applied yet."""
    known_by, hashes, repeats = _window_hashes(records), {}, np.zeros(len(records), np.bool_)
    topics = records.topics
    for topic in topics:
        if topic != CLOCK:  # clock records repeat nothing
            of_topic = slice(None) if len(topics) == 1 else records.topic == TOPIC_NUMBERS[topic]
            hashes[topic] = known_by[of_topic]
            repeats[of_topic] = windows[topic].duplicates(hashes[topic])
    sorts, counts = np.empty((_SORTS, len(records)), np.intp), np.zeros(_SORTS, np.intp)
    _sort(sorts, counts, records.kind, records.has_customer, repeats)
    duplicates, invalid, places, guests, identities = [
        found[:count] for found, count in zip(sorts, counts.tolist(), strict=True)
    ]
    return Sorted(
        records=records,
        hashes=hashes,
        duplicates=duplicates,
        places=places,
        customers=records.customer[places].tolist(),
        guests=guests,
        invalid=[(place, records.decoded[place]) for place in invalid.tolist()],
        identities=identities.tolist(),
    )


@compiled
def _sort(
    sorts: Places, counts: Places, kind: NDArray[np.uint8], has_customer: NDArray[np.bool_], repeats: NDArray[np.bool_]
) -> None:
    """Fill in the places of each sort, and how many there are.

    Clock records go nowhere: they have set the time of what follows, or mean nothing on the live clock.
    """
    for place in range(len(kind)):
        if repeats[place]:
            sort = _REPEATED
        elif kind[place] == REJECTED:
            sort = _REJECTED
        elif kind[place] < FIRST_IDENTITY_KIND:
            sort = _OF_CUSTOMER if has_customer[place] else _OF_GUEST
        elif kind[place] < LOST_KIND:
            sort = _IDENTITY
        else:
            continue
        sorts[sort, counts[sort]] = place
        counts[sort] += 1


def _window_hashes(records: LogRecords) -> HashArray:
    """What windows know records by. An event that was sent from one customer to another is known by where it was
    written and how often it was sent: it may come to a partition more than once, and each time is another."""
    hashes: HashArray = records.id_hash
    if REROUTED not in records.topics or not records.hops.any():
        return hashes
    places = ((records.hops > 0) & records.is_event).nonzero()[0].tolist()
    hashes = hashes.copy()
    hashes[places] = event_hashes([_place_of(records[place]) for place in places])
    return hashes


def _place_of(record: LogRecord) -> str:
    origin = record.origin_on(0)
    return f"{origin.topic} {origin.partition} {origin.offset} {origin.hops} {record.decoded.customer_id}"


def set_aside(records: LogRecords) -> list[int]:
    """The places of the records that a bug made dead letters: what is in the log does not say so."""
    if not records.has_kind(REJECTED):
        return []
    rejected = (records.kind == REJECTED).nonzero()[0].tolist()
    return [place for place in rejected if records.decoded[place].reason == "bug"]


def facts_at(
    places: Places, rows: Sequence[int], records: LogRecords, vocabulary: Vocabulary, exponent: int
) -> EventFacts:
    """`facts_of` the events at these places."""
    envelopes = Envelopes(records.kind[places], records.event_time_ms[places], records.id_hash[places])
    decoded = records.is_decoded[places].nonzero()[0]
    events = records.decoded[places[decoded]].tolist()
    if len(decoded) == len(places):
        return facts_of(events, rows, vocabulary, exponent, envelopes)
    facts = unpacked(records.facts[places], rows, envelopes)
    if len(decoded):
        facts.put(decoded, facts_of(events, facts.row[decoded], vocabulary, exponent))
    return facts


def dead_letter(index: int, record: LogRecord, partition: int, rejection: Rejection) -> Draft:
    """The draft of one dead letter: the original bytes, and in the headers where they came from and why."""
    headers = {
        "reason": rejection.reason,
        "field": rejection.field or "",
        "detail": rejection.detail,
        **headers_of(record.origin_on(partition)),
    }
    return CopyDraft((index, 1, 0, "", "dead-letter"), INVALID, record.key, record.value, headers)


def sent_on(index: int, record: LogRecord, partition: int, customer: str) -> Draft:
    """The draft of an event on its way to the partition of its customer, which the key leads to."""
    headers = headers_of(record.origin_on(partition))
    return CopyDraft((index, 1, 0, "", "rerouted"), REROUTED, customer.encode(), record.value, headers)


def epoch_passed(index: int, partition: int, day: int) -> Draft:
    """The draft that tells the learner that this partition has sent all labels of `day`; it follows all of them."""
    fields = {"message_id": message_id("epoch-passed", partition, day), "day": day}
    return MessageDraft((index, 2, 0, "", "epoch-passed"), LABELS, str(partition), EpochPassed, fields)


def shop_totals(found: Sorted, customers: EventFacts, guests: EventFacts) -> dict[str, int]:
    """Increments of the shop's totals: all applied events, and those of guests apart. Money in minor units."""
    totals = {
        "events": len(customers) + len(guests),
        "guest_events": len(guests),
        "duplicates": len(found.duplicates),
        "dead_letters": len(found.invalid),
        "rerouted": len(found.misrouted),
        "erased_events": len(found.erased),
        "redirected_events": len(found.redirected),
    }
    for prefix, facts in (("", customers), ("guest_", guests)):
        there = facts.kind.tobytes()
        for name in ("purchase", "refund"):
            if count := there.count(KIND_CODES[name]):
                totals[f"{prefix}{name}s"] = count
                totals[f"{prefix}{name}_minor"] = int(facts.amount_minor[facts.kind == KIND_CODES[name]].sum())
    return {name: count for name, count in totals.items() if count}
