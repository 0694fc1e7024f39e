"""The customers of a chunk while it is applied: each method is one stage of a round, called by `stream.engine.step`."""

import numpy as np

from stream.actions.acting import Acting
from stream.announcing import Announcer
from stream.byte_rows import CustomerBytes
from stream.changes import Changes
from stream.chunk import BoolArray, IntArray, Models, PartitionCustomers, Records, RowArray, Rules, StreamTimes
from stream.decisions import Asked, ask_again_ms, decide, joined
from stream.features.fold import fold_keeping
from stream.features.layout import DECISION
from stream.features.stored import stored_form
from stream.outcomes.waiting import WaitingOutcomes
from stream.rounds import NEVER, Stretches, or_never
from stream.showing import Showing
from stream.standing import NONE, Standing, put_back, standing
from stream.verdicts import act

_DEADLINES = ("due_ms", "decide_at_ms", "snapshot_at_ms", "close_at_ms")
_DECIDED = tuple(name for name in DECISION.names or () if name not in ("due_ms", "snapshot_at_ms", "close_at_ms"))
_NOBODY: RowArray = np.zeros(0, np.intp)


class Episodes:
    """States, open outcomes and drafts of a chunk. Rows are positions in `PartitionCustomers.customers`."""

    def __init__(self, given: PartitionCustomers, times: StreamTimes, models: Models, rules: Rules) -> None:
        self._ids, self._states, self._decision = given.customers, given.states, given.states["decision"]
        self._times, self._models, self._rules = times, models, rules
        self._changes = Changes()
        self._announcer = Announcer(given.customers, times, self._changes)
        self._acting = Acting(given.customers, models, rules, self._announcer, self._changes)
        self._outcomes = WaitingOutcomes(given, rules, self._announcer, self._changes)
        self._showing = Showing(given, models, rules)
        self._due_before_ms: IntArray = self._decision["due_ms"].copy()
        self._touched = np.zeros(len(self._ids), np.bool_)
        self._time_ms = np.zeros(len(self._ids), np.int64)  # of each customer's item of the round
        self._fired, self._applied = _NOBODY, _NOBODY

    def fire(self, rows: RowArray) -> None:
        """Begin a round with the rows whose deadline has come."""
        due_ms = self._decision["due_ms"][rows]
        self._time_ms[rows] = due_ms
        self._decision["due_ms"][rows] = 0
        self._touched[rows] = True
        self._announcer.deadlines_fire(rows, due_ms)
        self._fired = rows

    def mature(self) -> None:
        """Close the outcomes of fired rows whose time is over: each becomes a label."""
        rows = self._whose("close_at_ms")
        self._outcomes.mature(rows, self._time_ms[rows])

    def sample(self) -> None:
        """Take the snapshots of fired rows whose sampled midnight has come."""
        rows = self._whose("snapshot_at_ms")
        self._outcomes.sample(rows, self._time_ms[rows], self._models)

    def _whose(self, deadline: str) -> RowArray:
        """The fired rows whose deadline of this name has come."""
        rows: RowArray = self._fired[self._decision[deadline][self._fired] == self._time_ms[self._fired]]
        return rows

    def fold(self, records: Records, stretches: Stretches) -> None:
        """Let stretches of records take effect on features, one after another, and keep what each leaves."""
        self._records, self._stretches, features = records, stretches, self._states["features"]
        self._first_event_ms = features["first_event_ms"].copy()
        self._first_purchase_ms = features["first_purchase_ms"].copy()
        self._kept = fold_keeping(self._states, records.facts, stretches.records, stretches.record_ends - 1)
        self._kept["decision"]["last_decision_ms"] = stretches.again_ms - self._rules.decide_every_ms

    def decide(self) -> None:
        """Score the customers of the round and find when to ask again, after every stretch at once."""
        fired = self._whose("decide_at_ms")
        now_ms = np.maximum(self._time_ms[fired], self._states["features"]["last_event_ms"][fired])
        decided = self._stretches.decided.nonzero()[0]
        decided = decided[np.argsort(self._stretches.ordinal[decided], kind="stable")]
        parts = [
            Asked(fired, self._states.take(fired), now_ms),
            Asked(self._stretches.rows[decided], self._kept.take(decided), self._stretches.now_ms[decided]),
        ]
        self._fired_decided, self._decided = len(fired), decided
        self._asked = joined(parts)
        self._decisions = decide(self._asked, self._models, self._rules)
        self._again_ms = ask_again_ms(self._asked, self._decisions, self._rules)

    def accept(self) -> tuple[RowArray, IntArray]:
        """Let records and decisions take effect, of each customer up to the first that changes what the next goes by.

        Returns:
            The customers whose records took effect, and where in their queues they go on.
        """
        stretches = self._stretches
        stands = self._standing()
        rows = (stands.last != NONE).nonzero()[0]
        if len(rows):
            self._count(rows, stands)
        stand = np.ones(len(self._asked), np.bool_)
        stand[self._fired_decided :] = stands.held[self._decided]
        self._act(stand)
        last = stands.last[rows]
        waits = ~stretches.decided[last]
        self._put_off(rows[waits], stretches.again_ms[last[waits]])
        self._decision["due_ms"][rows] = np.where(stands.due_ms == NEVER, 0, stands.due_ms)[rows]
        self._applied = rows
        return rows, stretches.ends[last]

    def _standing(self) -> Standing:
        due_ms, *others = (or_never(self._decision[name]) for name in ("due_ms", "snapshot_at_ms", "close_at_ms"))
        decide_at_ms, changing = np.zeros(len(self._stretches), np.int64), np.zeros(len(self._stretches), np.bool_)
        decide_at_ms[self._decided] = self._again_ms[self._fired_decided :]
        changing[self._decided] = self._decisions.changing(self._asked)[self._fired_decided :]
        return standing(self._stretches, due_ms, np.minimum(*others), decide_at_ms, changing)

    def _count(self, rows: RowArray, stands: Standing) -> None:
        """Count what took effect, and put customers back to where decisions stand."""
        stretches = self._stretches
        lengths = np.diff(stretches.record_ends, prepend=0)
        records = stretches.records if stands.held.all() else stretches.records[np.repeat(stands.held, lengths)]
        facts, stream_time_ms = self._records.facts.take(records), self._times.of_record[self._records.index[records]]
        self._touched[rows] = True
        self._changes.count("customers", int((self._first_event_ms[rows] == 0).sum()))
        self._outcomes.count(facts, self._first_purchase_ms[facts.row], stream_time_ms)
        put_back(self._states, self._kept, stands.last)
        self._time_ms[rows] = stretches.stream_ms[stands.last_with_records[rows]]
        self._say_why(rows, stands)
        self._outcomes.await_sample(rows, self._time_ms[rows])

    def _say_why(self, rows: RowArray, stands: Standing) -> None:
        """The last decision of each customer is the one that may speak."""
        stretches = self._stretches
        decided = stands.last_decided[rows]
        rows, decided = rows[decided != NONE], decided[decided != NONE]
        late = stretches.puts_off[decided]
        self._announcer.deadlines_fire(rows[late], stretches.stream_ms[decided[late]])
        last_records = stretches.records[stretches.record_ends[decided[~late]] - 1]
        self._announcer.records_apply(rows[~late], self._records.index[last_records])

    def _act(self, stand: BoolArray) -> None:
        """Let decisions that stand take effect."""
        asked, decisions, again_ms = self._asked, self._decisions, self._again_ms
        if not stand.all():
            kept = stand.nonzero()[0]
            asked, again_ms = asked.take(kept), again_ms[kept]
            decisions = decisions.take(kept, asked)
        if not len(asked):
            return
        act(asked, decisions, self._acting)
        asked.block["last_decision_ms"] = asked.now_ms
        asked.block["decide_at_ms"] = again_ms
        for name in _DECIDED:
            self._decision[name][asked.rows] = asked.block[name]
        self._showing.keep(asked, decisions)

    def _put_off(self, rows: RowArray, again_ms: IntArray) -> None:
        """Have customers decided later that were decided too lately."""
        set_ms = self._decision["decide_at_ms"][rows]
        self._decision["decide_at_ms"][rows] = np.minimum(or_never(set_ms), again_ms)

    def reschedule(self) -> None:
        """Give every customer of the round its next deadline."""
        rows = np.concatenate([self._fired, self._applied])
        earliest = np.stack([or_never(self._decision[name][rows]) for name in _DEADLINES]).min(axis=0)
        self._decision["due_ms"][rows] = np.where(earliest == NEVER, 0, earliest)

    def told(self) -> tuple[Changes, WaitingOutcomes]:
        """What was said, and what waits to be known now; for who keeps states as they were given.

        Of the changes states, views, deadlines, labels, snapshots and label messages are missing.
        """
        return self._changes, self._outcomes

    def changes(self) -> Changes:
        """Everything the chunk changed, ready to be stored."""
        rows, changes = np.flatnonzero(self._touched), self._changes
        self._outcomes.say()
        due_ms = self._decision["due_ms"][rows]
        moved = (due_ms != self._due_before_ms[rows]).nonzero()[0]
        ids = [self._ids[row] for row in rows.tolist()]
        changes.states = CustomerBytes(ids, stored_form(self._states.take(rows)))
        changes.deadlines = {ids[at]: due for at, due in zip(moved.tolist(), due_ms[moved].tolist(), strict=True)}
        changes.labels = self._outcomes.stored()
        changes.snapshots = self._outcomes.snapshots()
        changes.views = self._showing.views()
        return changes
