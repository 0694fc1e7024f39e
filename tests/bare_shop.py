"""A shop whose partitions keep no more of a customer than which events count for it: thousands of orders in which
erasures, merges, events and what they send may arrive are tried in seconds."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec
import numpy as np

from schemas.identities import Erasure, IdentityRecord, Merge
from schemas.origin import Origin, origin_of
from schemas.partition import partition_of
from schemas.topics import PROFILES, PURCHASES, REROUTED, SOURCE_TOPICS
from stream.changes import Changes
from stream.drafts import CopyDraft
from stream.features.layout import StateArray, empty
from stream.identities.known import UNKNOWN, Identity, latest, name_of, unpack_identity
from stream.identities.sending import release_of
from stream.identities.taking_effect import Present, take_effect
from stream.outcomes.maturity import OPEN

PARTITIONS = 3
NO_LABELS = np.zeros(0, OPEN)
KINDS = ("event", "event", "late", "merge", "merge", "erasure")
AT_MOST = 2_000
"""Records that a short history leads to; one that needs more goes round for ever."""

_decoder = msgspec.json.Decoder(IdentityRecord)


@dataclass(frozen=True)
class Event:
    """What a customer did. `number` is a bit: a sum of amounts says which events are in a state, and how often."""

    customer_id: str
    event_time_ms: int
    number: int


Record = Event | IdentityRecord


@dataclass
class Partition:
    """What a lane knows, and what waits for it: a queue a topic, since topics have no common order."""

    states: dict[str, StateArray] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    waiting: dict[str, deque[tuple[Record, Origin]]] = field(default_factory=lambda: defaultdict(deque))


class BareShop:
    """Partitions that work off what waits for them, one record at a time."""

    def __init__(self) -> None:
        self.partitions = [Partition() for _ in range(PARTITIONS)]

    def write(self, record: Record, offset: int) -> None:
        topic = PURCHASES if isinstance(record, Event) else PROFILES
        self._send(record.customer_id, topic, record, Origin(topic, 0, offset, 0))

    def _send(self, customer: str, topic: str, record: Record, origin: Origin) -> None:
        self.partitions[partition_of(customer, PARTITIONS)].waiting[topic].append((record, origin))

    def busy(self) -> list[tuple[Partition, str]]:
        """Who has something to do, and on which topic."""
        return [(each, topic) for each in self.partitions for topic, waiting in each.waiting.items() if waiting]

    def work(self, partition: Partition, topic: str) -> None:
        record, origin = partition.waiting[topic].popleft()
        if isinstance(record, Event):
            self._count(partition, record, origin)
        else:
            self._take_effect(partition, record, origin)

    def _count(self, partition: Partition, event: Event, origin: Origin) -> None:
        """As `KnownIdentities` says of many events at once."""
        customer, path = event.customer_id, origin.path
        known = partition.identities.get(customer, UNKNOWN)
        if known.drops(event.event_time_ms, path):
            return
        if onward := known.onward(customer, path):
            if onward.ended_ms:
                release = release_of(onward.to, onward.ended_ms, known.erased_ms, event.event_time_ms)
                self._send(onward.to, REROUTED, release, msgspec.structs.replace(origin, hops=0, path=()))
            sent = Event(onward.to, event.event_time_ms, event.number)
            self._send(onward.to, REROUTED, sent, origin.sent_on(onward.path))
            return
        if path:
            others = latest(known.others, dict(path), customer)
            partition.identities[customer] = msgspec.structs.replace(known, others=others)
        features = partition.states.setdefault(customer, empty(1))["features"]
        features["last_event_ms"] = np.maximum(features["last_event_ms"], event.event_time_ms)
        features["purchase_minor"] += 1 << event.number

    def _take_effect(self, partition: Partition, record: IdentityRecord, origin: Origin) -> None:
        customer = record.customer_id
        state = partition.states.get(customer, empty(1)).copy()
        known = partition.identities.get(customer, UNKNOWN)
        changes = take_effect(
            record, Present(customer, customer in partition.states, state, NO_LABELS, known, 2), origin, 10**6
        )
        if not isinstance(changes, Changes):
            return
        for packed in changes.identities.values():
            partition.identities[customer] = unpack_identity(packed)
        if customer in changes.removed:
            del partition.states[customer]
        elif state["features"]["purchase_minor"][0]:
            partition.states[customer] = state
        for draft in changes.drafts:
            if isinstance(draft, CopyDraft) and draft.key and draft.value:
                headers = [(name, text.encode()) for name, text in draft.headers.items()]
                sent_from = origin_of(headers, SOURCE_TOPICS) or origin
                self._send(draft.key.decode(), REROUTED, _decoder.decode(draft.value), sent_from)

    @property
    def identities(self) -> Mapping[str, Identity]:
        return {name_of(customer): known for each in self.partitions for customer, known in each.identities.items()}

    def counted(self) -> Iterator[tuple[int, str]]:
        """(number, customer) of each event that is in a state."""
        for partition in self.partitions:
            for customer, state in partition.states.items():
                numbers = int(state["features"]["purchase_minor"][0])
                yield from ((number, customer) for number in range(63) if numbers >> number & 1)


def crossing(dice: Random, customers: Sequence[str]) -> list[Record]:
    """A short history in which little but erasures and merges happens, a millisecond each."""
    names = dice.sample(customers, dice.randint(2, len(customers)))
    history: list[Record] = []
    for number in range(dice.randint(3, 10)):
        kind, (customer, other), now_ms = dice.choice(KINDS), dice.sample(names, 2), 1_000 + number
        match kind:
            case "merge":
                history.append(Merge(event_id=f"{number}", event_time_ms=now_ms, customer_id=customer, into=other))
            case "erasure":
                history.append(Erasure(event_id=f"{number}", event_time_ms=now_ms, customer_id=customer))
            case _:
                history.append(Event(customer, now_ms - dice.randint(0, 4) * (kind == "late"), number))
    return history


def worked_off(history: Sequence[Record], dice: Random) -> BareShop:
    """The shop in which these records are written in order, and anybody works at any time.

    Raises:
        AssertionError: records go round for ever.
    """
    shop, hurry = BareShop(), dice.choice((0.3, 0.6, 0.9))
    unwritten = deque(enumerate(history))
    for _ in range(AT_MOST):
        busy = shop.busy()
        if unwritten and (not busy or dice.random() < hurry):
            offset, record = unwritten.popleft()
            shop.write(record, offset)
        elif busy:
            shop.work(*dice.choice(busy))
        else:
            return shop
    raise AssertionError(f"records go round for ever: {history}")
