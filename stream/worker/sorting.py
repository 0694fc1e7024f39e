"""A batch sorted out before the store is asked: duplicates, dead letters, guests, and events of customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np

from schemas.clock import ClockRecord
from schemas.decode import Rejection
from schemas.events import Event
from schemas.messages import EpochPassed
from schemas.topics import CLOCK, INVALID, LABELS
from stream.drafts import DeadLetterDraft, Draft, MessageDraft, message_id
from stream.features.facts import KIND_CODES, EventFacts, event_hashes
from stream.worker.inbox import LogRecord
from stream.worker.seen import NO_ID, HashArray, SeenWindow


@dataclass
class Sorted:
    """What a batch holds. Indices are places in the batch.

    Attributes:
        events: of customers, and in `places` where each stands.
        guests: events without a customer.
        invalid: (place, why).
        duplicates: places of records that repeat an event id.
        hashes: topic -> `event_hash` of each of its records, clock records apart; `NO_ID` for one without an id.
        hash_at: the same by place in the batch.
    """

    hash_at: HashArray
    hashes: dict[str, HashArray] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    guests: list[Event] = field(default_factory=list)
    invalid: list[tuple[int, Rejection]] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)


def sort_out(records: Sequence[LogRecord], windows: Mapping[str, SeenWindow]) -> Sorted:
    """Decide what each record is. Windows are read, not advanced: the batch is not applied yet."""
    topics, decoded = [record.topic for record in records], [record.decoded for record in records]
    found = Sorted(_hashes(decoded))
    for topic in dict.fromkeys(topics):
        if topic == CLOCK:
            continue  # clock records repeat nothing
        of_topic = [place for place, its_topic in enumerate(topics) if its_topic == topic]
        found.hashes[topic] = found.hash_at[of_topic]
        found.duplicates += compress(of_topic, windows[topic].duplicates(found.hashes[topic]))
    found.duplicates.sort()
    _place(found, decoded)
    return found


def _hashes(decoded: Sequence[Any]) -> HashArray:
    ids = [getattr(what, "event_id", None) for what in decoded]
    known = [event_id for event_id in ids if event_id is not None]
    if len(known) == len(ids):
        return event_hashes(known)
    hashes = np.full(len(ids), NO_ID, np.uint64)
    hashes[[event_id is not None for event_id in ids]] = event_hashes(known)
    return hashes


def _place(found: Sorted, decoded: Sequence[Any]) -> None:
    """Clock records go nowhere: they have set the time of what follows, or mean nothing on the live clock."""
    places: Sequence[int] = range(len(decoded))
    if found.duplicates or not {Rejection, ClockRecord}.isdisjoint(map(type, decoded)):
        found.invalid += [(place, what) for place, what in enumerate(decoded) if isinstance(what, Rejection)]
        repeats = set(found.duplicates)
        places = [
            place
            for place, what in enumerate(decoded)
            if place not in repeats and not isinstance(what, Rejection | ClockRecord)
        ]
    found.places = [place for place in places if decoded[place].customer_id is not None]
    found.events = [decoded[place] for place in found.places]
    if len(found.places) < len(places):
        found.guests = [decoded[place] for place in places if decoded[place].customer_id is None]


def dead_letter(index: int, record: LogRecord, partition: int, rejection: Rejection) -> Draft:
    """The draft of one dead letter: the original bytes, and in the headers where they came from and why."""
    headers = {
        "reason": rejection.reason,
        "field": rejection.field or "",
        "detail": rejection.detail,
        "source_topic": record.topic,
        "source_partition": str(partition),
        "source_offset": str(record.offset),
        "source_timestamp_ms": str(record.timestamp_ms),
    }
    return DeadLetterDraft((index, 1, 0, "", "dead-letter"), INVALID, record.key, record.value, headers)


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
    }
    for prefix, facts in (("", customers), ("guest_", guests)):
        for name in ("purchase", "refund"):
            mine = facts.kind == KIND_CODES[name]
            totals[f"{prefix}{name}s"] = int(mine.sum())
            totals[f"{prefix}{name}_minor"] = int(facts.amount_minor[mine].sum())
    return {name: count for name, count in totals.items() if count}
