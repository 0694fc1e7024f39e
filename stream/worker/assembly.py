"""One batch against one partition: what to read, the step, and the commit it becomes. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from schemas.rejection import Rejection
from schemas.topics import INPUT_TOPICS, REROUTED
from schemas.units import DAY_MS
from stream.changes import Changes
from stream.chunk import IntArray, Models, PartitionCustomers, Records, Rules, StreamTimes
from stream.drafts import CopyDraft, Draft, in_order, number
from stream.engine import step
from stream.features.facts import EventFacts
from stream.features.facts_of_events import facts_of
from stream.features.stored import pack
from stream.identities.known import UNKNOWN, Identity
from stream.identities.taking_effect import Present, take_effect
from stream.ports import Commit, Head, LogPosition
from stream.worker.hearing import heard_after
from stream.worker.homes import partitions_of
from stream.worker.inbox import Batch
from stream.worker.journal_entry import JournalEntry, encode_entry
from stream.worker.known_identities import redirected
from stream.worker.loading import Loaded
from stream.worker.log_records import TOPIC_NUMBERS, LogRecords, run_starts
from stream.worker.lost_commits import lost_offsets
from stream.worker.noted_rules import noted
from stream.worker.postponing import postpone
from stream.worker.sorting import Places, Sorted, dead_letter, epoch_passed, facts_at, sent_on, set_aside, shop_totals
from stream.worker.sweeping import NO_RENEWAL, Renewal, make_due

NOBODY_POSTPONED: Mapping[str, int] = {}
NO_FACTS = facts_of([], [])


@dataclass(frozen=True)
class Applied:
    """A commit, and what the worker counts when it succeeds."""

    commit: Commit
    rejections: list[Rejection]
    causes: list["Cause"]

    def caused(self, *, deadlines: bool) -> dict[int, tuple[str, int]]:
        """Sequence -> (topic, time of its cause in ms) of the messages; with `deadlines` also of those of silence."""
        return {
            sequence: (cause.topic, cause.time_ms)
            for (sequence, _), cause in zip(self.commit.outbox, self.causes, strict=True)
            if cause.time_ms and (deadlines or not cause.is_deadline)
        }


@dataclass(frozen=True)
class Cause:
    """What a message is, and the record's Kafka timestamp or the deadline that caused it; 0 where there is neither."""

    kind: str
    topic: str
    time_ms: int
    is_deadline: bool


