"""A batch sorted out before the store is asked: duplicates, dead letters, guests, and events of customers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.clock import ClockRecord
from schemas.decode import Rejection
from schemas.events import Event
from schemas.messages import EpochPassed
from schemas.topics import CLOCK, INVALID, LABELS
from stream.drafts import DeadLetterDraft, Draft, MessageDraft, message_id
from stream.features.facts import KIND_CODES, EventFacts, event_hash
from stream.worker.inbox import LogRecord
from stream.worker.seen import NO_ID, SeenWindow


@dataclass
class Sorted:
    """What a batch holds. Indices are places in the batch."""

    events: list[tuple[int, Event]] = field(default_factory=list)
    guests: list[Event] = field(default_factory=list)
    invalid: list[tuple[int, Rejection]] = field(default_factory=list)
    hashes: dict[str, list[int]] = field(default_factory=dict)
    duplicates: list[int] = field(default_factory=list)


def sort_out(records: list[LogRecord], windows: Mapping[str, SeenWindow]) -> Sorted:
    """Decide what each record is. Windows are read, not advanced: the batch is not applied yet."""
    found = Sorted()
    for record in records:
        if record.topic != CLOCK:
            rejected = isinstance(record.decoded, Rejection)
            found.hashes.setdefault(record.topic, []).append(NO_ID if rejected else event_hash(record.decoded.event_id))
    repeated = {topic: iter(windows[topic].duplicates(hashes)) for topic, hashes in found.hashes.items()}
    for index, record in enumerate(records):
        is_duplicate = record.topic != CLOCK and next(repeated[record.topic])
        _place(found, index, record, is_duplicate)
    return found


def _place(found: Sorted, index: int, record: LogRecord, is_duplicate: bool) -> None:
    if isinstance(record.decoded, Rejection):
        found.invalid.append((index, record.decoded))
    elif isinstance(record.decoded, ClockRecord):
        return  # it has set the time of the records after it, or means nothing on the live clock
    elif is_duplicate:
        found.duplicates.append(index)
    elif record.decoded.customer_id is None:
        found.guests.append(record.decoded)
    else:
        found.events.append((index, record.decoded))


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
