"""Rows of features as a Parquet file, row group by row group."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from offline.features.at_instants import ROWS_AT_ONCE, Part
from offline.outputs import hindrance
from stream.errors import OfflineError
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT

SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("ms", tz="UTC")),
        ("customer_id", pa.string()),
        *((name, pa.float32()) for name in MODEL_COLUMNS),
    ],
    metadata={"ebb.layout": LAYOUT},
)
"""One row per instant and active customer. The layout is that of labels and models: others mean something else."""


@dataclass(frozen=True)
class Written:
    """How many rows were written, and how many of them rest on events that came later than their instant."""

    rows: int
    late_rows: int


def refuse_unwritable(path: Path, history: Iterable[Path]) -> None:
    """See that a file may be written there, before a history is read.

    Raises:
        OfflineError: it is a folder, nothing can be written there, or it is of the history that is to be read.
    """
    why = "it is a folder" if not path.name or os.path.isdir(path) else hindrance(path)
    if not why and _is_of(history, path):
        why = "it is part of the history"
    if why:
        raise OfflineError(f"{path} cannot be written: {why}. Choose another --out.")


def _is_of(history: Iterable[Path], path: Path) -> bool:
    """Whether a path is one of the files, or in one of the folders, by whatever links."""
    real = Path(os.path.realpath(path))
    return any(given == real or given in real.parents for given in map(Path, map(os.path.realpath, history)))


def write(parts: Iterable[Part], path: Path, rows_at_once: int = ROWS_AT_ONCE) -> Written:
    """Write all rows; the file is there when it is whole, and its folder with it. Neither where there are no rows.

    Raises:
        OfflineError: it cannot be written.
    """
    unfinished, done = path.with_name(f"{path.name}.tmp"), False
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
            written = _write(parts, writer, rows_at_once)
        done = written.rows > 0
        if done:
            unfinished.replace(path)
    except OSError as error:
        raise OfflineError(f"{path} cannot be written: {error.strerror or error}. Choose another --out.") from error
    finally:
        with suppress(OSError):  # what hinders it has hindered the writing, which says so
            unfinished.unlink()
        if not done:
            _remove(made)
    return written


def _remove(folders: Iterable[Path]) -> None:
    """Folders that were made for nothing, the innermost first; one that has got something else meanwhile stays."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _write(parts: Iterable[Part], writer: pq.ParquetWriter, rows_at_once: int) -> Written:
    waiting: list[pa.RecordBatch] = []
    rows = late_rows = 0
    for part in parts:
        waiting.append(_batch(part))
        rows, late_rows = rows + len(part.customers), late_rows + int(part.late.sum())
        if sum(batch.num_rows for batch in waiting) >= rows_at_once:
            writer.write_table(pa.Table.from_batches(waiting))
            waiting = []
    if waiting:
        writer.write_table(pa.Table.from_batches(waiting))
    return Written(rows, late_rows)


def _batch(part: Part) -> pa.RecordBatch:
    at = pa.array([part.at_ms] * len(part.customers), pa.timestamp("ms", tz="UTC"))
    columns = [pa.array(part.columns[:, place]) for place in range(len(MODEL_COLUMNS))]
    return pa.record_batch([at, pa.array(part.customers, pa.string()), *columns], schema=SCHEMA)
