"""The Parquet files of an archive: every page has a checksum, and what is damaged is said, not read."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from offline.archive.files import ArchiveError

DAMAGED = (OSError, pa.ArrowInvalid)
"""What reading raises for a file that is none, or not the one that was written."""


def opened(path: Path) -> pq.ParquetFile:
    """A file to read from, which sees to the checksums of its pages; files written before have none."""
    return pq.ParquetFile(path, page_checksum_verification=True)


def writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A new file."""
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def row_groups(path: Path) -> Iterator[pa.Table]:
    """The rows of a file, group by group.

    Raises:
        ArchiveError: it is damaged.
    """
    try:
        file = opened(path)
    except DAMAGED as error:
        raise damaged(path, error) from error
    with file:
        for number in range(file.num_row_groups):
            try:
                table = file.read_row_group(number)
            except DAMAGED as error:
                raise damaged(path, error) from error
            yield table


def schema_of(path: Path) -> pa.Schema:
    """The schema of a file, with what the file says of itself.

    Raises:
        ArchiveError: it is damaged.
    """
    try:
        return pq.read_schema(path)
    except DAMAGED as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> ArchiveError:
    """What is said of a file that cannot be read."""
    said = " ".join(str(error).split()).rstrip(".")
    return ArchiveError(
        f"{path} cannot be read: {said}. Bring it back from a copy, or delete it and archive again while Kafka still "
        "has its records."
    )
