"""The events of an archive of `ebb archive`, once erasures and merges have taken effect."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from offline.archive.files import files
from offline.archive.files import partitions as archived_partitions
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.columns.reading import Sent, Told, taken, told
from offline.columns.repeats import Repeats
from offline.columns.values import Values
from offline.features.batches import AT_ONCE, Batch, Reading, batch_of
from offline.features.gone import identities_of
from offline.features.told_times import IntArray, Log, ToldTimes, told_times
from schemas.decode import DecodeRules
from schemas.identities import Erasure, Merge
from schemas.origin import HOPS, Origin, origin_of
from schemas.topics import PROFILES, REROUTED, SOURCE_TOPICS

TOPICS = (*SOURCE_TOPICS, REROUTED)
BYTES_AT_ONCE = 64_000_000  # records may be long


def is_archive(path: Path) -> bool:
    """Whether a folder is one of `ebb archive`."""
    return path.is_dir() and any(archived_partitions(path, topic) for topic in SOURCE_TOPICS)


def records_in_archive(folder: Path) -> int:
    """About how many records `of_archive` reads."""
    return sum(found[-1].end - found[0].first for log in _logs_in(folder) if (found := files(folder, *log)))


def _logs_in(folder: Path) -> list[Log]:
    return [(topic, partition) for topic in TOPICS for partition in archived_partitions(folder, topic)]


class _Logs:
    """The logs of an archive as far as they go now: it may grow while they are read, of one more than of another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = {log: files(folder, *log) for log in _logs_in(folder)}
        self._ends = {log: those[-1].end for log, those in found.items() if those}

    def partitions(self, topic: str) -> list[int]:
        """Those of a topic that have records."""
        return [partition for name, partition in self._ends if name == topic]

    def batches(self, topic: str, partition: int) -> Iterator[pa.RecordBatch]:
        """The records of a log."""
        return read_batches(self._folder, topic, partition, end=self._ends[topic, partition])


def of_archive(folder: Path, reading: Reading) -> Iterator[Batch]:
    """The events of an archive, log by log, without what a worker would reject or drop as a repeat.

    Raises:
        ArchiveError: it is damaged.
    """
    logs = _Logs(folder)
    gone, sent_on = identities_of(_who_is_who(logs, reading.rules)), set(_sent_on(logs))
    clock = told_times(folder, reading.rules)
    reading.clock_ms = clock.last_ms
    for topic in TOPICS:
        for partition in logs.partitions(topic):
            repeats, elsewhere = Repeats(), [offset for *log, offset in sent_on if log == [topic, partition]]
            for rows in _in_parts(logs.batches(topic, partition)):
                written = rows.filter(pa.array(~_redirected(rows)))
                origins = _origins(topic, partition, written)
                found = told(_sent(topic, written, origins), reading.rules, reading.vocabulary, reading.customers)
                kept = _without_repeats(found, repeats, reading)  # among them those of what was sent on
                kept &= ~np.isin(written.column("offset").to_numpy(), elsewhere)
                came_ms = _came_ms(clock, origins, found.facts.time_ms)
                yield batch_of(f"{topic}[{partition}]", found, kept, came_ms, gone)


def _without_repeats(found: Told, repeats: Repeats, reading: Reading) -> NDArray[np.bool_]:
    """Which records are events that take effect; what is left out is counted."""
    at = np.flatnonzero(found.is_event)
    is_repeat = repeats.among(found.facts.id_hash[at], np.zeros(len(at), np.int64))
    kept = found.is_event.copy()
    kept[at[is_repeat]] = False
    reading.rejected.add(found.rejected)
    reading.duplicates += int(is_repeat.sum())
    return kept


def _in_parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, more at once."""
    part: list[pa.RecordBatch] = []
    for batch in batches:
        part.append(batch)
        if sum(each.num_rows for each in part) >= AT_ONCE or sum(each.nbytes for each in part) >= BYTES_AT_ONCE:
            yield from pa.Table.from_batches(part).combine_chunks().to_batches()
            part = []
    if part:
        yield from pa.Table.from_batches(part).combine_chunks().to_batches()


@dataclass(frozen=True)
class _Origins:
    """Where records were first written, shape (records,) each but for `logs`: the log of each is a place there."""

    logs: Sequence[Log]
    log: IntArray
    offset: IntArray
    timestamp_ms: IntArray


def _origins(topic: str, partition: int, rows: Any) -> _Origins:
    if topic != REROUTED:
        timestamps_ms = rows.column("timestamp_ms").to_numpy()
        return _Origins(
            [(topic, partition)], np.zeros(len(rows), np.int64), rows.column("offset").to_numpy(), timestamps_ms
        )
    found = [_origin(topic, partition, record) for record in records_of([rows])]  # few
    logs = list(dict.fromkeys((origin.topic, origin.partition) for origin in found))
    columns = [(logs.index((each.topic, each.partition)), each.offset, each.timestamp_ms) for each in found]
    return _Origins(logs, *np.array(columns, np.int64).reshape(-1, 3).T)


def _sent(topic: str, rows: Any, origins: _Origins) -> Sent:
    return Sent(Values(rows.column("value")), [topic], np.zeros(len(rows), np.int64), origins.timestamp_ms)


def _came_ms(clock: ToldTimes, origins: _Origins, event_ms: IntArray) -> IntArray:
    """When each record took effect where it was written: what was sent on from there came at once."""
    came_ms = event_ms.copy()
    for number, log in enumerate(origins.logs):
        at = np.flatnonzero(origins.log == number)
        came_ms[at] = clock.came_ms(log, origins.offset[at], event_ms[at])
    return came_ms


def _redirected(rows: Any) -> NDArray[np.bool_]:
    """Which records were sent on from an alias: they count where they were written."""
    headers = rows.column("headers")
    found = np.zeros(rows.num_rows, np.bool_)
    is_hops = pc.equal(pc.struct_field(headers.flatten(), "name"), HOPS)
    found[pc.list_parent_indices(headers).to_numpy()[pc.fill_null(is_hops, False).to_numpy(zero_copy_only=False)]] = (
        True
    )
    return found


def _is_redirected(record: ArchivedRecord) -> bool:
    return any(name == HOPS for name, _ in record.headers)


def _origin(topic: str, partition: int, record: ArchivedRecord) -> Origin:
    """Where a record was first written."""
    headers = [(name, value) for name, value in record.headers if value is not None]
    first = origin_of(headers, SOURCE_TOPICS) if topic == REROUTED else None
    return first or Origin(topic, partition, record.offset, record.timestamp)


def _sent_on(logs: _Logs) -> Iterator[tuple[str, int, int]]:
    """Where records lie that came on another partition than their customer's: they count where they were sent on to."""
    for partition in logs.partitions(REROUTED):
        for record in records_of(logs.batches(REROUTED, partition)):
            origin = _origin(REROUTED, partition, record)
            if origin.topic != REROUTED and not _is_redirected(record):
                yield origin.topic, origin.partition, origin.offset


def _who_is_who(logs: _Logs, rules: DecodeRules) -> Iterator[Erasure | Merge]:
    """Erasures and merges; what is certainly a profile is neither."""
    for partition in logs.partitions(PROFILES):
        for rows in _in_parts(logs.batches(PROFILES, partition)):
            sent = _sent(PROFILES, rows, _origins(PROFILES, partition, rows))
            for record in sent.decoded(np.flatnonzero(~taken(sent, rules)), rules):
                if isinstance(record, Erasure | Merge):
                    yield record
