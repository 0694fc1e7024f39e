"""Records of a partition's topics, decoded, as columns: what becomes of them is decided for a chunk at once."""

import zlib
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.clock import ClockRecord
from schemas.decode import DECODERS
from schemas.events import Event
from schemas.identities import IdentityRecord
from schemas.origin import HOPS, Origin, Path, origin_of
from schemas.rejection import Rejection
from schemas.topics import INPUT_TOPICS, REROUTED, SOURCE_TOPICS
from stream.alignment import orders_ms
from stream.bugs import Bug
from stream.columns.events import EventColumns
from stream.features.facts import KIND_CODES
from stream.features.hashes import event_hashes
from stream.features.packed_facts import Packed, no_packed
from stream.ports import LogPosition
from stream.worker.seen import NO_ID, HashArray

RECORD_OVERHEAD_BYTES = 400  # a record of no value still costs its Python object
REJECTED, FIRST_IDENTITY_KIND, LOST_KIND, CLOCK_KIND = 0, 250, 254, 255
IDENTITY_KINDS = range(FIRST_IDENTITY_KIND, LOST_KIND)


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """Stands for a record whose commit Redis has lost: what it says has not happened."""


LOST = Lost()

TOPIC_NUMBERS = {topic: number for number, topic in enumerate(INPUT_TOPICS)}
_KIND_OF: dict[type, int] = {Rejection: REJECTED, Bug: REJECTED, Lost: LOST_KIND, ClockRecord: CLOCK_KIND} | {
    kind: KIND_CODES[kind.__struct_config__.tag] for kind in get_args(Event)
}
_KIND_OF |= {kind: code for code, kind in enumerate(get_args(IdentityRecord), FIRST_IDENTITY_KIND)}
KIND_NAMES = ["unknown"] * (CLOCK_KIND + 1)
"""Code of a kind -> its name on the wire."""
for _type, _code in _KIND_OF.items():
    KIND_NAMES[_code] = "unknown" if issubclass(_type, Rejection) else str(_type.__struct_config__.tag)  # type: ignore[attr-defined]

_event_id, _customer_id, _event_time_ms = map(attrgetter, ("event_id", "customer_id", "event_time_ms"))
_offset, _timestamp = map(attrgetter, ("offset", "timestamp"))

