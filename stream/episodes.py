"""The customers of a chunk while it is applied: each method is one stage of a round, called by `stream.engine.step`."""

from collections.abc import Sequence

import numpy as np

from stream.actions.acting import Acting
from stream.actions.value_at_risk import index
from stream.announcing import Announcer
from stream.byte_rows import CustomerBytes
from stream.changes import Changes
from stream.chunk import BoolArray, IntArray, Models, PartitionCustomers, Records, RowArray, Rules, StreamTimes
from stream.decisions import Asked, Deciding, decide, deciding, joined, once
from stream.features.fold import fold_keeping, foldable
from stream.features.stored import stored_form
from stream.outcomes.waiting import WaitingOutcomes
from stream.rounds import Stretches
from stream.showing import Showing, Shown
from stream.standing import NONE, Standing, decided_again_ms, put_back, reschedule, standing, take_over
from stream.verdicts import act

_NOBODY: RowArray = np.zeros(0, np.intp)
_latest: list[tuple[Models, Rules, Deciding]] = []
"""What the last step was decided by: the next one nearly always is by the same."""


class Episodes:
    """States, open outcomes and drafts of a chunk. Rows are positions in `PartitionCustomers.customers`."""

    def __init__(
        self, given: PartitionCustomers, records: Records, times: StreamTimes, models: Models, rules: Rules
    ) -> None:
        self._given = given
        self._ids, self._states, self._decision = given.customers, given.states, given.states["decision"]
        self._records, self._times, self._models, self._rules = records, times, models, rules
        self._foldable, self._deciding = foldable(records.facts), _decided_by(models, rules)
        self._changes = Changes()
        self._announcer = Announcer(given.customers, times, self._changes)
        self._acting = Acting(given.customers, models, rules, self._announcer, self._changes)
        self._outcomes = WaitingOutcomes(given, rules, self._announcer, self._changes)
        self._showing = Showing(given, self._deciding, rules)
        self._due_before_ms: IntArray = self._decision["due_ms"].copy()
        self._touched = np.zeros(len(self._ids), np.bool_)
        self._time_ms = np.zeros(len(self._ids), np.int64)  # of each customer's item of the round
        self._fired = _NOBODY

    def fire(self, rows: RowArray) -> None:
        """Begin a round with the rows whose deadline has come."""
        self._fired = rows
        if not len(rows):
            return
        due_ms = self._decision["due_ms"][rows]
        self._time_ms[rows] = due_ms
        self._decision["due_ms"][rows] = 0
        self._touched[rows] = True
        self._announcer.deadlines_fire(rows, due_ms)

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
        if not len(self._fired):
            return _NOBODY
        rows: RowArray = self._fired[self._decision[deadline][self._fired] == self._time_ms[self._fired]]
        return rows

    def fold(self, stretches: Stretches) -> None:
        """Let stretches of records take effect on features, one after another, and keep what each leaves."""
        self._stretches, features = stretches, self._states["features"]
        self._first_event_ms = features["first_event_ms"].copy()
        self._first_purchase_ms = features["first_purchase_ms"].copy()
        self._kept = fold_keeping(self._states, self._foldable, stretches.records, stretches.record_ends - 1)
        self._kept["decision"]["last_decision_ms"] = stretches.again_ms - self._rules.decide_every_ms

    def decide(self) -> None:
        """Score the customers of the round and find when to ask again, after every stretch at once."""
        fired, decided = self._whose("decide_at_ms"), self._stretches.decided.nonzero()[0]
        decided = decided[self._stretches.ordinal[decided].argsort(kind="stable")]
        asked = Asked(
            self._stretches.rows[decided], self._kept.take(decided), self._stretches.now_ms[decided],
            decided_again_ms(self._stretches)[decided],
        )  # fmt: skip
        if len(fired):
            now_ms = np.maximum(self._time_ms[fired], self._states["features"]["last_event_ms"][fired])
            asked = joined([once(fired, self._states.take(fired), now_ms), asked])
        self._fired_decided, self._decided = len(fired), decided
        self._asked, self._decisions = asked, decide(asked, self._deciding)

    def accept(self) -> tuple[RowArray, IntArray]:
        """Let records and decisions take effect, of each customer up to the first that changes what the next goes by.

        Returns:
            The customers whose records took effect, and where in their queues they go on.
        """
        stands = self._stands = self._standing()
        if len(stands.rows):
            self._count(stands)
        stand = np.ones(len(self._asked), np.bool_)
        stand[self._fired_decided :] = stands.held[self._decided]
        self._act(stand)
        return stands.rows, self._stretches.ends[stands.last]

    def _standing(self) -> Standing:
        again_ms, changing = self._decisions.again_ms, self._decisions.changing
        of_stretches = slice(self._fired_decided, None)
        return standing(self._states, self._stretches, self._decided, again_ms[of_stretches], changing[of_stretches])

    def _count(self, stands: Standing) -> None:
        """Count what took effect, and put customers back to where decisions stand."""
        rows, stretches, records = stands.rows, self._stretches, self._taken(stands.held)
        stream_time_ms = self._times.of_record[self._records.index[records]]
        self._touched[rows] = True
        self._changes.count("customers", int((self._first_event_ms[rows] == 0).sum()))
        self._outcomes.count(self._records.facts, records, self._first_purchase_ms, stream_time_ms)
        put_back(self._states, self._kept, rows, stands.last)
        stream_ms = stretches.stream_ms[stands.last_with_records]
        self._time_ms[rows] = stream_ms
        self._say_why(stands)
        self._outcomes.await_sample(rows, stream_ms)

    def _taken(self, held: BoolArray) -> RowArray:
        """The records of stretches that are held."""
        if held.all():
            return self._stretches.records
        lengths = np.diff(self._stretches.record_ends, prepend=0)
        taken: RowArray = self._stretches.records[np.repeat(held, lengths)]
        return taken

    def _say_why(self, stands: Standing) -> None:
        """The last decision of each customer is the one that may speak."""
        stretches, is_decided = self._stretches, stands.last_decided != NONE
        rows, decided = stands.rows[is_decided], stands.last_decided[is_decided]
        last_records = stretches.records[stretches.record_ends[decided] - 1]
        self._announcer.records_apply(rows, self._records.index[last_records])
        late = stretches.puts_off[decided].nonzero()[0]
        if len(late):
            self._announcer.deadlines_fire(rows[late], stretches.stream_ms[decided[late]])

    def _act(self, stand: BoolArray) -> None:
        """Let decisions that stand take effect."""
        asked, decisions = self._asked, self._decisions
        if not stand.all():
            kept = stand.nonzero()[0]
            asked, decisions = asked.take(kept), decisions.take(kept)
        if not len(asked):
            return
        act(asked, decisions, self._acting)
        asked.block["last_decision_ms"] = asked.now_ms
        asked.block["decide_at_ms"] = decisions.again_ms
        take_over(self._states, asked.rows, asked.states)
        self._showing.keep(asked, decisions)

    def reschedule(self) -> None:
        """Give every customer of the round its next deadline."""
        reschedule(self._states, self._fired, self._stands, self._stretches)

    def told(self) -> tuple[Changes, WaitingOutcomes]:
        """What was said, and what waits to be known now; for who keeps states as they were given.

        Of the changes states, views, deadlines, labels, snapshots and label messages are missing.
        """
        return self._changes, self._outcomes

    def changes(self) -> Changes:
        """Everything the chunk changed, ready to be stored."""
        newest = self._showing.newest()
        self._index(newest)
        rows, changes = self._touched.nonzero()[0], self._changes
        everybody = len(rows) == len(self._ids)
        self._outcomes.say()
        due_ms = self._decision["due_ms"][rows]
        moved = (due_ms != self._due_before_ms[rows]).nonzero()[0]
        ids = [*self._ids] if everybody else [self._ids[row] for row in rows.tolist()]
        changes.states = CustomerBytes(ids, stored_form(self._states if everybody else self._states.take(rows)))
        changes.deadlines = {ids[at]: due for at, due in zip(moved.tolist(), due_ms[moved].tolist(), strict=True)}
        changes.labels = self._outcomes.stored()
        changes.snapshots = self._outcomes.snapshots()
        changes.views = self._showing.views(newest)
        return changes

    def _index(self, newest: Sequence[Shown]) -> None:
        """Let the index of customers by value at risk follow."""
        for asked, _, ahead in newest:
            index(asked, ahead, self._given, self._rules.exponent, self._changes)
            self._decision["risk_shown"][asked.rows] = asked.block["risk_shown"]


def _decided_by(models: Models, rules: Rules) -> Deciding:
    """`deciding`, put together when models or rules are others than those of the last step."""
    for known_models, known_rules, known in _latest:
        if known_models is models and known_rules is rules:
            return known
    made = deciding(models, rules)
    _latest[:] = [(models, rules, made)]
    return made
