"""Many records of one topic at once: what they have in common is looked at once, the odd ones one by one.

Nearly every record is plain ASCII, names each key once and keeps every rule. For records joined to one text that is
seen in a few passes over its bytes; only what fails there is read with the care of `schemas.decode.decode`, whose
answer always counts.
"""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from schemas.decode import DECODERS, Rejection, decode
from schemas.events import Event, Input
from schemas.identifiers import is_plain
from schemas.repeated_keys import names_keys_once
from schemas.rules import DecodeRules, keep_rules
from schemas.topics import CLOCK

FEW = 16  # so many at most are read one by one, when one of them needs it

_customer_id = attrgetter("customer_id")


def decode_many(
    topic: str, values: Sequence[bytes | None], kafka_timestamps_ms: Sequence[int], rules: DecodeRules
) -> list[Input | Rejection]:
    """What `decode` says of each value, in their order.

    >>> rules, view = DecodeRules(currency="GBP"), b'{"type":"page_view","event_id":"v1","event_time_ms":1291900000000}'
    >>> [type(each).__name__ for each in decode_many("events.engagement", [view, None], [1291900000000] * 2, rules)]
    ['PageView', 'Rejection']
    """
    at_once = _at_once(topic, values, kafka_timestamps_ms, rules)
    if at_once is not None:
        return [*at_once]
    if len(values) <= FEW or topic == CLOCK:
        records = zip(values, kafka_timestamps_ms, strict=True)
        return [decode(topic, value, timestamp_ms, rules) for value, timestamp_ms in records]
    plain = [at for at, value in enumerate(values) if value and is_plain(value)]
    if len(plain) == len(values):  # one of them is at fault: the other half need not suffer
        half = len(values) // 2
        return decode_many(topic, values[:half], kafka_timestamps_ms[:half], rules) + decode_many(
            topic, values[half:], kafka_timestamps_ms[half:], rules
        )
    easy = decode_many(topic, [values[at] for at in plain], [kafka_timestamps_ms[at] for at in plain], rules)
    found = dict(zip(plain, easy, strict=True))
    return [
        found[at] if at in found else decode(topic, value, kafka_timestamps_ms[at], rules)
        for at, value in enumerate(values)
    ]


def _at_once(
    topic: str, values: Sequence[bytes | None], kafka_timestamps_ms: Sequence[int], rules: DecodeRules
) -> list[Event] | None:
    """The events, if it is certain that none of the values would be rejected."""
    if topic == CLOCK or not all(values):
        return None
    present: Sequence[bytes] = values  # type: ignore[assignment]
    joined = b"\n".join(present)
    if not is_plain(joined) or max(map(len, present), default=0) > rules.max_bytes:
        return None
    try:
        events: list[Event] = list(map(DECODERS[topic].decode, present))  # type: ignore[arg-type]
    except (msgspec.DecodeError, RecursionError):
        return None
    customers = len(events) - list(map(_customer_id, events)).count(None)
    if names_keys_once(joined, len(events), customers) and keep_rules(events, kafka_timestamps_ms, rules):
        return events
    return None