class Assembly:
    """Turns batches into commits for one partition.

    `timeline` names what is committed from now on, as `schemas.origin.Sender` has it. `live` says that the clock hears
    the records, and what it has heard of them goes into the commit. `says_rules` has the journal tell the rules.
    """

    def __init__(self, partition: int, partitions: int, rules: Rules, *, lockstep: bool, live: bool = False) -> None:
        self._partition, self._partitions = partition, partitions
        self.rules, self._lockstep, self._live = rules, lockstep, live
        self.timeline, self.says_rules = "", True

    def apply(
        self,
        head: Head,
        batch: Batch,
        found: Sorted,
        loaded: Loaded,
        times: StreamTimes,
        models: Models,
        renewal: Renewal = NO_RENEWAL,
        known: Identity = UNKNOWN,
        fired: int = 0,
    ) -> Applied:
        """Run the step and put everything it leads to into one commit. `seen` is left to the caller.

        A record about who a customer is takes effect before the step, which then decides the customer that has grown;
        `known` is what became of that customer's id before. `fired` is for the journal.
        """
        self._take_out_misrouted(found, loaded)
        rows = dict(zip(loaded.customers, range(len(loaded.customers)), strict=True))
        facts = self._facts(found.places, [*map(rows.__getitem__, found.customers)], batch.records)
        guests = self._facts(found.guests, [0] * len(found.guests), batch.records) if len(found.guests) else NO_FACTS
        taking_effect = self._identity_changes(found, loaded, known, times)
        given = PartitionCustomers(self._partition, loaded.customers, loaded.states, loaded.opened, loaded.snapshots)
        if renewal.customers:
            self._make_due(renewal, rows, given, times)
        records = Records(facts, found.places)
        changes = step(given, records, times, models, self.rules)
        if taking_effect is not None:
            _add(changes, taking_effect)
        day = self._epoch_day(head, batch)
        self._add_drafts(changes, batch.records, found, day)
        for name, count in shop_totals(found, facts, guests).items():
            changes.count(name, count)
        changes.drafts = in_order(changes.drafts)
        commit = self._commit(head, batch, changes, times, models, renewal, fired=fired)
        rejections = [rejection for _, rejection in found.invalid]
        return Applied(commit, rejections, _causes(changes.drafts, batch.records))

    def postponed(self, head: Head, loaded: Loaded, until_ms: Mapping[str, int], models: Models) -> Commit:
        """The commit that lets nothing of the loaded customers be due before a time of their own."""
        postpone(loaded.states, loaded.customers, until_ms)
        changes = Changes()
        changes.states = dict(zip(loaded.customers, pack(loaded.states), strict=True))
        changes.deadlines = dict(zip(loaded.customers, loaded.states["decision"]["due_ms"].tolist(), strict=True))
        now = StreamTimes(np.zeros(0, np.int64), head.stream_time_ms)
        return self._commit(head, Batch(), changes, now, models, NO_RENEWAL, postponed=until_ms)

    def _facts(self, places: Places, rows: list[int], records: LogRecords) -> EventFacts:
        return facts_at(places, rows, records, self.rules.vocabulary, self.rules.exponent)

    def _identity_changes(self, found: Sorted, loaded: Loaded, known: Identity, times: StreamTimes) -> Changes | None:
        """What the erasure, merge or arrival changes that this batch is; None where it is none, or wrong."""
        if not found.identities:
            return None
        (place,), records = found.identities, found.records
        record, row = records.decoded[place], loaded.customers.index(records.customer[place])
        home = partitions_of([record.customer_id], self._partitions)[0]
        is_stranger = not loaded.known[row] and known is UNKNOWN and home != self._partition
        if is_stranger and records.topic[place] != TOPIC_NUMBERS[REROUTED]:
            found.misrouted.append((place, record.customer_id))
            return None
        if is_stranger:
            found.invalid.append((place, self._wrong_partition(home)))
            return None
        opened = loaded.opened[loaded.opened["row"] == row]
        state = loaded.states[row : row + 1]
        present = Present(record.customer_id, bool(loaded.known[row]), state, opened, known, self.rules.exponent)
        origin = records[place].origin_on(self._partition)
        effect = take_effect(record, present, origin, int(times.of_record[place]))
        if isinstance(effect, Rejection):
            found.invalid.append((place, effect))
            return None
        return effect

    def _take_out_misrouted(self, found: Sorted, loaded: Loaded) -> None:
        """Take out the events of customers who are not at home here: they are sent on, once.

        A customer with a state is at home; a new one must hash to this partition.
        """
        if loaded.known.all():
            return
        strangers = [loaded.customers[at] for at in (~loaded.known).nonzero()[0].tolist()]
        homes = zip(strangers, partitions_of(strangers, self._partitions), strict=True)
        elsewhere = {customer: home for customer, home in homes if home != self._partition}
        if not elsewhere:
            return
        events = list(zip(found.places.tolist(), found.customers, strict=True))
        at_home = np.array([customer not in elsewhere for customer in found.customers], np.bool_)
        found.places, found.customers = found.places[at_home], [name for _, name in events if name not in elsewhere]
        for place, name in events:
            if name not in elsewhere:
                continue
            if found.records.topic[place] == TOPIC_NUMBERS[REROUTED]:  # whoever wrote it there, it goes no further
                found.invalid.append((place, self._wrong_partition(elsewhere[name])))
            else:
                found.misrouted.append((place, name))

    def _wrong_partition(self, home: int) -> Rejection:
        detail = f"the customer belongs to partition {home}, not {self._partition}; key by customer_id with murmur2"
        return Rejection(reason="wrong_partition", detail=detail, field="customer_id")

    def _epoch_day(self, head: Head, batch: Batch) -> int | None:
        if not self._lockstep or batch.clock_ms is None:
            return None
        day, past = batch.clock_ms // DAY_MS, head.stream_time_ms // DAY_MS
        return day if day > past else None

    def _add_drafts(self, changes: Changes, records: LogRecords, found: Sorted, day: int | None) -> None:
        for index, rejection in found.invalid:
            changes.drafts.append(dead_letter(index, records[index], self._partition, rejection))
        for index, customer in found.misrouted:
            changes.drafts.append(sent_on(index, records[index], self._partition, customer))
        changes.drafts += redirected(found.redirected, records, self._partition)
        if day is not None:
            changes.drafts.append(epoch_passed(len(records), self._partition, day))

    def _make_due(
        self, renewal: Renewal, rows: Mapping[str, int], given: PartitionCustomers, times: StreamTimes
    ) -> None:
        stored = given.states["features"]["first_event_ms"] > 0
        chosen = np.array([rows[customer] for customer in renewal.customers], np.intp)
        make_due(given.states, chosen[stored[chosen]], times.end_ms)

    def _commit(
        self,
        head: Head,
        batch: Batch,
        changes: Changes,
        times: StreamTimes,
        models: Models,
        renewal: Renewal,
        *,
        fired: int = 0,
        postponed: Mapping[str, int] = NOBODY_POSTPONED,
    ) -> Commit:
        positions = dict(head.positions) | batch.positions
        outbox = number(changes.drafts, self._partition, head.sequence, self.timeline)
        holding = [sequence for (sequence, _), draft in zip(outbox, changes.drafts, strict=True) if _holds(draft)]
        timelines = {self.timeline: holding[-1]} if holding else {}
        stream_time_ms = max(head.stream_time_ms, times.end_ms)
        return Commit(
            positions=positions,
            stream_time_ms=stream_time_ms,
            sequence=head.sequence + len(outbox),
            states=changes.states,
            views=changes.views,
            deadlines=changes.deadlines,
            segment_moves=changes.segment_moves,
            risks=changes.risks,
            labels=changes.labels,
            snapshots=changes.snapshots,
            closed_snapshots=changes.closed_snapshots,
            outbox=outbox,
            journal=self._journal(
                head.version + 1,
                batch,
                positions,
                times,
                models,
                renewal,
                fired=fired,
                postponed=postponed,
                timeline="".join(timelines),
            ),
            totals=changes.totals,
            sweep=renewal.progress,
            removed=changes.removed,
            identities=changes.identities,
            timelines=timelines,
            heard=heard_after(head.heard, batch.records, stream_time_ms) if self._live else {},
        )

    def _journal(
        self,
        version: int,
        batch: Batch,
        positions: Mapping[str, LogPosition],
        times: StreamTimes,
        models: Models,
        renewal: Renewal,
        *,
        fired: int,
        postponed: Mapping[str, int],
        timeline: str,
    ) -> bytes:
        """Enough to do the same again: offset ranges, stream times as runs, models in force, who was renewed, what and
        who was set aside, what was sent in which timeline and what is of another."""
        records, aside = batch.records, set_aside(batch.records)
        entry = JournalEntry(
            version=version,
            offsets={topic: (batch.previous[topic], positions[topic].next_offset) for topic in batch.positions},
            stream_time_ms=times.end_ms,
            stream_time_runs=_runs(times.of_record),
            models=models.versions,
            tick=not batch.records and renewal is NO_RENEWAL and not postponed,
            renewed=list(renewal.customers),
            set_aside=[(INPUT_TOPICS[records.topic[place]], int(records.offset[place])) for place in aside],
            set_aside_heard=[(int(records.event_time_ms[at]), int(records.customer_crc32[at])) for at in aside],
            in_turn=records.topics_in_turn,
            postponed=dict(postponed),
            fired=fired,
            swept=renewal.swept,
            timeline=timeline,
            lost=lost_offsets(records),
            rules=noted(self.rules) if self.says_rules else None,
        )
        return encode_entry(entry)


