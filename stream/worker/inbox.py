"""What a partition has fetched and not yet applied, and which of it may be applied next."""

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.clock import ClockRecord
from schemas.decode import Rejection
from schemas.topics import CLOCK
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
    """Decoded records of one topic. `position` is the next offset to take, `tail` the one to be fetched."""

    position: int
    tail: int
    records: deque[tuple[LogRecord, int]] = field(default_factory=deque)
    queued_bytes: int = 0


class Inbox:
    """Queues of one partition, one per topic; `take` applies the rules of the clock mode to them."""

    def __init__(self, positions: Mapping[str, int], decode: Decode) -> None:
        self._decode = decode
        self._queues = {topic: _Queue(offset, offset) for topic, offset in positions.items()}

    def put(self, fetched: Fetched) -> int:
        """Queue what continues the log; returns the bytes queued for its topic."""
        queue = self._queues[fetched.tp.topic]
        for raw in fetched.continuing(queue.tail):
            size = RECORD_OVERHEAD_BYTES + len(raw.value or b"")
            queue.records.append((self._decoded(raw), size))
            queue.queued_bytes += size
            queue.tail = raw.offset + 1
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

    @property
    def topics(self) -> list[str]:
        """The topics there are queues for."""
        return list(self._queues)

    def take_live(self, at_most: int, bytes_at_most: int) -> Batch | None:
        """Whatever is queued, topic by topic; nothing waits on the live clock."""
        return self._batch(self._bounded(self._everything(), at_most, bytes_at_most))

    def take_replay(self, clock: ReplayClock, at_most: int, bytes_at_most: int) -> Batch | None:
        """Records of days that have begun, then the next clock record once all before it has been taken."""
        pending = self._pending_clock()
        batch = self._batch(self._bounded(self._of_begun_days(clock, pending), at_most, bytes_at_most))
        if pending is None or len(batch.records if batch else ()) >= at_most or not self._all_before(pending):
            return batch
        before = batch or Batch([], {})
        previous = {**before.previous, CLOCK: self._queues[CLOCK].position}
        record = self._pop(CLOCK)
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

    def _everything(self) -> Iterator[str]:
        for topic, queue in self._queues.items():
            while queue.records:
                yield topic

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
            records.append(self._pop(topic))
        return Batch(records, previous) if records else None

    def _head(self, topic: str) -> LogRecord | None:
        queue = self._queues.get(topic)
        return queue.records[0][0] if queue and queue.records else None

    def _pop(self, topic: str) -> LogRecord:
        queue = self._queues[topic]
        record, size = queue.records.popleft()
        queue.queued_bytes -= size
        queue.position = record.offset + 1
        return record
