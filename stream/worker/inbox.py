"""What a partition has fetched and not yet applied, and which of it may be applied next."""

import zlib
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat, takewhile
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.clock import ClockRecord
from schemas.decode import Rejection
from schemas.topics import CLOCK
from stream.alignment import merged, orders_ms
from stream.clock import ReplayClock
from stream.ports import LogPosition
from stream.worker.fetched import Fetched

RECORD_OVERHEAD_BYTES = 400  # a record of no value still costs its Python object
AT_ONCE = 512  # records decoded and put in order together; a fetch may bring 30,000, which would hold up every lane


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a topic, decoded: `decoded` is an event, a clock record or the reason why it is none."""

    topic: str
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    decoded: Any

    @property
    def position(self) -> LogPosition:
        """The position after this record."""
        return LogPosition(self.offset + 1, self.timestamp_ms, zlib.crc32(self.value or b""))


Decode = Callable[[str, Sequence[bytes | None], Sequence[int]], Sequence[Any]]
"""(topic, values, Kafka timestamps in ms) -> what each value is."""


@dataclass(frozen=True)
class Batch:
    """Records to apply together, in the order they take effect.

    `previous` is the offset before the first record of each topic; `clock_ms` the time of the clock record that ends
    the batch in a replay.
    """

    records: list[LogRecord]
    previous: Mapping[str, int]
    clock_ms: int | None = None

    @cached_property
    def last_records(self) -> dict[str, LogRecord]:
        """The last record of each topic."""
        return {record.topic: record for record in self.records}

    def after(self, applied: Mapping[str, int]) -> "Batch":
        """What is left when the offsets below `applied` have been applied already."""
        left = [record for record in self.records if record.offset >= applied.get(record.topic, 0)]
        previous = {topic: max(offset, applied.get(topic, 0)) for topic, offset in self.previous.items()}
        return Batch(left, previous, self.clock_ms if any(r.topic == CLOCK for r in left) else None)


class _Queue:
    """Records of one topic. `position` is the next offset to take, `tail` the one to be fetched.

    Records are decoded shortly before they are taken. `last_ms` is `orders_ms` of the last event that was fetched.
    """

    def __init__(self, topic: str, offset: int, decode: Decode) -> None:
        self.topic, self.position, self.tail = topic, offset, offset
        self.queued_bytes = self.last_ms = 0
        self._decode = decode
        self._fetched: deque[Any] = deque()
        self._decoded: list[LogRecord] = []  # never more than twice `AT_ONCE`
        self._order_ms: NDArray[np.int64] = np.zeros(0, np.int64)  # of what is decoded

    def __len__(self) -> int:
        return len(self._fetched) + len(self._decoded)

    def put(self, records: Sequence[Any]) -> None:
        """Queue the next records."""
        self._fetched.extend(records)
        self.queued_bytes += sum([_weight(record.value) for record in records])
        self.tail = records[-1].offset + 1
        times_ms = (_orders_ms(self._records([record])) for record in reversed(records))
        self.last_ms = next((int(times[0]) for times in times_ms if times[0]), self.last_ms)

    def _records(self, raw: Sequence[Any]) -> list[LogRecord]:
        topic, values, timestamps_ms = raw[0].topic, [each.value for each in raw], [each.timestamp for each in raw]
        decoded = self._decode(topic, values, timestamps_ms)
        offsets, log_keys = [each.offset for each in raw], [each.key for each in raw]
        return list(map(LogRecord, repeat(topic), offsets, timestamps_ms, log_keys, values, decoded))

    def _decode_until(self, count: int) -> None:
        """Have as many decoded, if so many are queued."""
        while len(self._decoded) < count and self._fetched:
            records = self._records([self._fetched.popleft() for _ in range(min(AT_ONCE, len(self._fetched)))])
            self._decoded.extend(records)
            self._order_ms = np.append(self._order_ms, _orders_ms(records))

    @property
    def head(self) -> LogRecord | None:
        """The record to be taken next."""
        self._decode_until(1)
        return self._decoded[0] if self._decoded else None

    def first(self, at_most: int) -> list[LogRecord]:
        """The records to be taken next."""
        self._decode_until(at_most)
        return self._decoded[:at_most]

    def drop(self, count: int) -> None:
        """The first records were taken, after they were looked at."""
        self.queued_bytes -= sum([_weight(record.value) for record in self._decoded[:count]])
        self.position = self._decoded[count - 1].offset + 1
        del self._decoded[:count]
        self._order_ms = self._order_ms[count:]

    def times_ms(self, at_most: int) -> NDArray[np.int64]:
        """The times by which the live clock puts the first records in order among the topics."""
        self._decode_until(at_most)
        return self._order_ms[:at_most]


@dataclass
class _Taking:
    """A batch being filled, and the bounds it is filled to."""

    records_at_most: int
    bytes_at_most: int
    customers_at_most: int
    records: list[LogRecord] = field(default_factory=list)
    previous: dict[str, int] = field(default_factory=dict)
    customers: set[str] = field(default_factory=set)
    size: int = 0

    def is_full(self) -> bool:
        """Whether a bound is reached."""
        return (
            len(self.records) >= self.records_at_most
            or self.size >= self.bytes_at_most
            or len(self.customers) >= self.customers_at_most
        )

    def take(self, queues: Sequence[_Queue], order: Sequence[int]) -> None:
        """Move records into the batch until it is full: for each number in `order`, the next of that queue."""
        records, heads, taken = self.records, [iter(queue.first(len(order))) for queue in queues], [0] * len(queues)
        for number in order[: self.records_at_most - len(records)]:
            record = next(heads[number])
            taken[number] += 1
            records.append(record)
            self.size += _weight(record.value)
            customer = getattr(record.decoded, "customer_id", None)
            if customer is not None:
                self.customers.add(customer)
            if self.size >= self.bytes_at_most or len(self.customers) >= self.customers_at_most:
                break
        for queue, count in zip(queues, taken, strict=True):
            if count:
                self.previous.setdefault(queue.topic, queue.position)
                queue.drop(count)

    def batch(self) -> Batch | None:
        """What was taken, None if nothing."""
        return Batch(self.records, self.previous) if self.records else None


class Inbox:
    """Queues of one partition, one per topic; `take` applies the rules of the clock mode to them.

    Args:
        positions: topic -> the offset to begin at.
        decode: makes events of values.
        customers_at_most: distinct customers in a batch: they are what a commit costs.
    """

    def __init__(self, positions: Mapping[str, int], decode: Decode, customers_at_most: int = 1_000_000) -> None:
        self._decode, self._customers_at_most = decode, customers_at_most
        self._queues = {topic: _Queue(topic, offset, decode) for topic, offset in positions.items()}

    def put(self, fetched: Fetched) -> int:
        """Queue what continues the log; returns the bytes queued for its topic."""
        queue = self._queues[fetched.tp.topic]
        records = fetched.continuing(queue.tail)
        if records:
            queue.put(records)
        return queue.queued_bytes

    def seek(self, topic: str, offset: int) -> None:
        """Forget what is queued for `topic` and go on at `offset`."""
        self._queues[topic] = _Queue(topic, offset, self._decode)

    def queued_bytes(self, topic: str) -> int:
        """Bytes waiting for one topic."""
        return self._queues[topic].queued_bytes

    def position(self, topic: str) -> int:
        """The next offset of `topic` that `take` will return."""
        return self._queues[topic].position

    def tail(self, topic: str) -> int:
        """The next offset of `topic` to be fetched."""
        return self._queues[topic].tail

    def next_ms(self, topic: str) -> int | None:
        """`orders_ms` of the record of `topic` that is to be taken next; None when none is queued."""
        times_ms = self._queues[topic].times_ms(1)
        return int(times_ms[0]) if len(times_ms) else None

    def last_ms(self, topic: str) -> int:
        """`orders_ms` of the last event of `topic` that was fetched; 0 before there was one."""
        return self._queues[topic].last_ms

    @property
    def topics(self) -> list[str]:
        """The topics there are queues for."""
        return list(self._queues)

    def take_live(self, at_most: int, bytes_at_most: int, growing: Collection[str] = ()) -> Batch | None:
        """The next records in the order of their times, as far as what is queued decides it.

        Args:
            at_most: records.
            bytes_at_most: of these records; one goes in any case.
            growing: topics with more to fetch. Where the queue of one ends the others wait, so that what takes effect
                first does not depend on what was fetched first.
        """
        taking = _Taking(at_most, bytes_at_most, self._customers_at_most)
        queues = list(self._queues.values())
        while not taking.is_full() and (order := self._in_order(growing)):
            taking.take(queues, order)
        return taking.batch()

    def _in_order(self, growing: Collection[str]) -> list[int]:
        """The numbers of the queues that the next records are taken from, `AT_ONCE` at most."""
        logs = [queue.times_ms(AT_ONCE) for queue in self._queues.values()]
        grows = [
            topic in growing and len(queue) <= AT_ONCE for topic, queue in self._queues.items()
        ]  # of a longer queue the end is not in sight
        chosen: list[int] = merged(logs, grows)[:AT_ONCE].tolist()
        return chosen

    def take_replay(self, clock: ReplayClock, at_most: int, bytes_at_most: int) -> Batch | None:
        """Records of days that have begun, then the next clock record once all before it has been taken."""
        pending = self._pending_clock()
        ends = pending.ends if pending else {}
        taking = _Taking(at_most, bytes_at_most, self._customers_at_most)
        for queue in self._queues.values():
            while not taking.is_full() and (going := self._going(queue, clock, ends)):
                taking.take([queue], [0] * going)
        batch = taking.batch()
        if pending is None or len(taking.records) >= at_most or not self._all_before(pending):
            return batch
        before = batch or Batch([], {})
        previous = {**before.previous, CLOCK: self._queues[CLOCK].position}
        record = self._queues[CLOCK].first(1)[0]
        self._queues[CLOCK].drop(1)
        return Batch([*before.records, record], previous, record.decoded.time_ms)

    def _pending_clock(self) -> ClockRecord | None:
        head = self._head(CLOCK)
        return head.decoded if head and isinstance(head.decoded, ClockRecord) else None

    def _all_before(self, pending: ClockRecord) -> bool:
        return all(self._queues[topic].position >= end for topic, end in pending.ends.items() if topic in self._queues)

    def _going(self, queue: _Queue, clock: ReplayClock, ends: Mapping[str, int]) -> int:
        """How many of the first records may go, `AT_ONCE` at most."""
        return sum(1 for _ in takewhile(lambda head: self._may_go(head, clock, ends), queue.first(AT_ONCE)))

    @staticmethod
    def _may_go(head: LogRecord, clock: ReplayClock, ends: Mapping[str, int]) -> bool:
        if isinstance(head.decoded, Rejection):
            return True
        if head.topic == CLOCK:
            return False
        return clock.admits(head.decoded.event_time_ms) or head.offset < ends.get(head.topic, 0)

    def _head(self, topic: str) -> LogRecord | None:
        queue = self._queues.get(topic)
        return queue.head if queue else None


def _orders_ms(records: Sequence[LogRecord]) -> NDArray[np.int64]:
    """When the live clock puts records in order among the topics; clock records have no say there."""
    event_time_ms = np.array([getattr(record.decoded, "event_time_ms", 0) for record in records], np.int64)
    return orders_ms(event_time_ms, np.array([record.timestamp_ms for record in records], np.int64))


def _weight(value: bytes | None) -> int:
    """Bytes that a record of this value stands for while it waits."""
    return RECORD_OVERHEAD_BYTES + (len(value) if value else 0)
