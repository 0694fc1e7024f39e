"""Parity: every customer's features recomputed from a history, compared with what is stored.

The recomputation takes the way of a record without Kafka and Redis: encoded, decoded by the same rules, duplicates left
out by the same window, folded by the same code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offline.addresses import partition_for, topic_of
from offline.duplicates import NO_ID, repeated
from offline.history import History
from schemas.decode import DecodeRules, Rejection
from schemas.decode_many import decode_many
from schemas.events import Event
from schemas.money import exponent_of
from schemas.topics import INPUT_TOPICS
from stream.bugs import rejecting_bugs
from stream.features.facts_of_events import facts_of
from stream.features.fold import fold
from stream.features.hashes import event_hash
from stream.features.layout import StateArray, empty
from stream.features.stored import unpack
from stream.features.vocabulary import NOTHING_DECLARED, Vocabulary
from stream.identities.known import UNKNOWN, Identity, counts_for, name_of

NOBODY_GONE: Mapping[str, Identity] = {}

BLOCKS = ("features", "engagement")
"""The blocks that are a function of the events; the decision block is its owner's."""

DECODED_AT_ONCE = 512
RELATIVE_TOLERANCE = 1e-9  # of sums of floats, which depend on the order of the events


@dataclass(frozen=True)
class Recomputed:
    """What a history comes to.

    Attributes:
        customers: in the order of their first event.
        states: shape (customers,), features and engagement filled.
        rejected: events that no worker would take.
        duplicates: events left out as repeats.
    """

    customers: Sequence[str]
    states: StateArray
    rejected: int
    duplicates: int


@dataclass(frozen=True)
class Mismatch:
    """One number of one customer, or the customer itself: what the history says and what is stored."""

    customer: str
    field: str
    expected: str
    actual: str


@dataclass(frozen=True)
class Parity:
    """How many customers the history has, and every difference from what is stored."""

    customers: int
    mismatches: Sequence[Mismatch]


def recompute(
    history: History,
    partitions: int,
    rules: DecodeRules,
    received_ms: int,
    vocabulary: Vocabulary = NOTHING_DECLARED,
    identities: Mapping[str, Identity] = NOBODY_GONE,
) -> Recomputed:
    """Fold a history as a worker would.

    Args:
        history: events in the order they were published.
        partitions: of the input topics; repeats are found per topic-partition.
        rules: what the deployment accepts.
        received_ms: Kafka timestamp that the events count as having, ms since 1970.
        vocabulary: the names the deployment declares.
        identities: what became of ids, as the deployment keeps it.
    """
    taken = accepted(history, partitions, rules, received_ms)
    counted = counting(taken.events, identities)
    return folded(counted, vocabulary, rules.currency, rejected=taken.rejected, duplicates=taken.duplicates)


@dataclass(frozen=True)
class Accepted:
    """The events of a history that take effect, as a worker reads them; how many it rejects, or drops as repeats."""

    events: Sequence[Event]
    rejected: int
    duplicates: int


def accepted(history: History, partitions: int, rules: DecodeRules, received_ms: int) -> Accepted:
    """Which events of a history take effect; arguments as of `recompute`."""
    found = decoded(history.events, rules, received_ms)
    hashes = [NO_ID if isinstance(event, Rejection) else event_hash(event.event_id) for event in found]
    repeats = repeated(np.array(hashes, np.uint64), _lanes(history.events, partitions))
    taken = [event for event, is_repeat in zip(found, repeats.tolist(), strict=True) if not is_repeat]
    events = [event for event in taken if not isinstance(event, Rejection)]
    rejected = sum(isinstance(event, Rejection) for event in found)
    return Accepted(events, rejected, int(repeats.sum()))


Counted = tuple[Event, str]
"""An event and the customer it counts for."""


