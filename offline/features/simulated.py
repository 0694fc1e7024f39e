"""The events of a simulated shop, from what `ebb simulate --parquet` writes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from offline.columns.homes import Homes
from offline.columns.reading import Sent, told
from offline.columns.repeats import Repeats
from offline.columns.values import Values
from offline.features.batches import AT_ONCE, Batch, Reading, batch_of
from stream.clock import end_of_day_ms
from stream.errors import OfflineError

SIMULATED = "events.parquet"
SIMULATED_COLUMNS = ["sent_ms", "topic", "value"]
TEXTS = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())  # as other programs write the same table


def is_simulated(path: Path) -> bool:
    """Whether a folder holds what `ebb simulate --parquet` writes."""
    return (path / SIMULATED).is_file()


def events_in_simulation(folder: Path) -> int:
    """How many events `of_simulation` reads.

    Raises:
        OfflineError: the file is damaged, or another program's.
    """
    try:
        with pq.ParquetFile(folder / SIMULATED) as opened:
            schema, events = opened.schema_arrow, opened.metadata.num_rows
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(folder, error) from error
    lacking = [name for name in SIMULATED_COLUMNS if name not in schema.names]
    if lacking or schema.field("sent_ms").type != pa.int64() or schema.field("value").type not in TEXTS:
        raise _unreadable(folder, f"it has not the columns {', '.join(SIMULATED_COLUMNS)} of a simulated shop")
    return int(events)


def of_simulation(folder: Path, reading: Reading) -> Iterator[Batch]:
    """The events of a simulated shop, in the order they were sent, without what a worker would reject or drop.

    Raises:
        OfflineError: the file is damaged.
    """
    repeats, homes = Repeats(), Homes(reading.partitions)
    try:
        with pq.ParquetFile(folder / SIMULATED) as opened:
            for rows in opened.iter_batches(AT_ONCE, columns=SIMULATED_COLUMNS):
                yield _batch(_sent(rows), reading, repeats, homes)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, why: object) -> OfflineError:
    said = str(why).rstrip(".")
    return OfflineError(f"{folder / SIMULATED} cannot be read: {said}. Write it again with ebb simulate.")


def _sent(rows: Any) -> Sent:
    topics = rows.column("topic").dictionary_encode()
    return Sent(
        values=Values(rows.column("value")),
        topics=topics.dictionary.to_pylist(),
        topic=topics.indices.to_numpy().astype(np.int64),
        timestamps_ms=rows.column("sent_ms").to_numpy(),
    )


def _batch(sent: Sent, reading: Reading, repeats: Repeats, homes: Homes) -> Batch:
    """Which partition a guest's event is on does not matter, only that a repeat of it is on the same."""
    found = told(sent, reading.rules, reading.vocabulary, reading.customers)
    kept, times_ms = found.is_event.copy(), found.facts.time_ms
    at, id_hash, row = np.flatnonzero(kept), found.facts.id_hash, found.facts.row
    home = np.where(row >= 0, np.append(homes.of(found.customers), 0)[row], id_hash % np.uint64(reading.partitions))
    logs = (sent.topic * reading.partitions + home.astype(np.int64))[at]
    is_repeat = repeats.among(id_hash[at], logs)
    kept[at[is_repeat]] = False
    reading.rejected.add(found.rejected)
    reading.duplicates += int(is_repeat.sum())
    reading.clock_ms = max(reading.clock_ms, end_of_day_ms(int(times_ms.max(initial=0, where=found.is_event))))
    return batch_of("simulated", found, kept, np.maximum(sent.timestamps_ms, times_ms))
