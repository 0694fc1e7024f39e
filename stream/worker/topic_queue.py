"""The records of one topic of a partition that wait to be taken, decoded shortly before they are."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.worker.log_records import NO_RECORDS, LogRecord, LogRecords, joined, weight_of
from stream.worker.reading import Reader

AT_ONCE = 1_024  # records decoded and put in order together; a fetch may bring 30,000, which would hold up every lane


class TopicQueue:
    """Records of one topic, so many `waiting`. `position` is the next offset to take, `tail` the one to be fetched.

    Records are decoded shortly before they are taken. `last_ms` is `orders_ms` of the last event that was fetched.
    """

    def __init__(self, topic: str, offset: int, reader: Reader) -> None:
        self.topic, self.position, self.tail = topic, offset, offset
        self.waiting = self.queued_bytes = 0
        self._reader = reader
        self._last_ms, self._looked_until = 0, offset  # of the last event before an offset
        self._fetched: list[Any] = []
        self._begin = 0  # of what is not decoded yet
        self._decoded, self._ready = NO_RECORDS, 0  # so many are decoded: never more than twice `AT_ONCE`

    def put(self, records: Sequence[Any]) -> None:
        """Queue the next records."""
        self._fetched += records
        self.waiting += len(records)
        self.queued_bytes += weight_of([record.value for record in records])
        self.tail = records[-1].offset + 1

    def last_ms(self) -> int:
        """`orders_ms` of the last event that was fetched; where it is not decoded yet, it is now, for this alone."""
        if self._looked_until < self.tail:
            waiting = islice(reversed(self._fetched), len(self._fetched) - self._begin)
            times_ms = map(partial(self._reader.order_ms, self.topic), waiting)
            self._last_ms, self._looked_until = next(filter(None, times_ms), self._last_ms), self.tail
        return self._last_ms

    def _decode_until(self, count: int) -> None:
        """Have as many decoded, if so many are queued."""
        while self._ready < count and (raw := self._fetched[self._begin : self._begin + AT_ONCE]):
            self._begin += len(raw)
            if 2 * self._begin > len(self._fetched):
                del self._fetched[: self._begin]
                self._begin = 0
            read = self._reader.records(self.topic, raw)
            self._note_last(read)
            self._decoded = joined([self._decoded, read]) if self._ready else read
            self._ready += len(raw)

    def _note_last(self, read: LogRecords) -> None:
        """The next records were decoded: what is left to look for is the last event behind them."""
        until = int(read.offset[-1]) + 1
        if self._looked_until < until:
            times_ms = filter(None, read.order_ms[::-1].tolist())
            self._last_ms, self._looked_until = next(times_ms, self._last_ms), until

    @property
    def head(self) -> LogRecord | None:
        """The record to be taken next."""
        self._decode_until(1)
        return self._decoded[0] if self._ready else None

    def first(self, at_most: int) -> LogRecords:
        """The records to be taken next."""
        self._decode_until(at_most)
        return self._decoded.part(0, at_most)

    def drop(self, count: int) -> None:
        """The first records were taken, after they were looked at."""
        self.waiting -= count
        self.queued_bytes -= int(self._decoded.weight[:count].sum())
        self.position = int(self._decoded.offset[count - 1]) + 1
        self._ready -= count
        self._decoded = self._decoded.part(count) if self._ready else NO_RECORDS

    def times_ms(self, at_most: int) -> NDArray[np.int64]:
        """The times by which the live clock puts the first records in order among the topics."""
        self._decode_until(at_most)
        times_ms: NDArray[np.int64] = self._decoded.order_ms[:at_most]
        return times_ms