def counting(events: Sequence[Event], identities: Mapping[str, Identity]) -> list[Counted]:
    """Events and whom they count for, once erasures and merges have taken effect; a guest's are nobody's."""
    named = [(event, event.customer_id) for event in events if event.customer_id is not None]
    if not identities:
        return named
    customers = dict.fromkeys(customer for _, customer in named)
    gone = {customer for customer in customers if identities.get(name_of(customer), UNKNOWN).is_gone}
    asked = (
        (event, counts_for(customer, event.event_time_ms, identities) if customer in gone else customer)
        for event, customer in named
    )
    return [(event, customer) for event, customer in asked if customer is not None]


def folded(
    counted: Sequence[Counted], vocabulary: Vocabulary, currency: str, *, rejected: int, duplicates: int
) -> Recomputed:
    """What events come to, in their order."""
    places: dict[str, int] = {}
    rows = [places.setdefault(customer, len(places)) for _, customer in counted]
    states = empty(len(places))
    fold(states, facts_of([event for event, _ in counted], rows, vocabulary, exponent_of(currency)))
    return Recomputed(list(places), states, rejected, duplicates)


def compare(expected: Recomputed, actual: Mapping[str, bytes]) -> Parity:
    """Compare what a history comes to with stored states.

    Integers must be equal, sums of floats equal to 1e-9. A customer of one side only is a mismatch.

    Args:
        expected: from `recompute`.
        actual: customer -> packed state.

    Raises:
        LayoutError: a stored state has another layout.
    """
    known = set(expected.customers)
    mismatches = [Mismatch(customer, "customer", "none", "stored") for customer in actual if customer not in known]
    mismatches += [Mismatch(customer, "customer", "stored", "none") for customer in known - actual.keys()]
    rows = [row for row, customer in enumerate(expected.customers) if customer in actual]
    customers = [expected.customers[row] for row in rows]
    stored = unpack([actual[customer] for customer in customers])
    mismatches += _differences(customers, expected.states[rows], stored)
    return Parity(len(expected.customers), sorted(mismatches, key=lambda mismatch: (mismatch.customer, mismatch.field)))


def decoded(events: Sequence[Event], rules: DecodeRules, received_ms: int) -> list[Event | Rejection]:
    """What a worker reads of each event."""
    encode = msgspec.json.Encoder().encode
    read = rejecting_bugs(lambda topic, values, times_ms: decode_many(topic, values, times_ms, rules))
    read_so_far: list[Event | Rejection] = []
    for topic, ours in groupby(events, key=topic_of):
        values = map(encode, ours)
        while some := list(islice(values, DECODED_AT_ONCE)):
            found = read(topic, some, [received_ms] * len(some))
            read_so_far += [event for event in found if isinstance(event, Event | Rejection)]  # encoded as nothing else
    return read_so_far


def _lanes(events: Sequence[Event], partitions: int) -> NDArray[np.int64]:
    """A number for each event's topic-partition."""
    lanes = [INPUT_TOPICS.index(topic_of(event)) * partitions + partition_for(event, partitions) for event in events]
    return np.array(lanes, np.int64)


def _differences(customers: Sequence[str], expected: StateArray, actual: StateArray) -> Iterator[Mismatch]:
    for block in BLOCKS:
        for name in expected[block].dtype.names or ():
            ours, theirs = _slots(expected[block][name]), _slots(actual[block][name])
            for place, slot in np.argwhere(_differ(ours, theirs)).tolist():
                field = f"{block}.{name}[{slot}]" if ours.shape[1] > 1 else f"{block}.{name}"
                yield Mismatch(customers[place], field, str(ours[place, slot]), str(theirs[place, slot]))


def _slots(values: NDArray[Any]) -> NDArray[Any]:
    """Shape (customers, slots), whatever the shape of the field."""
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


def _differ(expected: NDArray[Any], actual: NDArray[Any]) -> NDArray[np.bool_]:
    if expected.dtype.kind != "f":
        return np.asarray(expected != actual)
    larger = np.maximum(np.abs(expected), np.abs(actual))
    return np.asarray(~(np.abs(expected - actual) <= RELATIVE_TOLERANCE * larger))
