"""A history day by day through the worker's engine and the learner, over memory: no Kafka, no Redis, no threads.

It is a lockstep replay of one partition (docs/architecture.md, "Learning"). How many partitions there are shows
nowhere: customers do not influence each other, and the learner sorts the labels of a day.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from offline.addresses import key_of, topic_of
from offline.days import days
from offline.history import History
from schemas.clock import ClockRecord
from schemas.decode import DecodeRules
from schemas.decode_many import decode_many
from schemas.events import Event
from schemas.messages import DriftNoticed, Label, LabelRecord
from schemas.topics import CLOCK, INPUT_TOPICS, LABELS
from stream.chunk import Models, Rules
from stream.drafts import unpack_outgoing
from stream.learner.teaching import Teacher
from stream.learning.lockstep import Lockstep
from stream.memory_store import MemoryModelStore, MemoryPartitionStore, StoredPartition
from stream.signing import Keyring
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.fetched import Fetched
from stream.worker.inbox import Inbox
from stream.worker.model_watch import ModelWatch
from stream.worker.timing import LaneLimits, ReplayTiming

OWNER = "ebb offline"
NO_LIMIT = 1 << 40
RECORDS_AT_ONCE = 5_000
KEYRING = Keyring.from_text("process:" + "00" * 32)  # what it signs never leaves the process

_LIMITS = LaneLimits(RECORDS_AT_ONCE, chunk_bytes=NO_LIMIT, queue_bytes=NO_LIMIT, tick_ms=NO_LIMIT)
_encode = msgspec.json.Encoder().encode
_labels = msgspec.json.Decoder(LabelRecord)


@dataclass(frozen=True)
class Shop:
    """What of a deployment decides what its events come to.

    Attributes:
        rules: of the engine.
        decoding: which records are events.
        received_ms: Kafka timestamp that all records count as having, in ms since 1970.
        resident_bytes: memory for customers that need not be unpacked again.
    """

    rules: Rules
    decoding: DecodeRules
    received_ms: int
    resident_bytes: int = 256_000_000


@dataclass(frozen=True)
class Moment:
    """A moment of the clock: everything up to it has taken effect, and labels of the day before are not learned yet.

    What `models` say of `stored` is what a snapshot of this moment says.

    Attributes:
        time_ms: a midnight UTC, or at the end the time of the last event.
        events: how many have been applied.
        models: in force.
        stored: customers, open labels, totals.
        labels: that have become known since the moment before.
    """

    time_ms: int
    events: int
    models: Models
    stored: StoredPartition
    labels: Sequence[Label]


Look = Callable[[Moment], None]


def live_through(history: History, shop: Shop, look: Look) -> "TimeMachine":
    """Apply a whole history, and be shown each moment of its clock.

    Returns:
        The machine as it stands at the end: `stored`, `models`, `registry`, `noticed`.
    """
    machine = TimeMachine(shop)
    asyncio.run(machine.run(history, look))
    return machine


class TimeMachine:
    """One partition of a worker and the learner of its labels.

    Attributes:
        stored: what Redis would hold of the partition.
        registry: what it would hold of models and learners.
        noticed: what would be on `ebb.drift`.
    """

    def __init__(self, shop: Shop) -> None:
        self.stored, self.registry = StoredPartition(), MemoryModelStore()
        self.noticed: list[DriftNoticed] = []
        self._store = MemoryPartitionStore(self.stored)
        self._teacher = Teacher(self.registry, KEYRING, shop.rules.outcomes.outcomes)
        self._watch = ModelWatch(self.registry, KEYRING, shop.rules.outcomes.names)
        self._epochs, self._log = Lockstep(partitions=1), _LabelsLog()
        self._received_ms = shop.received_ms
        self._inbox = Inbox(
            dict.fromkeys(INPUT_TOPICS, 0),
            lambda topic, values, times: decode_many(topic, values, times, shop.decoding),
        )
        self._timing = ReplayTiming(0, _LIMITS)
        assembly = Assembly(0, 1, shop.rules, lockstep=True)
        self._applying = Applying(
            0, OWNER, self._store, self._log, assembly, NO_LIMIT, {}, resident_bytes=shop.resident_bytes
        )

    @property
    def models(self) -> Models:
        """The models in force."""
        return self._watch.models

    async def run(self, history: History, look: Look) -> None:
        """Apply a history, which comes after whatever was applied before."""
        await self._applying.load(await self._store.claim(OWNER))
        applied = 0
        for time_ms, events in days(history.events):
            self._deliver(events, time_ms)
            await self._apply()
            applied += len(events)
            sent = self._log.take()
            labels = [record for _, record in sent if isinstance(record, Label)]
            look(Moment(time_ms, applied, self.models, self.stored, labels))
            await self._learn(sent)

    def _deliver(self, events: Sequence[Event], time_ms: int) -> None:
        """Write the events of a day, then the clock record that ends it."""
        by_topic: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for event in events:
            by_topic[topic_of(event)].append((key_of(event), _encode(event)))
        for topic, written in by_topic.items():
            self._put(topic, written)
        ends = {topic: self._inbox.tail(topic) for topic in INPUT_TOPICS if topic != CLOCK}
        self._put(CLOCK, [("", _encode(ClockRecord(time_ms=time_ms, ends=ends)))])

    def _put(self, topic: str, written: Sequence[tuple[str, bytes]]) -> None:
        before = self._inbox.tail(topic)
        records = [
            _Record(topic, offset, self._received_ms, key.encode(), value)
            for offset, (key, value) in enumerate(written, start=before)
        ]
        self._inbox.put(Fetched.of(topic, 0, before, records))

    async def _apply(self) -> None:
        while (batch := self._timing.take(self._inbox)) is not None:
            await self._applying.apply(batch, self._timing.times(batch), self.models)
        self.stored.journal.clear()  # it is for who comes after a crash

    async def _learn(self, sent: Sequence[tuple[int, LabelRecord]]) -> None:
        """Train on the days that are complete, and take up what is published of them."""
        for offset, record in sent:
            for epoch in self._epochs.add(offset, record):
                self._teacher.learn(epoch.labels, epoch.day)
                self.noticed += self._teacher.take_noticed()
                await self._teacher.publish(epoch.resume_offset)
        await self._watch.refresh()


class _Record(NamedTuple):
    """What a consumer would hand over."""

    topic: str
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class _LabelsLog:
    """Stands where the publisher does: what is committed is sent at once. Of it the labels topic is kept until read."""

    _records: list[LabelRecord] = field(default_factory=list)
    _acknowledged: list[int] = field(default_factory=list)
    _read: int = 0

    def add(self, messages: Sequence[tuple[int, bytes]], _caused: object = None, /) -> None:
        """Send messages."""
        self._acknowledged += [sequence for sequence, _ in messages]
        sent = (unpack_outgoing(packed) for _, packed in messages)
        self._records += [_labels.decode(message.value or b"") for message in sent if message.topic == LABELS]

    def take_acknowledged(self) -> list[int]:
        """What the outbox may forget."""
        taken, self._acknowledged = self._acknowledged, []
        return taken

    def give_back(self, sequences: list[int]) -> None:
        """They were not forgotten."""
        self._acknowledged += sequences

    def take(self) -> list[tuple[int, LabelRecord]]:
        """(offset, record) of what has not been read."""
        taken, self._records = self._records, []
        first, self._read = self._read, self._read + len(taken)
        return list(enumerate(taken, start=first))
