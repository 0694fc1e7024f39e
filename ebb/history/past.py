"""What a partition has applied, read back from an archive: records in the order they took effect, with their times.

The journal says it commit by commit. Where it says nothing (it was not archived in time, or never), the records are
taken and timed as a lane would, without the wall's ticks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.archive.erased import erased_places
from offline.archive.files import JOURNAL, files
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.logs import SET_ASIDE
from schemas.clock import ClockRecord
from schemas.topics import CLOCK, INPUT_TOPICS, REROUTED
from stream.alignment import merged
from stream.bugs import Decode
from stream.ports import LogPosition
from stream.worker.fetched import Fetched
from stream.worker.inbox import Inbox
from stream.worker.journal_entry import JournalEntry, decode_entry
from stream.worker.log_records import LOST, NO_RECORDS, LogRecords, joined, of_topic, written_ms
from stream.worker.lost_commits import without
from stream.worker.timing import LaneLimits, LiveTiming, ReplayTiming, Timing

AT_ONCE = 5_000  # records of a step
NO_LIMIT = 1 << 40
FED_AT_ONCE = 2_000  # records of each topic that wait to be timed

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Records that follow each other, under the same models.

    Attributes:
        records: in the order they took effect.
        times: i8, stream time of each, ms.
        end_ms: stream time after them.
        versions: model -> version in force; None where nobody has noted it.
        renewed: customers that a sweep decided anew; then there are no records.
        postponed: customers whose decisions were put off for a bug, and until when, ms; then there are no records.
        clock_ms: the time of the clock record it ends with, if it does.
        fired: how many deadlines fired before the records, where more were due; 0 for all that were.
        swept: what everybody is decided under after it, where it ended a sweep.
        timeline: of the messages that it has sent from customer to customer; empty where there are none.
        first: topic -> offset at which it goes on, where no journal entry speaks of the records.
    """

    records: LogRecords
    times: IntArray
    end_ms: int
    versions: Mapping[str, str] | None = None
    renewed: Sequence[str] = ()
    clock_ms: int | None = None
    postponed: Mapping[str, int] = field(default_factory=dict)
    fired: int = 0
    swept: str = ""
    timeline: str = ""
    first: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_of_sweep(self) -> bool:
        """Whether a sweep did it."""
        return bool(self.renewed or self.swept)

    @property
    def is_alone(self) -> bool:
        """Whether it goes in no step with others."""
        return self.is_of_sweep or bool(self.postponed or self.fired)


class _Gone(ArchivedRecord, frozen=True, gc=False):
    """Stands where an erasure has taken a record out; its time is that of its place among the topics."""


class _Log:
    """One archived topic-partition, read once from its beginning."""

    def __init__(self, folder: Path, topic: str, partition: int) -> None:
        found = files(folder, topic, partition)
        self.position, self.end = 0, found[-1].end if found else 0
        self._erased = erased_places(folder, topic, partition)
        self._rows = records_of(read_batches(folder, topic, partition))
        self._next = next(self._rows, None)

    def until(self, end: int, at_most: int | None = None) -> list[ArchivedRecord]:
        """The next records before an offset."""
        found: list[ArchivedRecord] = []
        while self._next is not None and self._next.offset < end and (at_most is None or len(found) < at_most):
            found.append(self._next)
            self._next = next(self._rows, None)
        is_cut = at_most is not None and len(found) == at_most
        self.position = found[-1].offset + 1 if is_cut else max(self.position, min(end, self.end))
        return found

    @property
    def has_gone(self) -> bool:
        """Whether an erasure has taken records out of it."""
        return bool(self._erased)

    def applied(self, first: int, end: int) -> list[ArchivedRecord]:
        """The next records before an offset; of those from `first` on also what stands where one was taken out."""
        found = self.until(end)
        if not self._erased:
            return found
        kept = {record.offset for record in found}
        gone = [_Gone(at, time_ms, None, None) for at, time_ms in self._erased if first <= at < end and at not in kept]
        return sorted([*found, *gone], key=attrgetter("offset"))

    def has_before(self, end: int) -> bool:
        """Whether there are records before an offset that were not read."""
        return self._next is not None and self._next.offset < end


