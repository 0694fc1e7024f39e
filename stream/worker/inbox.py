"""What a partition has fetched and not yet applied, and which of it may be applied next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.clock import ClockRecord
from schemas.topics import CLOCK, INPUT_TOPICS
from stream.alignment import merged, places_of
from stream.bugs import Decode
from stream.clock import ReplayClock
from stream.columns.events import ReadColumns
from stream.ports import LogPosition
from stream.worker.fetched import Fetched
from stream.worker.log_records import (
    CLOCK_KIND,
    NO_RECORDS,
    REJECTED,
    LogRecord,
    LogRecords,
    joined,
)
from stream.worker.reading import Reader
from stream.worker.topic_queue import AT_ONCE, TopicQueue

_NOTHING = np.zeros(0, np.intp)


@dataclass(frozen=True)
class Batch:
    """Records to apply together, in the order they take effect.

    `previous` is the offset before the first record of each topic; `clock_ms` the time of the clock record that ends
    the batch in a replay.
    """

    records: LogRecords = NO_RECORDS
    previous: Mapping[str, int] = field(default_factory=dict)
    clock_ms: int | None = None

    @cached_property
    def positions(self) -> dict[str, LogPosition]:
        """Topic -> the position after the last record of it."""
        return {topic: self.records.position_after(place) for topic, place in self.records.last_places.items()}

    def left(self, applied: Mapping[str, int]) -> NDArray[np.intp]:
        """The places of its records that are left when the offsets below `applied` have been applied already."""
        begins = np.array([applied.get(topic, 0) for topic in INPUT_TOPICS], np.int64)
        places: NDArray[np.intp] = (self.records.offset >= begins[self.records.topic]).nonzero()[0]
        return places

    def after(self, applied: Mapping[str, int]) -> "Batch":
        """What is left when the offsets below `applied` have been applied already."""
        records = self.records.take(self.left(applied))
        previous = {topic: max(offset, applied.get(topic, 0)) for topic, offset in self.previous.items()}
        return Batch(records, previous, self.clock_ms if CLOCK in records.topics else None)

    def first(self, count: int) -> "Batch":
        """Its first records without the clock record that ends it."""
        records = self.records.part(0, count)
        return Batch(records, {topic: self.previous[topic] for topic in records.topics})


@dataclass
class _Taking:
    """A batch being filled, and the bounds it is filled to."""

    records_at_most: int
    bytes_at_most: int
    customers_at_most: int
    parts: list[LogRecords] = field(default_factory=list)
    previous: dict[str, int] = field(default_factory=dict)
    customers: dict[str, None] = field(default_factory=dict)  # in the order they came
    count: int = 0
    size: int = 0

    def is_full(self) -> bool:
        """Whether a bound is reached."""
        return (
            self.count >= self.records_at_most
            or self.size >= self.bytes_at_most
            or len(self.customers) >= self.customers_at_most
        )

    def take(self, queues: Sequence[TopicQueue], order: NDArray[np.intp]) -> None:
        """Move records into the batch until it is full: for each number in `order`, the next of that queue."""
        counts = np.bincount(order, minlength=len(queues)).tolist()
        coming = joined([queue.first(count) for queue, count in zip(queues, counts, strict=True) if count])
        if len(coming) > max(counts):  # of several queues, one after another
            coming = coming.take(places_of(order, counts))
        coming_bytes = int(coming.weight.sum())
        taken = coming.part(0, self._fitting(coming, coming_bytes))
        self.parts.append(taken)
        self.count += len(taken)
        self.size += coming_bytes if taken is coming else int(taken.weight.sum())
        if len(taken) < len(coming):
            counts = np.bincount(order[: len(taken)], minlength=len(queues)).tolist()
        for queue, count in zip(queues, counts, strict=True):
            if count:
                self.previous.setdefault(queue.topic, queue.position)
                queue.drop(count)

    def _fitting(self, coming: LogRecords, coming_bytes: int) -> int:
        """How many of these records fill the batch; their customers are counted."""
        fitting = len(coming)
        if self.size + coming_bytes >= self.bytes_at_most:
            sizes = np.cumsum(coming.weight) + self.size
            fitting = int(np.searchsorted(sizes, self.bytes_at_most)) + 1
        named: list[Any] = coming.customer[:fitting].tolist()
        new = dict.fromkeys(named, None)
        new.pop(None, None)
        self.customers |= new
        if len(self.customers) < self.customers_at_most:
            return fitting
        return named.index([*self.customers][self.customers_at_most - 1]) + 1

    def batch(self) -> Batch | None:
        """What was taken, None if nothing."""
        return Batch(joined(self.parts), self.previous) if self.parts else None


class Inbox:
    """Queues of one partition, one per topic; `take` applies the rules of the clock mode to them.

    Args:
        positions: topic -> the offset to begin at.
        decode: makes events of values.
        customers_at_most: distinct customers in a batch: they are what a commit costs.
        columns: reads many values as columns, as far as it is sure of them; None where all are decoded.
    """

    def __init__(
        self,
        positions: Mapping[str, int],
        decode: Decode,
        customers_at_most: int = 1_000_000,
        columns: ReadColumns | None = None,
    ) -> None:
        self._reader, self._customers_at_most = Reader(decode, columns), customers_at_most
        self._queues = {topic: TopicQueue(topic, offset, self._reader) for topic, offset in positions.items()}

    def put(self, fetched: Fetched) -> int:
        """Queue what continues the log; returns the bytes queued for its topic."""
        queue = self._queues[fetched.tp.topic]
        records = fetched.continuing(queue.tail)
        if records:
            queue.put(records)
        return queue.queued_bytes

    def seek(self, topic: str, offset: int) -> None:
        """Forget what is queued for `topic` and go on at `offset`."""
        self._queues[topic] = TopicQueue(topic, offset, self._reader)

    def queued_bytes(self, topic: str) -> int:
        """Bytes waiting for one topic."""
        return self._queues[topic].queued_bytes

    def tail(self, topic: str) -> int:
        """The next offset of `topic` to be fetched."""
        return self._queues[topic].tail

    def next_ms(self, topic: str) -> int | None:
        """`orders_ms` of the record of `topic` that is to be taken next; None when none is queued."""
        queue = self._queues[topic]
        return int(queue.times_ms(1)[0]) if queue.waiting else None

    def last_ms(self, topic: str) -> int:
        """`orders_ms` of the last event of `topic` that was fetched; 0 before there was one."""
        return self._queues[topic].last_ms()

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
        while not taking.is_full() and len(order := self._in_order(growing, at_most - taking.count)):
            taking.take(queues, order)
        return taking.batch()

    def _in_order(self, growing: Collection[str], wanted: int) -> NDArray[np.intp]:
        """The numbers of the queues that the next records are taken from, `wanted` and `AT_ONCE` at most."""
        queued = [(number, queue) for number, queue in enumerate(self._queues.values()) if queue.waiting]
        if not queued or not all(self._queues[topic].waiting for topic in growing):
            return _NOTHING
        at_most = min(wanted, AT_ONCE)
        if len(queued) == 1:
            return np.full(min(queued[0][1].waiting, at_most), queued[0][0], np.intp)
        logs = [queue.times_ms(at_most) for _, queue in queued]
        grows = [  # of a longer queue the end is not in sight
            queue.topic in growing and queue.waiting <= at_most for _, queue in queued
        ]
        numbers = np.array([number for number, _ in queued], np.intp)
        found: NDArray[np.intp] = numbers[merged(logs, grows, at_most)]
        return found

    def take_replay(self, clock: ReplayClock, at_most: int, bytes_at_most: int) -> Batch | None:
        """Records of days that have begun, then the next clock record once all before it has been taken."""
        pending = self._pending_clock()
        ends = pending.ends if pending else {}
        taking = _Taking(at_most, bytes_at_most, self._customers_at_most)
        for queue in self._queues.values():
            while not taking.is_full() and (going := self._going(queue, clock, ends)):
                taking.take([queue], np.zeros(min(going, at_most - taking.count), np.intp))
        batch = taking.batch()
        if pending is None or taking.count >= at_most or not self._all_before(pending):
            return batch
        before = batch or Batch()
        previous = {**before.previous, CLOCK: self._queues[CLOCK].position}
        records = joined([before.records, self._queues[CLOCK].first(1)])
        self._queues[CLOCK].drop(1)
        return Batch(records, previous, pending.time_ms)

    def _pending_clock(self) -> ClockRecord | None:
        head = self._head(CLOCK)
        return head.decoded if head and isinstance(head.decoded, ClockRecord) else None

    def _all_before(self, pending: ClockRecord) -> bool:
        return all(self._queues[topic].position >= end for topic, end in pending.ends.items() if topic in self._queues)

    @staticmethod
    def _going(queue: TopicQueue, clock: ReplayClock, ends: Mapping[str, int]) -> int:
        """How many of the first records may go, `AT_ONCE` at most.

        Where the next clock record says how far the topic goes before it, that counts and not the day: a late event
        behind it must not depend on which of the two was fetched first.
        """
        records = queue.first(AT_ONCE)
        end = ends.get(queue.topic)
        begun = clock.admits(records.event_time_ms) if end is None else records.offset < end
        waits = (records.kind != REJECTED) & ((records.kind == CLOCK_KIND) | ~begun)
        return int(waits.argmax()) if waits.any() else len(records)

    def _head(self, topic: str) -> LogRecord | None:
        queue = self._queues.get(topic)
        return queue.head if queue else None
