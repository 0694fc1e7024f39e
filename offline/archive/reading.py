"""Reading an archive: for training, reports, rebuilding, and whoever else wants the history of a log."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from offline.archive.files import ArchiveFile, files
from offline.archive.parquet import DAMAGED, damaged, opened, schema_of
from offline.archive.records import ArchivedRecord, records_of

BATCH_ROWS = 16_384


def read_batches(
    folder: Path, topic: str, partition: int, begin: int = 0, end: int | None = None
) -> Iterator[pa.RecordBatch]:
    """The archived records of a topic-partition in the order of their offsets, each once.

    An archive may grow meanwhile; what is there when the end is reached belongs to it.

    Args:
        folder: the archive.
        topic: one that `ebb archive` keeps.
        partition: of the topic.
        begin: the first offset wanted.
        end: the offset before which to stop; None for all.

    Yields:
        Batches with the columns of `offline.archive.records.SCHEMA`.

    Raises:
        ArchiveError: a file is damaged.
    """
    position = begin
    while (following := _following(folder, topic, partition, position)) is not None:
        if end is not None and following.first >= end:
            return
        try:
            file = opened(following.path)
        except FileNotFoundError:
            continue  # it was joined with others meanwhile: one that contains it is there
        except DAMAGED as error:
            raise damaged(following.path, error) from error
        with file:
            yield from _between(file, following.path, position, end)
        position = following.end


def _following(folder: Path, topic: str, partition: int, position: int) -> ArchiveFile | None:
    """The file with the next records."""
    return next((file for file in files(folder, topic, partition) if file.end > position), None)


def _between(file: pq.ParquetFile, path: Path, begin: int, end: int | None) -> Iterator[pa.RecordBatch]:
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            offsets = batch.column("offset").to_numpy()
            first = int(np.searchsorted(offsets, begin))
            last = len(offsets) if end is None else int(np.searchsorted(offsets, end))
            if first < last:
                yield batch.slice(first, last - first)
    except DAMAGED as error:
        raise damaged(path, error) from error


def last_record(folder: Path, topic: str, partition: int) -> ArchivedRecord | None:
    """The last archived record of a topic-partition; None where there is none.

    Raises:
        ArchiveError: its file is damaged.
    """
    for file in reversed(files(folder, topic, partition)):
        try:
            with opened(file.path) as whole:
                groups = whole.num_row_groups
                table = whole.read_row_group(groups - 1) if groups else None
        except DAMAGED as error:
            raise damaged(file.path, error) from error
        if table is not None and table.num_rows:
            return next(records_of(table.slice(table.num_rows - 1).to_batches()))
    return None


def topic_id_of(file: ArchiveFile) -> str:
    """The id that Kafka had given the topic of a file; empty where Kafka had not told."""
    return str((schema_of(file.path).metadata or {}).get(b"ebb.topic_id", b"").decode())
