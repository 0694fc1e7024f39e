"""Adding records to an archive: whole files only, few and large in the end."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from offline.archive.files import TEMPORARY, ArchiveFile, contained, file_name, files, log_folder, publish_file
from offline.archive.parquet import row_groups, writer
from offline.archive.records import SCHEMA, table_of

ROWS_AT_ONCE, BYTES_AT_ONCE = 100_000, 16_000_000  # what is kept in memory of each log
FILE_BYTES_AT_MOST = 128_000_000
JOINED_UP_TO = 4  # a file at most so many times as long as what comes is written anew with it: each row a few times


class LogArchive:
    """The archive of one topic-partition, with its only writer.

    `position` is the next offset it waits for.
    """

    def __init__(self, folder: Path, topic: str, partition: int, topic_id: str = "") -> None:
        self.partition = partition
        self._folder, self._topic, self._topic_id = folder, topic, topic_id
        for left in contained(folder, topic, partition):
            left.path.unlink()
        found = files(folder, topic, partition)
        self.position = self._first = found[-1].end if found else 0
        self._waiting: list[Any] = []
        self._waiting_bytes = 0

    def skip_to(self, offset: int) -> None:
        """Go on at an offset: what is before it is not there any more."""
        self.flush()
        self.position = self._first = offset

    def add(self, records: Sequence[Any]) -> None:
        """Add the next records of the log, in order."""
        if not records:
            return
        self._waiting += records
        self._waiting_bytes += sum(len(record.value or b"") for record in records)
        self.position = records[-1].offset + 1
        if len(self._waiting) >= ROWS_AT_ONCE or self._waiting_bytes >= BYTES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Have everything that was added on disk, under its name."""
        if not self._waiting:
            return
        found = files(self._folder, self._topic, self.partition)
        joined = _to_join(found, self._first, self.position)
        first = joined[0].first if joined else self._first
        rows = (group for each in joined for group in row_groups(each.path))
        self._write(first, _then(rows, self._waiting))
        for each in joined:
            each.path.unlink()
        self._first, self._waiting, self._waiting_bytes = self.position, [], 0

    def cut(self, offset: int) -> None:
        """Take away everything from an offset on: it has turned out not to have happened."""
        for each in reversed(files(self._folder, self._topic, self.partition)):
            if each.end <= offset:
                break
            if each.first < offset:
                self._write(each.first, (_before(group, offset) for group in row_groups(each.path)), end=offset)
            each.path.unlink()
        found = files(self._folder, self._topic, self.partition)
        self.position = self._first = found[-1].end if found else 0

    def _write(self, first: int, tables: Iterable[pa.Table], end: int | None = None) -> None:
        where = log_folder(self._folder, self._topic, self.partition)
        where.mkdir(parents=True, exist_ok=True)
        path = where / file_name(first, self.position if end is None else end)
        temporary = path.with_name(path.name + TEMPORARY)
        schema = SCHEMA.with_metadata({"ebb.format": "1", "ebb.topic": self._topic, "ebb.topic_id": self._topic_id})
        with writer(temporary, schema) as out:
            for table in _regrouped(tables):
                out.write_table(table.replace_schema_metadata(schema.metadata))
        publish_file(temporary, path)


def _to_join(found: Sequence[ArchiveFile], first: int, end: int) -> list[ArchiveFile]:
    """The last files that are written anew together with what begins at `first` and ends at `end`.

    So an archive that grows by a little every hour does not consist of thousands of files, and no row is written more
    than a few times.
    """
    joined: list[ArchiveFile] = []
    size = 0
    for file in reversed(found):
        size += file.path.stat().st_size
        meets = file.end == (joined[0].first if joined else first)
        length = end - (joined[0].first if joined else first)
        if not meets or file.end - file.first > JOINED_UP_TO * length or size > FILE_BYTES_AT_MOST:
            break
        joined.insert(0, file)
    return joined


def _then(tables: Iterable[pa.Table], records: Sequence[Any]) -> Iterator[pa.Table]:
    yield from tables
    yield table_of(records)


def _before(table: pa.Table, offset: int) -> pa.Table:
    return table.filter(pa.compute.less(table["offset"], offset))


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of a good size."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(each.num_rows for each in waiting) >= ROWS_AT_ONCE or sum(t.nbytes for t in waiting) >= BYTES_AT_ONCE:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
