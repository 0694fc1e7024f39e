"""Where features come from: files of a known source, an archive of `ebb archive`, or what `ebb simulate` has written.

Each is read as batches of events in the order of their log, without what a worker would reject or drop as a repeat.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from offline.archive.files import files
from offline.archive.files import partitions as archived_partitions
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.duplicates import WINDOW_RECORDS
from offline.features.gone import identities_of
from offline.history import History
from offline.verify import Counted, accepted, counting
from schemas.decode import DecodeRules, decode
from schemas.decode_many import decode_many
from schemas.events import Event, Input
from schemas.identities import Erasure, Merge
from schemas.origin import HOPS, Origin, origin_of
from schemas.partition import partition_of
from schemas.rejection import Rejection
from schemas.topics import PROFILES, REROUTED, SOURCE_TOPICS
from stream.errors import OfflineError

SIMULATED = "events.parquet"
SIMULATED_COLUMNS = ["sent_ms", "topic", "value"]
Log = tuple[str, int]
"""Topic and partition."""

DECODED_AT_ONCE = 512  # one value that needs a closer look slows down so many
AT_ONCE = 50_000  # events decoded together: some 100 MB of objects


@dataclass(frozen=True)
class Batch:
    """Events that follow each other in one log, and the customer each counts for. `log` tells logs apart."""

    log: str
    counted: Sequence[Counted]


@dataclass
class Reading:
    """What a deployment accepts, and what was left out while reading.

    Attributes:
        rules: which records are events.
        partitions: of each input topic; a repeat is known within its partition.
        received_ms: when the records of files count as having been received, ms since 1970.
        rejected: records that no worker would take.
        duplicates: repeats.
    """

    rules: DecodeRules
    partitions: int
    received_ms: int
    rejected: int = 0
    duplicates: int = 0


def is_archive(path: Path) -> bool:
    """Whether a folder is one of `ebb archive`."""
    return path.is_dir() and any(archived_partitions(path, topic) for topic in SOURCE_TOPICS)


def is_simulated(path: Path) -> bool:
    """Whether a folder holds what `ebb simulate --parquet` writes."""
    return (path / SIMULATED).is_file()


def of_history(history: History, reading: Reading) -> Iterator[Batch]:
    """The events of files."""
    taken = accepted(history, reading.partitions, reading.rules, reading.received_ms)
    reading.rejected += taken.rejected
    reading.duplicates += taken.duplicates
    named = counting(taken.events, {})
    for begin in range(0, len(named), AT_ONCE):
        yield Batch("history", named[begin : begin + AT_ONCE])


def of_simulation(folder: Path, reading: Reading) -> Iterator[Batch]:
    """The events of a simulated shop, in the order they were sent.

    Raises:
        OfflineError: the file is damaged.
    """
    repeats = Repeats()
    try:
        with pq.ParquetFile(folder / SIMULATED) as opened:
            for batch in opened.iter_batches(AT_ONCE, columns=SIMULATED_COLUMNS):
                yield Batch("simulated", counting(_without_repeats(_simulated(batch, reading), repeats, reading), {}))
    except (OSError, pa.ArrowInvalid) as error:
        raise OfflineError(
            f"{folder / SIMULATED} cannot be read: {error}. Write it again with ebb simulate."
        ) from error


def events_in_simulation(folder: Path) -> int:
    """How many events `of_simulation` reads."""
    return int(pq.read_metadata(folder / SIMULATED).num_rows)


def _simulated(batch: pa.RecordBatch, reading: Reading) -> list[tuple[Log, Event | None]]:
    """The log and the event of each row, in their order; None for what no worker would take, and of guests."""
    sent, topics = (batch.column(name).to_pylist() for name in ("sent_ms", "topic"))
    values = batch.column("value").cast(pa.binary()).to_pylist()
    found: list[tuple[Log, Event | None]] = [(("", 0), None)] * len(values)
    for topic in set(topics):
        at = [place for place, name in enumerate(topics) if name == topic]
        for begin in range(0, len(at), DECODED_AT_ONCE):
            some = at[begin : begin + DECODED_AT_ONCE]
            decoded = decode_many(topic, [values[i] for i in some], [sent[i] for i in some], reading.rules)
            for place, event in zip(some, decoded, strict=True):
                if isinstance(event, Rejection):
                    reading.rejected += 1
                elif isinstance(event, Event) and event.customer_id is not None:
                    found[place] = (topic, _partition(event.customer_id, reading.partitions)), event
    return found


_partition = lru_cache(1_000_000)(partition_of)


def of_archive(folder: Path, reading: Reading) -> Iterator[Batch]:
    """The events of an archive, log by log, once erasures and merges have taken effect.

    Raises:
        ArchiveError: it is damaged.
    """
    gone, sent_on = identities_of(_who_is_who(folder, reading.rules)), set(_sent_on(folder))
    for topic in (*SOURCE_TOPICS, REROUTED):
        for partition in archived_partitions(folder, topic):
            repeats = Repeats()
            for records in _in_parts(records_of(read_batches(folder, topic, partition))):
                here = [record for record in records if (topic, partition, record.offset) not in sent_on]
                events = [_event(topic, partition, record, reading) for record in here]
                taken = _without_repeats([((topic, partition), event) for event in events], repeats, reading)
                yield Batch(f"{topic}[{partition}]", counting(taken, gone))


def records_in_archive(folder: Path) -> int:
    """About how many records `of_archive` reads."""
    topics = (*SOURCE_TOPICS, REROUTED)
    logs = ((topic, partition) for topic in topics for partition in archived_partitions(folder, topic))
    return sum(found[-1].end - found[0].first for log in logs if (found := files(folder, *log)))


def _in_parts(records: Iterable[ArchivedRecord]) -> Iterator[list[ArchivedRecord]]:
    part: list[ArchivedRecord] = []
    for record in records:
        part.append(record)
        if len(part) == AT_ONCE:
            yield part
            part = []
    yield part


def _event(topic: str, partition: int, record: ArchivedRecord, reading: Reading) -> Event | None:
    """The event of a record; None for what is none, or was sent on from an alias: it counts where it was written."""
    if _is_redirected(record):
        return None
    decoded = _decoded(topic, partition, record, reading.rules)
    reading.rejected += isinstance(decoded, Rejection)
    return decoded if isinstance(decoded, Event) else None


def _is_redirected(record: ArchivedRecord) -> bool:
    return any(name == HOPS for name, _ in record.headers)


def _decoded(topic: str, partition: int, record: ArchivedRecord, rules: DecodeRules) -> Input | Rejection:
    return decode(topic, record.value, _origin(topic, partition, record).timestamp_ms, rules)


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
    for partition in archived_partitions(folder, PROFILES):
        for record in records_of(read_batches(folder, PROFILES, partition)):
            decoded = _decoded(PROFILES, partition, record, rules)
            if isinstance(decoded, Erasure | Merge):
                yield decoded


@dataclass
class Repeats:
    """Which events repeat one of the records before them, log after log, as a worker finds it."""

    window: int = WINDOW_RECORDS
    _last: dict[Log, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    _read: dict[Log, int] = field(default_factory=lambda: defaultdict(int))

    def is_repeat(self, log: Log, event_id: str) -> bool:
        """Whether this record's id is among those of the window before it. It is remembered.

        >>> repeats = Repeats(window=2)
        >>> [repeats.is_repeat(("events.profiles", 0), name) for name in "abacca"]
        [False, False, True, False, True, False]
        """
        known, place = self._last[log], self._read[log]
        self._read[log] = place + 1
        before = known.pop(event_id, None)
        known[event_id] = place
        if len(known) > self.window + 1:
            del known[next(iter(known))]
        return before is not None and place - before <= self.window


def _without_repeats(events: Iterable[tuple[Log, Event | None]], repeats: Repeats, reading: Reading) -> list[Event]:
    kept = []
    for log, event in events:
        if event is not None and repeats.is_repeat(log, event.event_id):
            reading.duplicates += 1
        elif event is not None:
            kept.append(event)
    return kept