def _add(changes: Changes, effect: Changes) -> None:
    """What a record about who a customer is led to, besides what the step made of it."""
    changes.removed, changes.identities = effect.removed, effect.identities
    changes.closed_snapshots += effect.closed_snapshots
    changes.drafts += effect.drafts
    for name, count in effect.totals.items():
        changes.count(name, count)


def _holds(draft: Draft) -> bool:
    return isinstance(draft, CopyDraft) and draft.holds_with_commit


def _causes(drafts: list[Draft], records: LogRecords) -> list[Cause]:
    """What caused each message."""
    return [_cause(draft, records) for draft in drafts]


def _cause(draft: Draft, records: LogRecords) -> Cause:
    index, spoke, due_ms, _, kind = draft.order
    kind = kind.partition(":")[0]  # a label's goes on with its day
    if not spoke:
        return Cause(kind, draft.topic, due_ms, is_deadline=True)
    return Cause(kind, draft.topic, int(records.timestamp_ms[index]) if index < len(records) else 0, is_deadline=False)


def _runs(times: IntArray) -> list[tuple[int, int]]:
    """(first record, stream time in ms) of each run of equal stream times.

    >>> _runs(np.array([5, 5, 9]))
    [(0, 5), (2, 9)]
    """
    starts = run_starts(times)
    return list(zip(starts.tolist(), times[starts].tolist(), strict=True))
