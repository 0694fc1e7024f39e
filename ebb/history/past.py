"""What a partition has applied, read back from an archive: records in the order they took effect, with their times.

The journal says it commit by commit. Where it says nothing (it was not archived in time, or never), the records are
taken and timed as a lane would, without the wall's ticks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ebb.history.archived_log import SET_ASIDE, ArchivedLog, Gone, gone_places
from ebb.history.feed import Feed
from ebb.history.stretches import IntArray, Stretch
from offline.archive.files import JOURNAL
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from schemas.clock import ClockRecord
from schemas.topics import CLOCK, INPUT_TOPICS, REROUTED
from stream.alignment import merged, orders_ms
from stream.bugs import Decode
from stream.ports import LogPosition, with_heard
from stream.worker.hearing import heard_after
from stream.worker.journal_entry import JournalEntry, decode_entry
from stream.worker.log_records import LOST, NO_RECORDS, LogRecords, joined, of_topic, written_ms
from stream.worker.lost_commits import without
from stream.worker.noted_rules import NotedRules


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
        heard: what the live clock has heard of each topic by then.
        unjournaled: records that no journal entry has spoken of.
        rules: that the journal has told last.
    """

    folder: Path
    partition: int
    decode: Decode
    clock: str
    positions: dict[str, LogPosition] = field(default_factory=dict)
    stream_time_ms: int = 0
    heard: Mapping[str, bytes] = field(default_factory=dict)
    unjournaled: int = 0
    rules: NotedRules | None = None
    _version: int = 0
    _logs: dict[str, ArchivedLog] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the logs."""
        self._logs = {topic: ArchivedLog(self.folder, topic, self.partition) for topic in INPUT_TOPICS}

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
            if entry.rules is not None and entry.rules != self.rules:
                self.rules = entry.rules
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
        self._passed(records, entry.stream_time_ms)
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
            rules=self.rules,
        )

    def _decoded(self, topic: str, raw: Sequence[ArchivedRecord], entry: JournalEntry) -> LogRecords:
        odd: dict[int, object] = {offset: SET_ASIDE for name, offset in entry.set_aside if name == topic}
        odd |= {record.offset: LOST for record in raw if isinstance(record, Gone)}
        applied = [record for record in raw if record.offset not in odd]
        events = iter(self.decode(topic, [record.value for record in applied], written_ms(topic, applied)))
        decoded = [odd[record.offset] if record.offset in odd else next(events) for record in raw]
        records = of_topic(topic, raw, decoded)
        _hear_set_aside(records, topic, entry)
        for place in gone_places(records):
            records.order_ms[place] = raw[place].timestamp
        lost = np.isin(records.offset, entry.lost if topic == REROUTED else [])
        return without(records, lost.nonzero()[0].tolist())

    def _passed(self, records: LogRecords, end_ms: int) -> None:
        kept = _kept(records)
        for topic, place in kept.last_places.items():
            self.positions[topic] = kept.position_after(place)
        self.stream_time_ms = max(self.stream_time_ms, end_ms)
        if self.clock == "live":
            self.heard = with_heard(self.heard, heard_after(self.heard, records, self.stream_time_ms))

    def unnoted(self, until: Mapping[str, int] | None = None) -> Iterator[Stretch]:
        """Records that no journal entry speaks of, up to some offsets or to the end, as a lane would take them."""
        ends = {topic: log.end if until is None else until.get(topic, 0) for topic, log in self._logs.items()}
        if not any(self._logs[topic].has_before(end) for topic, end in ends.items()):
            return
        feed = Feed(self.partition, self._logs, ends, self.decode)
        timing = feed.timing(self.clock, self.stream_time_ms, self.heard)
        while True:
            batch = timing.take(feed.inbox)
            if batch is not None and batch.records:
                times = timing.times(batch)
                stretch = self._unjournaled(batch.records, times.of_record, times.end_ms, batch.previous)
                yield replace(stretch, clock_ms=batch.clock_ms)
            elif not feed.more():
                break
        left = feed.left() if until is not None else None
        if left is not None:  # of days that had begun, as the entry after them says
            at_ms = self.stream_time_ms
            yield self._unjournaled(left.records, np.full(len(left.records), at_ms, np.int64), at_ms, left.previous)

    def _unjournaled(self, records: LogRecords, times: IntArray, end_ms: int, first: Mapping[str, int]) -> Stretch:
        self.unjournaled += len(records)
        self._passed(records, end_ms)
        return Stretch(records, times, end_ms, rules=self.rules, first=first)


def in_order(parts: Mapping[str, LogRecords], in_turn: Sequence[str]) -> LogRecords:
    """Records of several topics as they took effect: one topic after the other, or the earliest head first."""
    if in_turn:
        return joined([parts[topic] for topic in in_turn if len(parts[topic])])
    queues = [parts[topic] for topic in INPUT_TOPICS if topic in parts]
    if not queues:
        return NO_RECORDS
    order = merged([queue.order_ms for queue in queues], [False] * len(queues))
    return joined(queues).take(np.argsort(np.argsort(order, kind="stable")))


def _hear_set_aside(records: LogRecords, topic: str, entry: JournalEntry) -> None:
    """Put in when records of a topic were that have been set aside, and whose, as far as the clock had heard it."""
    for (name, offset), (time_ms, crc32) in zip(entry.set_aside, entry.set_aside_heard, strict=False):
        if name == topic:
            place = records.offset == offset
            records.event_time_ms[place], records.customer_crc32[place] = time_ms, crc32
            records.order_ms[place] = orders_ms(records.event_time_ms[place], records.timestamp_ms[place])


def _kept(records: LogRecords) -> LogRecords:
    """Those that the archive has: a log goes on behind the last of them."""
    gone = gone_places(records)
    return records.take(np.delete(np.arange(len(records)), gone)) if gone else records


def _clock_ms(records: LogRecords) -> int | None:
    last = records[len(records) - 1] if len(records) else None
    return last.decoded.time_ms if last and last.topic == CLOCK and isinstance(last.decoded, ClockRecord) else None