IntArray = NDArray[np.int64]
Objects = NDArray[np.object_]


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a topic, decoded: `decoded` is an event, a clock record or the reason why it is none.

    `sent_from` is where a rerouted record was first read; `headers` are Kafka's.
    """

    topic: str
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    decoded: Any
    sent_from: Origin | None = None
    headers: Sequence[tuple[str, bytes]] = ()

    def origin_on(self, partition: int) -> Origin:
        """Where the producer had written it, when it was read on `partition`."""
        return self.sent_from or Origin(self.topic, partition, self.offset, self.timestamp_ms)

    @property
    def path(self) -> Path:
        """By which merges it came to its customer."""
        return self.sent_from.path if self.sent_from else ()


_FETCHED, _DECODED, _CUSTOMER = range(3)
_OFFSET, _TIMESTAMP, _EVENT_TIME, _ORDER, _CUSTOMER_CRC32, _ID_HASH, _WEIGHT, _HOPS = range(8)
_TOPIC, _KIND, _IS_DECODED, _HAS_CUSTOMER = range(4)
"""Rows of `LogRecords.objects`, `numbers` and `codes`."""


class LogRecords(msgspec.Struct, frozen=True, eq=False, gc=False):
    """n records in the order they take effect. Columns of a kind share an array, since a part is taken of all at once.

    Attributes:
        objects: shape (3, n): `fetched`, `decoded`, `customer`.
        numbers: i8, shape (8, n).
        codes: u1, shape (4, n).
        facts: u1, packed facts of what was not decoded; else they mean nothing.
        fetched: what the consumer read.
        decoded: events, clock records, reasons why it is none; None of an event that was read as columns.
        is_decoded: which are no such events.
        customer: ids; None of a guest's event and of what is no event.
        has_customer: which of them are events of customers.
        topic: u1, places in `INPUT_TOPICS`.
        kind: u1, codes of `KIND_CODES`; or from `FIRST_IDENTITY_KIND` on, `REJECTED`, `LOST_KIND`, `CLOCK_KIND`.
        offset: i8.
        timestamp_ms: i8, Kafka's, when the producer wrote it.
        event_time_ms: i8, 0 of what is no event.
        order_ms: i8, by which the live clock puts records in order among the topics.
        customer_crc32: i8, CRC-32 of the id, tells customers apart to the live clock; 0 of what has none. It stays
            where a record is found out to say nothing after the clock has heard it, and `event_time_ms` with it.
        id_hash: u8, `event_hash` of the event's id, `NO_ID` of what is no event.
        weight: i8, bytes that the record stands for while it waits.
        hops: i8, how often erasures and merges have sent it from one customer to another.
    """

    objects: Objects
    numbers: IntArray
    codes: NDArray[np.uint8]
    facts: Packed

    fetched = property(lambda self: self.objects[_FETCHED])
    decoded = property(lambda self: self.objects[_DECODED])
    customer = property(lambda self: self.objects[_CUSTOMER])
    offset = property(lambda self: self.numbers[_OFFSET])
    timestamp_ms = property(lambda self: self.numbers[_TIMESTAMP])
    event_time_ms = property(lambda self: self.numbers[_EVENT_TIME])
    order_ms = property(lambda self: self.numbers[_ORDER])
    customer_crc32 = property(lambda self: self.numbers[_CUSTOMER_CRC32])
    id_hash = property(lambda self: self.numbers[_ID_HASH].view(np.uint64))
    weight = property(lambda self: self.numbers[_WEIGHT])
    hops = property(lambda self: self.numbers[_HOPS])
    topic = property(lambda self: self.codes[_TOPIC])
    kind = property(lambda self: self.codes[_KIND])
    is_decoded = property(lambda self: self.codes[_IS_DECODED].view(np.bool_))
    has_customer = property(lambda self: self.codes[_HAS_CUSTOMER].view(np.bool_))

    def __len__(self) -> int:
        """How many records."""
        return len(self.facts)

    def __getitem__(self, place: int) -> LogRecord:
        """One of them."""
        raw, topic = self.fetched[place], INPUT_TOPICS[self.topic[place]]
        sent_from = origin_of(raw.headers, SOURCE_TOPICS) if topic == REROUTED else None
        decoded = self.decoded[place] if self.is_decoded[place] else DECODERS[topic].decode(raw.value)
        return LogRecord(topic, raw.offset, raw.timestamp, raw.key, raw.value, decoded, sent_from, raw.headers)

    def __iter__(self) -> Iterator[LogRecord]:
        """One after another: for what happens seldom."""
        return map(self.__getitem__, range(len(self)))

    def position_after(self, place: int) -> LogPosition:
        """The position of its topic after one of them."""
        raw = self.fetched[place]
        return LogPosition(raw.offset + 1, raw.timestamp, zlib.crc32(raw.value or b""))

    def part(self, begin: int, end: int | None = None) -> "LogRecords":
        """Those from `begin` to `end`."""
        if begin == 0 and (end is None or end >= len(self)):
            return self
        kept = slice(begin, end)
        return LogRecords(self.objects[:, kept], self.numbers[:, kept], self.codes[:, kept], self.facts[kept])

    def take(self, places: NDArray[np.intp]) -> "LogRecords":
        """A copy of those at `places`, in that order."""
        return LogRecords(
            self.objects.take(places, axis=1),
            self.numbers.take(places, axis=1),
            self.codes.take(places, axis=1),
            self.facts.take(places, axis=0),
        )

    def put(self, places: NDArray[np.intp], others: "LogRecords") -> None:
        """Put others in the place of those at `places`."""
        self.objects[:, places], self.numbers[:, places] = others.objects, others.numbers
        self.codes[:, places], self.facts[places] = others.codes, others.facts

    @property
    def topics(self) -> list[str]:
        """Those that there are records of, in the order of `INPUT_TOPICS`."""
        there = self.topic.tobytes()  # a search in bytes is quicker than one in an array
        return [topic for number, topic in enumerate(INPUT_TOPICS) if number in there]

    @property
    def last_places(self) -> dict[str, int]:
        """The place of the last record of each topic that there is."""
        there = self.topic.tobytes()
        return {topic: there.rindex(number) for number, topic in enumerate(INPUT_TOPICS) if number in there}

    @property
    def topics_in_turn(self) -> list[str]:
        """The topics in their order, where one follows the other; empty where their records are mixed."""
        there, firsts = self.topic.tobytes(), {}
        for number, topic in enumerate(INPUT_TOPICS):
            count = there.count(number)
            if count:
                firsts[first := there.index(number)] = topic
                if there.rindex(number) - first + 1 > count:
                    return []
        return [firsts[first] for first in sorted(firsts)]

    def has_kind(self, *kinds: int) -> bool:
        """Whether any is of one of these kinds."""
        return any(map(self.kind.tobytes().__contains__, kinds))

    @property
    def is_event(self) -> NDArray[np.bool_]:
        """Which of them are events."""
        found: NDArray[np.bool_] = (self.kind != REJECTED) & (self.kind < FIRST_IDENTITY_KIND)
        return found

    @property
    def is_identity(self) -> NDArray[np.bool_]:
        """Which of them are about who a customer is."""
        found: NDArray[np.bool_] = (self.kind >= FIRST_IDENTITY_KIND) & (self.kind < LOST_KIND)
        return found


def of_topic(topic: str, fetched: Sequence[Any], decoded: Sequence[Any]) -> LogRecords:
    """Records of one topic: as the consumer read them, and what they are."""
    kind = np.fromiter(map(_KIND_OF.__getitem__, map(type, decoded)), np.uint8, len(fetched))
    event_ids, customers, times_ms = _of_events(decoded) if _all_events(kind) else _of_anything(decoded)
    records = _of_fetched(topic, fetched, customers, written_ms(topic, fetched), np.array(times_ms, np.int64))
    records.objects[_DECODED] = np.fromiter(decoded, object, len(fetched))
    records.codes[_KIND], records.codes[_IS_DECODED] = kind, True
    records.codes[_HAS_CUSTOMER] = [customer is not None for customer in customers]
    records.numbers[_ID_HASH] = _hashes(event_ids).view(np.int64)
    records.numbers[_WEIGHT] = [RECORD_OVERHEAD_BYTES + len(raw.value or b"") for raw in fetched]
    return records


def of_columns(topic: str, fetched: Sequence[Any], read: EventColumns, timestamps_ms: Sequence[int]) -> LogRecords:
    """Records of one topic that were read as columns; of what is not surely an event they mean nothing.

    Args:
        topic: of the records.
        fetched: as the consumer read them.
        read: their columns.
        timestamps_ms: as of `written_ms`.
    """
    records = _of_fetched(topic, fetched, read.customers, timestamps_ms, read.envelopes.time_ms, read.facts)
    records.objects[_DECODED], records.codes[_IS_DECODED] = None, False
    records.codes[_KIND], records.codes[_HAS_CUSTOMER] = read.envelopes.kind, read.has_customer
    records.numbers[_ID_HASH] = read.envelopes.id_hash.view(np.int64)
    records.numbers[_WEIGHT] = read.lengths + RECORD_OVERHEAD_BYTES
    return records


def _of_fetched(
    topic: str,
    fetched: Sequence[Any],
    customers: Sequence[str | None],
    timestamps_ms: Sequence[int],
    event_time_ms: IntArray,
    facts: Packed | None = None,
) -> LogRecords:
    """Records of one topic of which it is not said yet what they are."""
    count = len(fetched)
    objects, numbers = np.empty((3, count), object), np.empty((8, count), np.int64)
    codes = np.empty((4, count), np.uint8)
    objects[_FETCHED], objects[_CUSTOMER] = np.fromiter(fetched, object, count), customers
    codes[_TOPIC] = TOPIC_NUMBERS[topic]
    numbers[_OFFSET], numbers[_TIMESTAMP] = list(map(_offset, fetched)), timestamps_ms
    numbers[_EVENT_TIME] = event_time_ms
    numbers[_ORDER] = orders_ms(event_time_ms, numbers[_TIMESTAMP])
    numbers[_CUSTOMER_CRC32] = [zlib.crc32(customer.encode()) if customer else 0 for customer in customers]
    numbers[_HOPS] = hops_of(fetched) if topic == REROUTED else 0
    return LogRecords(objects, numbers, codes, no_packed(count) if facts is None else facts)


def written_ms(topic: str, fetched: Sequence[Any]) -> list[int]:
    """When each record was written by its producer: a rerouted one keeps the Kafka timestamp of its first log."""
    if topic != REROUTED:
        return list(map(_timestamp, fetched))
    origins = (origin_of(raw.headers, SOURCE_TOPICS) for raw in fetched)
    return [
        raw.timestamp if origin is None else origin.timestamp_ms for raw, origin in zip(fetched, origins, strict=True)
    ]


def hops_of(fetched: Sequence[Any]) -> IntArray:
    """How often erasures and merges have sent each record of `events.rerouted` on; 0 for what is its customer's own."""
    hops = np.zeros(len(fetched), np.int64)
    for place, raw in enumerate(fetched):
        if any(name == HOPS for name, _ in raw.headers):
            origin = origin_of(raw.headers, SOURCE_TOPICS)
            hops[place] = origin.hops if origin else 0
    return hops


