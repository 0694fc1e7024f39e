"""What a partition has fetched and not yet applied, and which of it may be applied next."""

import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.clock import ClockRecord
from schemas.decode import Rejection
from schemas.topics import CLOCK
from stream.alignment import merged, order_ms
from stream.clock import ReplayClock
from stream.ports import LogPosition
from stream.worker.fetched import Fetched

RECORD_OVERHEAD_BYTES = 400  # a record of no value still costs its Python object


@dataclass(frozen=True, slots=True)
class LogRecord:
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

    @property
    def order_ms(self) -> int:
        """The time by which the live clock puts it in order among the topics; clock records have no say there."""
        return order_ms(getattr(self.decoded, "event_time_ms", None), self.timestamp_ms)


Decode = Callable[[str, bytes | None, int], Any]


@dataclass(frozen=True)
class Batch:
    """Records to apply together, in the order they take effect.

    `previous` is the offset before the first record of each topic; `clock_ms` the time of the clock record that ends
    the batch in a replay.
    """

    records: list[LogRecord]
    previous: Mapping[str, int]
    clock_ms: int | None = None

    def after(self, applied: Mapping[str, int]) -> "Batch":
        """What is left when the offsets below `applied` have been applied already."""
        left = [record for record in self.records if record.offset >= applied.get(record.topic, 0)]
        previous = {topic: max(offset, applied.get(topic, 0)) for topic, offset in self.previous.items()}
        return Batch(left, previous, self.clock_ms if any(r.topic == CLOCK for r in left) else None)


@dataclass
class _Queue:
    """Decoded records of one topic. `position` is the next offset to take, `tail` the one to be fetched.

    `order_ms` are the times of the records queued, `last_ms` is that of the last event that was.
    """

    position: int
    tail: int
    records: deque[tuple[LogRecord, int]] = field(default_factory=deque)
    queued_bytes: int = 0
    order_ms: deque[int] = field(default_factory=deque)
    last_ms: int = 0

    def put(self, record: LogRecord) -> None:
        """Queue the next record."""
        size, time_ms = RECORD_OVERHEAD_BYTES + len(record.value or b""), record.order_ms
        self.records.append((record, size))
        self.order_ms.append(time_ms)
        self.queued_bytes += size
        self.tail = record.offset + 1
        self.last_ms = time_ms or self.last_ms

    def pop(self) -> LogRecord:
        """Take the first record."""
        record, size = self.records.popleft()
        self.order_ms.popleft()
        self.queued_bytes -= size
        self.position = record.offset + 1
        return record

    def times_ms(self, at_most: int) -> NDArray[np.int64]:
        """`order_ms` of the first records."""
        return np.fromiter(islice(self.order_ms, at_most), np.int64, min(at_most, len(self.order_ms)))


class Inbox:
    """Queues of one partition, one per topic; `take` applies the rules of the clock mode to them."""

    def __init__(self, positions: Mapping[str, int], decode: Decode) -> None:
        self._decode = decode
        self._queues = {topic: _Queue(offset, offset) for topic, offset in positions.items()}

    def put(self, fetched: Fetched) -> int:
        """Queue what continues the log; returns the bytes queued for its topic."""
        queue = self._queues[fetched.tp.topic]
        for raw in fetched.continuing(queue.tail):
            queue.put(self._decoded(raw))
        return queue.queued_bytes

    def _decoded(self, raw: Any) -> LogRecord:
        decoded = self._decode(raw.topic, raw.value, raw.timestamp)
        return LogRecord(raw.topic, raw.offset, raw.timestamp, raw.key, raw.value, decoded)

    def seek(self, topic: str, offset: int) -> None:
        """Forget what is queued for `topic` and go on at `offset`."""
        self._queues[topic] = _Queue(offset, offset)

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
        """`order_ms` of the record of `topic` that is to be taken next; None when none is queued."""
        times_ms = self._queues[topic].order_ms
        return times_ms[0] if times_ms else None

    def last_ms(self, topic: str) -> int:
        """`order_ms` of the last event of `topic` that was fetched; 0 before there was one."""
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
        topics = list(self._queues)
        logs = [queue.times_ms(at_most) for queue in self._queues.values()]
        grows = [
            topic in growing and len(queue.records) <= at_most for topic, queue in self._queues.items()
        ]  # of a longer queue the end is not in sight
        chosen = (topics[number] for number in merged(logs, grows)[:at_most].tolist())
        return self._batch(self._bounded(chosen, at_most, bytes_at_most))

    def take_replay(self, clock: ReplayClock, at_most: int, bytes_at_most: int) -> Batch | None:
        """Records of days that have begun, then the next clock record once all before it has been taken."""
        pending = self._pending_clock()
        batch = self._batch(self._bounded(self._of_begun_days(clock, pending), at_most, bytes_at_most))
        if pending is None or len(batch.records if batch else ()) >= at_most or not self._all_before(pending):
            return batch
        before = batch or Batch([], {})
        previous = {**before.previous, CLOCK: self._queues[CLOCK].position}
        record = self._queues[CLOCK].pop()
        return Batch([*before.records, record], previous, record.decoded.time_ms)

    def _pending_clock(self) -> ClockRecord | None:
        head = self._head(CLOCK)
        return head.decoded if head and isinstance(head.decoded, ClockRecord) else None

    def _all_before(self, pending: ClockRecord) -> bool:
        return all(self._queues[topic].position >= end for topic, end in pending.ends.items() if topic in self._queues)

    def _of_begun_days(self, clock: ReplayClock, pending: ClockRecord | None) -> Iterator[str]:
        ends = pending.ends if pending else {}
        for topic in self._queues:
            while (head := self._head(topic)) and self._may_go(head, clock, ends):
                yield topic

    @staticmethod
    def _may_go(head: LogRecord, clock: ReplayClock, ends: Mapping[str, int]) -> bool:
        if isinstance(head.decoded, Rejection):
            return True
        if head.topic == CLOCK:
            return False
        return clock.admits(head.decoded.event_time_ms) or head.offset < ends.get(head.topic, 0)

    def _bounded(self, topics: Iterator[str], at_most: int, bytes_at_most: int) -> Iterator[str]:
        taken = taken_bytes = 0
        for topic in topics:
            if taken >= at_most or taken_bytes >= bytes_at_most:
                return
            taken, taken_bytes = taken + 1, taken_bytes + self._queues[topic].records[0][1]
            yield topic

    def _batch(self, topics: Iterator[str]) -> Batch | None:
        records: list[LogRecord] = []
        previous: dict[str, int] = {}
        for topic in topics:
            previous.setdefault(topic, self._queues[topic].position)
            records.append(self._queues[topic].pop())
        return Batch(records, previous) if records else None

    def _head(self, topic: str) -> LogRecord | None:
        queue = self._queues.get(topic)
        return queue.records[0][0] if queue and queue.records else None
