"""From what the consumer read to records: many as columns, what columns are not sure of one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import structlog

from schemas.topics import CLOCK
from stream.alignment import order_ms
from stream.bugs import Decode
from stream.columns.events import EventColumns, ReadColumns
from stream.metrics import worker as metrics
from stream.worker.log_records import LogRecords, of_columns, of_topic, written_ms

FEW = 32  # so many are decoded in the time that columns take however few records there are
_value = attrgetter("value")
log = structlog.get_logger()


def leaving_bugs(read: ReadColumns) -> ReadColumns:
    """`read`; where a bug of ours ends it, which is logged and counted, all of the records are to be decoded."""

    def read_or_left(topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> EventColumns | None:
        try:
            return read(topic, values, timestamps_ms)
        except Exception:
            metrics.CHUNK_FAILURES.inc()
            log.exception("a bug kept records from being read as columns, decoding them", topic=topic)
            return None

    return read_or_left


@dataclass(frozen=True)
class Reader:
    """Makes records of what the consumer read.

    Attributes:
        decode: whose answer counts.
        columns: reads what it is sure of without an object for each; None where everything is decoded.
    """

    decode: Decode
    columns: ReadColumns | None = None

    def records(self, topic: str, fetched: Sequence[Any]) -> LogRecords:
        """Records of one topic."""
        values, times_ms = list(map(_value, fetched)), written_ms(topic, fetched)
        has_columns = len(fetched) >= FEW and topic != CLOCK
        read = self.columns(topic, values, times_ms) if self.columns and has_columns else None
        if read is None:
            return of_topic(topic, fetched, self.decode(topic, values, times_ms))
        found = of_columns(topic, fetched, read, times_ms)
        odd = (~read.is_sure).nonzero()[0]
        if len(odd):
            some = odd.tolist()
            decoded = self.decode(topic, [values[at] for at in some], [times_ms[at] for at in some])
            found.put(odd, of_topic(topic, [fetched[at] for at in some], decoded))
        return found

    def order_ms(self, topic: str, raw: Any) -> int:
        """The time by which one record is put in order."""
        times_ms = written_ms(topic, [raw])
        (decoded,) = self.decode(topic, [raw.value], times_ms)
        return order_ms(getattr(decoded, "event_time_ms", None), times_ms[0])