def weight_of(values: Sequence[bytes | None]) -> int:
    """Bytes that records of these values stand for while they wait."""
    return RECORD_OVERHEAD_BYTES * len(values) + sum(map(len, filter(None, values)))


def standing_in(instead: Lost | Rejection, records: LogRecords, places: Sequence[int]) -> LogRecords:
    """The same with something else said at these places: they are applied in their order all the same, and repeat no
    other. Whose they were and when stays, since the live clock has heard it before anybody knew better."""
    said, odd = records.take(np.arange(len(records))), list(places)
    said.decoded[odd], said.is_decoded[odd] = instead, True
    said.customer[odd], said.has_customer[odd] = None, False
    said.kind[odd], said.id_hash[odd], said.hops[odd] = _KIND_OF[type(instead)], NO_ID, 0
    return said


def joined(parts: Sequence[LogRecords]) -> LogRecords:
    """All of them, one part after another."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NO_RECORDS
    return LogRecords(
        np.concatenate([part.objects for part in parts], axis=1),
        np.concatenate([part.numbers for part in parts], axis=1),
        np.concatenate([part.codes for part in parts], axis=1),
        np.concatenate([part.facts for part in parts]),
    )


def run_starts(values: NDArray[Any]) -> NDArray[np.intp]:
    """Where each run of equal values begins.

    >>> run_starts(np.array([5, 5, 9])).tolist(), run_starts(np.array([])).tolist()
    ([0, 2], [])
    """
    begins = np.empty(len(values), np.bool_)
    begins[:1] = True
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return begins.nonzero()[0]


def _all_events(kind: NDArray[np.uint8]) -> bool:
    return bool(len(kind)) and kind.min() > REJECTED and kind.max() < LOST_KIND


def _of_events(events: Sequence[Any]) -> tuple[list[Any], list[Any], list[int]]:
    """Event ids, customers, times."""
    return list(map(_event_id, events)), list(map(_customer_id, events)), list(map(_event_time_ms, events))


def _of_anything(decoded: Sequence[Any]) -> tuple[list[Any], list[Any], list[int]]:
    """The same, with None, None and 0 of what is no event."""
    ids, customers = ([getattr(what, name, None) for what in decoded] for name in ("event_id", "customer_id"))
    return ids, customers, [getattr(what, "event_time_ms", 0) for what in decoded]


def _hashes(event_ids: Sequence[str | None]) -> HashArray:
    known = [event_id for event_id in event_ids if event_id is not None]
    if len(known) == len(event_ids):
        return event_hashes(known)
    hashes = np.full(len(event_ids), NO_ID, np.uint64)
    hashes[[event_id is not None for event_id in event_ids]] = event_hashes(known)
    return hashes


NO_RECORDS = of_topic(INPUT_TOPICS[0], [], [])