@dataclass
class PartitionPast:
    """The past of one partition, to be gone through once, era by era.

    Attributes:
        folder: the archive.
        partition: whose past.
        decode: makes events of values.
        clock: the mode that times what no journal entry does.
        positions: topic -> how far it has been gone through.
        stream_time_ms: up to when.
        unjournaled: records that no journal entry has spoken of.
    """

    folder: Path
    partition: int
    decode: Decode
    clock: str
    positions: dict[str, LogPosition] = field(default_factory=dict)
    stream_time_ms: int = 0
    unjournaled: int = 0
    _version: int = 0
    _logs: dict[str, _Log] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the logs."""
        self._logs = {topic: _Log(self.folder, topic, self.partition) for topic in INPUT_TOPICS}

    @property
    def has_gone(self) -> bool:
        """Whether an erasure has taken records out of it: what is rebuilt says less than it had said."""
        return any(log.has_gone for log in self._logs.values())

    def journaled(self, last_version: int | None = None) -> Iterator[Stretch]:
        """What the journal speaks of, until its end or an entry; it stops where the archive has not the records.

        What is missing in the journal before an entry is timed by `unnoted`.
        """
        end = None if last_version is None else last_version + 1
        for row in records_of(read_batches(self.folder, JOURNAL, self.partition, self._version + 1, end)):
            entry = decode_entry(row.value or b"")
            if any(last > self._logs[topic].end for topic, (_, last) in entry.offsets.items() if topic in self._logs):
                return
            yield from self.unnoted({topic: first for topic, (first, _) in entry.offsets.items()})
            yield self._stretch(entry)
            self._version = entry.version

    def _stretch(self, entry: JournalEntry) -> Stretch:
        parts = {
            topic: self._decoded(topic, self._logs[topic].applied(first, last), entry)
            for topic, (first, last) in entry.offsets.items()
            if topic in self._logs
        }
        records = in_order(parts, entry.in_turn)
        times = np.full(len(records), entry.stream_time_ms, np.int64)
        for first, time_ms in entry.stream_time_runs:
            times[first:] = time_ms
        self._passed(_kept(records), entry.stream_time_ms)
        return Stretch(
            records=records,
            times=times,
            end_ms=entry.stream_time_ms,
            versions=entry.models,
            renewed=entry.renewed,
            clock_ms=_clock_ms(records),
            postponed=entry.postponed,
            fired=entry.fired,
            swept=entry.swept,
            timeline=entry.timeline,
        )

    def _decoded(self, topic: str, raw: Sequence[ArchivedRecord], entry: JournalEntry) -> LogRecords:
        odd: dict[int, object] = {offset: SET_ASIDE for name, offset in entry.set_aside if name == topic}
        odd |= {record.offset: LOST for record in raw if isinstance(record, _Gone)}
        applied = [record for record in raw if record.offset not in odd]
        events = iter(self.decode(topic, [record.value for record in applied], written_ms(topic, applied)))
        decoded = [odd[record.offset] if record.offset in odd else next(events) for record in raw]
        records = of_topic(topic, raw, decoded)
        for place in _gone(records):
            records.order_ms[place] = raw[place].timestamp
        lost = np.isin(records.offset, entry.lost if topic == REROUTED else [])
        return without(records, lost.nonzero()[0].tolist())

    def _passed(self, records: LogRecords, end_ms: int) -> None:
        for topic, place in records.last_places.items():
            self.positions[topic] = records.position_after(place)
        self.stream_time_ms = max(self.stream_time_ms, end_ms)

    def unnoted(self, until: Mapping[str, int] | None = None) -> Iterator[Stretch]:
        """Records that no journal entry speaks of, up to some offsets or to the end, as a lane would take them."""
        ends = {topic: log.end if until is None else until.get(topic, 0) for topic, log in self._logs.items()}
        if not any(self._logs[topic].has_before(end) for topic, end in ends.items()):
            return
        feed = _Feed(self.partition, self._logs, ends, self.decode)
        timing = feed.timing(self.clock, self.stream_time_ms)
        while True:
            batch = timing.take(feed.inbox)
            if batch is not None and batch.records:
                times = timing.times(batch)
                self.unjournaled += len(batch.records)
                self._passed(batch.records, times.end_ms)
                yield Stretch(
                    batch.records, times.of_record, times.end_ms, clock_ms=batch.clock_ms, first=batch.previous
                )
            elif not feed.more():
                break
        left = feed.inbox.take_live(NO_LIMIT, NO_LIMIT) if until is not None else None
        if left is not None:  # of days that had begun, as the entry after them says
            self.unjournaled += len(left.records)
            self._passed(left.records, self.stream_time_ms)
            of_left = np.full(len(left.records), self.stream_time_ms, np.int64)
            yield Stretch(left.records, of_left, self.stream_time_ms, first=left.previous)


class _Feed:
    """Queues of one partition, filled from its archived logs as a consumer would."""

    def __init__(self, partition: int, logs: Mapping[str, _Log], ends: Mapping[str, int], decode: Decode) -> None:
        self._partition, self._logs, self._ends = partition, logs, ends
        self.inbox = Inbox({topic: logs[topic].position for topic in ends}, decode)
        self._last_ms = 0

    def timing(self, clock: str, stream_time_ms: int) -> Timing:
        """The clock of the deployment. The wall stands where the records were written: nothing ticks."""
        limits = LaneLimits(AT_ONCE, NO_LIMIT, NO_LIMIT, tick_ms=NO_LIMIT)
        if clock == "replay":
            return ReplayTiming(stream_time_ms, limits)
        return LiveTiming(stream_time_ms, limits, self._partition, self, lambda: self._last_ms)

    def is_read_to_end(self, tp: tuple[str, int], next_offset: int) -> bool:
        """Whether everything of a topic is queued."""
        return not self._logs[tp[0]].has_before(self._ends[tp[0]])

    def more(self) -> bool:
        """Queue more of each topic that runs low; False when there is nothing more."""
        queued = [self._queue(topic) for topic in self._ends]
        return any(queued)

    def _queue(self, topic: str) -> bool:
        log = self._logs[topic]
        before = self.inbox.tail(topic)
        records = log.until(self._ends[topic], FED_AT_ONCE)
        if records:
            self.inbox.put(Fetched.of(topic, self._partition, before, records))
            self._last_ms = max(self._last_ms, records[-1].timestamp)
        return bool(records)


def in_order(parts: Mapping[str, LogRecords], in_turn: Sequence[str]) -> LogRecords:
    """Records of several topics as they took effect: one topic after the other, or the earliest head first."""
    if in_turn:
        return joined([parts[topic] for topic in in_turn if len(parts[topic])])
    queues = [parts[topic] for topic in INPUT_TOPICS if topic in parts]
    if not queues:
        return NO_RECORDS
    order = merged([queue.order_ms for queue in queues], [False] * len(queues))
    return joined(queues).take(np.argsort(np.argsort(order, kind="stable")))


def _gone(records: LogRecords) -> list[int]:
    """The places of those that an erasure has taken out."""
    return [place for place, raw in enumerate(records.fetched) if isinstance(raw, _Gone)]


def _kept(records: LogRecords) -> LogRecords:
    """Those that the archive has: a log goes on behind the last of them."""
    gone = _gone(records)
    return records.take(np.delete(np.arange(len(records)), gone)) if gone else records


def _clock_ms(records: LogRecords) -> int | None:
    last = records[len(records) - 1] if len(records) else None
    return last.decoded.time_ms if last and last.topic == CLOCK and isinstance(last.decoded, ClockRecord) else None


def coalesced(stretches: Iterator[Stretch], at_most: int = AT_ONCE) -> Iterator[Stretch]:
    """The same in fewer steps: chunks do not show (docs/architecture.md, "Per record, executed in chunks").

    A tick before records is left to them, since their times are not before it. What a sweep did, what was put off,
    other models, a commit that had not room for all deadlines and the end of a day in a replay each begin a step.
    """
    waiting: list[Stretch] = []
    for each in stretches:
        fits = sum(len(stretch.records) for stretch in waiting) + len(each.records) <= at_most
        if waiting and (each.is_alone or not fits or _differ(waiting, each)):
            yield _one(waiting)
            waiting = []
        waiting.append(each)
        if each.is_alone or each.clock_ms is not None:
            yield _one(waiting)
            waiting = []
    if waiting:
        yield _one(waiting)


def _differ(waiting: Sequence[Stretch], each: Stretch) -> bool:
    """Whether it has other models, or has sent in another timeline."""
    sent_in = {stretch.timeline for stretch in (*waiting, each)} - {""}
    return waiting[-1].versions != each.versions or len(sent_in) > 1


def _one(stretches: Sequence[Stretch]) -> Stretch:
    records = [stretch.records for stretch in stretches if len(stretch.records)]
    times = np.concatenate([stretch.times for stretch in stretches])
    first = {topic: offset for stretch in reversed(stretches) for topic, offset in stretch.first.items()}
    end_ms = max(stretch.end_ms for stretch in stretches)
    timeline = max(stretch.timeline for stretch in stretches)  # all that have one have the same
    return replace(stretches[-1], records=joined(records), times=times, end_ms=end_ms, first=first, timeline=timeline)
