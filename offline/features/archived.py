"""The events of an archive of `ebb archive`, once erasures and merges have taken effect."""

from collections.abc import Iterable, Iterator
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
    logs = ((topic, partition) for topic in TOPICS for partition in archived_partitions(folder, topic))
    return sum(found[-1].end - found[0].first for log in logs if (found := files(folder, *log)))


def of_archive(folder: Path, reading: Reading) -> Iterator[Batch]:
    """The events of an archive, log by log, without what a worker would reject or drop as a repeat.

    Raises:
        ArchiveError: it is damaged.
    """
    gone, sent_on = identities_of(_who_is_who(folder, reading.rules)), set(_sent_on(folder))
    for topic in TOPICS:
        for partition in archived_partitions(folder, topic):
            repeats, elsewhere = Repeats(), [offset for *log, offset in sent_on if log == [topic, partition]]
            for rows in _in_parts(read_batches(folder, topic, partition)):
                here = ~(_redirected(rows) | np.isin(rows.column("offset").to_numpy(), elsewhere))
                sent = _sent(topic, partition, rows.filter(pa.array(here)))
                found = told(sent, reading.rules, reading.vocabulary, reading.customers)
                kept = _without_repeats(found, repeats, reading)
                yield batch_of(f"{topic}[{partition}]", found, kept, gone)


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


def _sent(topic: str, partition: int, rows: Any) -> Sent:
    timestamps_ms = rows.column("timestamp_ms").to_numpy()
    if topic == REROUTED:  # few, and each was written elsewhere before
        origins = (_origin(topic, partition, record) for record in records_of([rows]))
        timestamps_ms = np.array([origin.timestamp_ms for origin in origins], np.int64)
    return Sent(Values(rows.column("value")), [topic], np.zeros(len(timestamps_ms), np.int64), timestamps_ms)


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


def _sent_on(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Where records lie that came on another partition than their customer's: they count where they were sent on to."""
    for partition in archived_partitions(folder, REROUTED):
        for record in records_of(read_batches(folder, REROUTED, partition)):
            origin = _origin(REROUTED, partition, record)
            if not _is_redirected(record):
                yield origin.topic, origin.partition, origin.offset


def _who_is_who(folder: Path, rules: DecodeRules) -> Iterator[Erasure | Merge]:
    """Erasures and merges; what is certainly a profile is neither."""
    for partition in archived_partitions(folder, PROFILES):
        for rows in _in_parts(read_batches(folder, PROFILES, partition)):
            sent = _sent(PROFILES, partition, rows)
            for record in sent.decoded(np.flatnonzero(~taken(sent, rules)), rules):
                if isinstance(record, Erasure | Merge):
                    yield record
