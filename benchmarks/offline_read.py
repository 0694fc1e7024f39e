"""How fast the offline side reads and folds: a file of events as `ebb simulate --parquet` writes it, one core."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.in_process import DECODING
from benchmarks.loads import records
from benchmarks.offline_fold import END_MS, REPEATS
from ebb.simulate.parquet import EVENTS, ROW_GROUP_EVENTS
from offline.features.at_instants import Folding, fold_all
from offline.features.batches import Reading
from offline.features.simulated import of_simulation

PARTITIONS = 4


def write(events: int, seed: int, folder: Path) -> None:
    """The uniform load as a simulated shop."""
    log = records("uniform", events, seed, END_MS)
    table = pa.table(
        {
            "sent_ms": pa.array([record.event_time_ms for record in log], pa.int64()),
            "topic": pa.array([record.topic for record in log]).dictionary_encode(),
            "value": pa.array([record.value.decode() for record in log]),
        }
    )
    pq.write_table(table, folder / EVENTS, row_group_size=ROW_GROUP_EVENTS, compression="zstd")


def read(folder: Path) -> int:
    """Read and fold everything up to the end; how many events that were."""
    with TemporaryDirectory() as spilled:
        folding = Folding(np.array([END_MS]), Path(spilled))
        fold_all(of_simulation(folder, Reading(DECODING, PARTITIONS, END_MS)), folding)
        for _ in folding.standings():
            pass
    return folding.events


def events_per_s(events: int, seed: int) -> int:
    """The best of a few readings, by CPU time of all threads."""
    with TemporaryDirectory() as folder:
        write(events, seed, Path(folder))
        spent_s, found = [], read(Path(folder))
        for _ in range(REPEATS):
            began_s = time.process_time()
            read(Path(folder))
            spent_s.append(time.process_time() - began_s)
    return round(found / min(spent_s))
