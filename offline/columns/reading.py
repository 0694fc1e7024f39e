"""From records as they lie in files to the facts of their events: by columns, and one by one where columns may not do.

What `schemas.decode` says of each record is what counts: `stream.columns.scanning` takes only what it would accept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.columns.names import Names
from offline.columns.values import Values
from schemas.decode import DecodeRules
from schemas.decode_many import decode_many
from schemas.events import Event
from schemas.money import exponent_of
from schemas.rejection import Rejection
from stream.columns.events import surely_events
from stream.columns.facts import facts_in
from stream.columns.scanning import Records, scan
from stream.features.facts import EventFacts
from stream.features.facts_of_events import facts_of
from stream.features.vocabulary import Vocabulary

IntArray = NDArray[np.int64]
NOBODY = -1
DECODED_AT_ONCE = 512  # one value that needs a closer look slows down so many


@dataclass(frozen=True)
class Told:
    """What records tell.

    Attributes:
        facts: shape (records,); those of what is no event mean nothing. `row` is the place of the event's customer in
            `customers`, `NOBODY` where there is none.
        is_event: shape (records,).
        customers: of these records and of those that were read before.
        rejected: why no worker would take the other records that it would not.
    """

    facts: EventFacts
    is_event: NDArray[np.bool_]
    customers: Names
    rejected: Sequence[Rejection]


@dataclass(frozen=True)
class Sent:
    """Records in the order of a log.

    Attributes:
        values: of the records.
        topics: names of topics.
        topic: shape (records,), the place of each record's among them.
        timestamps_ms: shape (records,), as of `decode`.
    """

    values: Values
    topics: Sequence[str]
    topic: IntArray
    timestamps_ms: IntArray

    def decoded(self, places: NDArray[np.intp], rules: DecodeRules) -> list[Any]:
        """What `decode` says of some records."""
        found: dict[int, Any] = {}
        for number, topic in enumerate(self.topics):
            at = places[self.topic[places] == number].tolist()
            for begin in range(0, len(at), DECODED_AT_ONCE):
                some = at[begin : begin + DECODED_AT_ONCE]
                values = [self.values.at(place) for place in some]
                times_ms = [int(self.timestamps_ms[place]) for place in some]
                found.update(zip(some, decode_many(topic, values, times_ms, rules), strict=True))
        return [found[place] for place in places.tolist()]


def told(sent: Sent, rules: DecodeRules, vocabulary: Vocabulary, customers: Names) -> Told:
    """The facts of the events among records.

    Args:
        sent: the records.
        rules: which of them are events.
        vocabulary: the names the deployment declares.
        customers: known so far; those of the records are added.
    """
    values, exponent = sent.values, exponent_of(rules.currency)
    scanned = scan(values.data, values.starts, values.ends, sent.topics, sent.topic, rules.currency)
    sure = _sure(scanned.records, sent, rules)
    facts = facts_in(scanned, values.data, vocabulary, exponent)
    facts.row[:] = _places(scanned.records, sure, values.data, customers)
    odd = np.flatnonzero(~sure)
    decoded = sent.decoded(odd, rules)
    is_odd_event = np.array([isinstance(each, Event) for each in decoded], np.bool_)
    events = [each for each in decoded if isinstance(each, Event)]
    put_events(facts, odd[is_odd_event], events, customers, vocabulary, exponent)
    sure[odd] = is_odd_event
    return Told(facts, sure, customers, [each for each in decoded if isinstance(each, Rejection)])


def taken(sent: Sent, rules: DecodeRules) -> NDArray[np.bool_]:
    """Which records are certainly events."""
    values = sent.values
    scanned = scan(values.data, values.starts, values.ends, sent.topics, sent.topic, rules.currency)
    return _sure(scanned.records, sent, rules)


def _sure(records: Records, sent: Sent, rules: DecodeRules) -> NDArray[np.bool_]:
    return surely_events(records, sent.values.ends - sent.values.starts, sent.timestamps_ms, rules)


def _places(records: Records, sure: NDArray[np.bool_], data: NDArray[np.uint8], customers: Names) -> NDArray[np.intp]:
    """The place of each record's customer."""
    row = np.full(len(sure), NOBODY, np.intp)
    at = np.flatnonzero(sure & (records.customer_end > 0))
    row[at] = customers.places_in(data, records.customer_start[at], records.customer_end[at])
    return row


def put_events(
    facts: EventFacts,
    at: NDArray[np.intp],
    events: Sequence[Event],
    customers: Names,
    vocabulary: Vocabulary,
    exponent: int,
) -> None:
    """Put decoded events among the facts, and their customers among those that are known."""
    if not events:
        return
    is_named = np.array([event.customer_id is not None for event in events], np.bool_)
    rows = np.full(len(events), NOBODY, np.intp)
    rows[is_named] = customers.places_of([event.customer_id for event in events if event.customer_id is not None])
    facts.put(at, facts_of(events, rows.tolist(), vocabulary, exponent))
