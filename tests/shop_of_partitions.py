"""A shop of several partitions over the memory store: what one sends to another by way of the outbox arrives there."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.partition import partition_of
from schemas.topics import PROFILES, REROUTED
from schemas.units import DAY_MS
from stream.identities.known import Identity, unpack_identity
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.worker.log_records import LogRecord
from tests.live_lane import event_topic
from tests.world import BEGIN_MS, World


def erasure(customer: str, day: float, *, event_id: str) -> dict[str, Any]:
    """An erasure as it is on the wire."""
    return {"type": "erasure", "event_id": event_id, "customer_id": customer, "event_time_ms": at_ms(day)}


def merge(customer: str, into: str, day: float, *, event_id: str) -> dict[str, Any]:
    """A merge as it is on the wire."""
    return erasure(customer, day, event_id=event_id) | {"type": "merge", "into": into}


def at_ms(day: float) -> int:
    return BEGIN_MS + round(day * DAY_MS)


@dataclass
class Shop:
    """Records wait on their partition until it works; `applied` are those of a partition in the order it took them.
    `erased_until` are all the times up to which anybody was ever erased."""

    partitions: int = 3
    chunk: int = 50
    worlds: list[World] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stored = [StoredPartition() for _ in range(self.partitions)]
        stores = [MemoryPartitionStore(stored, self._stored) for stored in self._stored]
        self.worlds = [
            World(number=number, partitions=self.partitions, store=store) for number, store in enumerate(stores)
        ]
        self._logs: list[list[tuple[LogRecord, int]]] = [[] for _ in self.worlds]
        self._waiting: list[list[tuple[LogRecord, int]]] = [[] for _ in self.worlds]
        self.applied: list[list[tuple[LogRecord, int]]] = [[] for _ in self.worlds]
        self._delivered = [0] * self.partitions
        self.erased_until: set[int] = set()

    def write(self, event: Mapping[str, Any], at_ms: int) -> None:
        """An event on the partition of its customer, at this stream time."""
        number = partition_of(event["customer_id"], self.partitions)
        topic = PROFILES if event["type"] in ("erasure", "merge") else event_topic(event["type"])
        self._log(number, [(self.worlds[number].record(topic, msgspec.json.encode(event)), at_ms)])

    def _log(self, number: int, records: list[tuple[LogRecord, int]]) -> None:
        self._logs[number] += records
        self._waiting[number] += records

    def work(self, number: int, topic: str = "") -> bool:
        """One chunk of a partition, and send what came of it; False when nothing waits there. Records of `topic` come
        before those of others, if one is named."""
        self._waiting[number].sort(key=lambda waits: topic not in ("", waits[0].topic))
        part, self._waiting[number] = self._waiting[number][: self.chunk], self._waiting[number][self.chunk :]
        if part:
            self.applied[number] += part
            self.worlds[number].apply([record for record, _ in part], [time_ms for _, time_ms in part])
            self._deliver(number, part[-1][1])
            stored = self.worlds[number].stored.identities.values()
            self.erased_until |= {unpack_identity(packed).erased_ms for packed in stored} - {0}
        return bool(part)

    def _deliver(self, number: int, now_ms: int) -> None:
        sent = self.worlds[number].outbox.outgoing()
        new, self._delivered[number] = sent[self._delivered[number] :], len(sent)
        for message in new:
            if message.topic == REROUTED:
                to = partition_of(message.key.decode(), self.partitions)
                self._log(to, [(record, now_ms) for record in self.worlds[to].rerouted(message)])

    def saved(self) -> list[StoredPartition]:
        """Everything stored, for `come_back_older`."""
        return copy.deepcopy(self._stored)

    def come_back_older(self, saved: list[StoredPartition], topics_first: Sequence[str] = ()) -> None:
        """The store is as it was, logs are as they are: they are read again, these topics before the others."""
        for number, (stored, world) in enumerate(zip(self._stored, self.worlds, strict=True)):
            vars(stored).update(vars(copy.deepcopy(saved[number])))
            world.claim_again()
            done = {topic: position.next_offset for topic, position in stored.head.positions.items()}
            left = [
                (record, at_ms) for record, at_ms in self._logs[number] if record.offset >= done.get(record.topic, 0)
            ]
            self._waiting[number] = sorted(left, key=lambda each: each[0].topic not in topics_first)

    def settle(self) -> "Shop":
        """Work until nothing waits anywhere."""
        for _ in range(200):
            worked = [self.work(number) for number in range(self.partitions)]
            if not any(worked):
                return self
        raise AssertionError("records go round for ever")

    def do(self, *events: Mapping[str, Any]) -> "Shop":
        """Write events, each at the stream time of its own, and settle."""
        for event in events:
            self.write(event, event["event_time_ms"])
        return self.settle()

    @property
    def states(self) -> dict[str, bytes]:
        return {customer: packed for world in self.worlds for customer, packed in world.stored.states.items()}

    @property
    def identities(self) -> dict[str, Identity]:
        stored = (item for world in self.worlds for item in world.stored.identities.items())
        return {name: unpack_identity(packed) for name, packed in stored}

    def total(self, name: str) -> int:
        return sum(world.total(name) for world in self.worlds)

    def messages(self, topic: str) -> list[dict[str, Any]]:
        return [message for world in self.worlds for message in world.messages(topic)]

    def holds(self, customer: str) -> list[str]:
        """Where anything is stored under an id."""
        found = []
        for world in self.worlds:
            for name in ("states", "views", "deadlines", "risks", "labels"):
                found += [name] * (customer in getattr(world.stored, name))
            found += [f"segment {name}" for name, members in world.stored.segments.items() if customer in members]
            found += ["snapshot" for owner, _ in world.stored.snapshots if owner == customer]
            found += ["due" for _, owner in world.stored.due if owner.decode() == customer]
            found += ["resident"] * (customer in world.applying._loading._residents._places)
        return found
