"""Archived records as Arrow tables, and one by one as a consumer would hand them over."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp_ms", pa.int64(), nullable=False),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ]
)
"""A record as Kafka has it; the value is the original bytes, null where it was null."""


class ArchivedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record under the names that Kafka's clients give its parts; `timestamp` in ms since 1970."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()

    @property
    def size(self) -> int:
        """Bytes of its value and key."""
        return len(self.value or b"") + len(self.key or b"")


def table_of(records: Sequence[Any]) -> pa.Table:
    """Records, as any client hands them over, as a table."""
    headers = [[{"name": name, "value": value} for name, value in record.headers or ()] for record in records]
    columns = [
        [record.offset for record in records],
        [record.timestamp for record in records],
        [record.key for record in records],
        [record.value for record in records],
        headers,
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def records_of(batches: Iterable[pa.RecordBatch]) -> Iterator[ArchivedRecord]:
    """The rows of `offline.archive.reading.read_batches`, one by one."""
    for batch in batches:
        columns = [column.to_pylist() for column in batch.columns]
        for offset, timestamp_ms, key, value, headers in zip(*columns, strict=True):
            pairs = [(header["name"], header["value"]) for header in headers] if headers else ()
            yield ArchivedRecord(offset, timestamp_ms, key, value, pairs)
