"""The customers of a chunk while it is applied: each method is one stage of a round, called by `stream.engine.step`."""

import numpy as np

from stream.actions.acting import Acting
from stream.announcing import Announcer
from stream.changes import Changes
from stream.chunk import IntArray, Models, PartitionCustomers, Records, RowArray, Rules, StreamTimes
from stream.decisions import Asked, ask_again_ms, decide
from stream.features.fold import fold
from stream.features.layout import pack
from stream.outcomes.waiting import WaitingOutcomes
from stream.showing import Showing
from stream.verdicts import act

_DEADLINES = ("due_ms", "decide_at_ms", "snapshot_at_ms", "close_at_ms")
_NOBODY: RowArray = np.zeros(0, np.intp)
_NEVER = np.iinfo(np.int64).max


class Episodes:
    """States, open outcomes and drafts of a chunk. Rows are positions in `PartitionCustomers.customers`."""

    def __init__(self, given: PartitionCustomers, times: StreamTimes, models: Models, rules: Rules) -> None:
        self._ids, self._states, self._decision = given.customers, given.states, given.states["decision"]
        self._times, self._models, self._rules = times, models, rules
        self._changes = Changes()
        self._announcer = Announcer(given.customers, times, self._changes)
        self._acting = Acting(given.customers, models, rules, self._announcer, self._changes)
        self._outcomes = WaitingOutcomes(given, self._announcer, self._changes)
        self._showing = Showing(given, rules)
        self._due_before_ms: IntArray = self._decision["due_ms"].copy()
        self._touched = np.zeros(len(self._ids), np.bool_)
        self._time_ms = np.zeros(len(self._ids), np.int64)  # of each customer's item of the round
        self._fired, self._applied, self._asked = _NOBODY, _NOBODY, _NOBODY

    def fire(self, rows: RowArray) -> None:
        """Begin a round with the rows whose deadline has come."""
        due_ms = self._decision["due_ms"][rows]
        self._time_ms[rows] = due_ms
        self._decision["due_ms"][rows] = 0
        self._touched[rows] = True
        self._announcer.deadlines_fire(rows, due_ms)
        self._fired, self._applied = rows, _NOBODY
        self._asked = self._whose("decide_at_ms")

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

    def fold(self, records: Records, chosen: RowArray, lasts: RowArray) -> None:
        """Let the round's records take effect on features and open outcomes, and ask for decisions.

        Args:
            records: of the chunk.
            chosen: places of the round's records, each customer's together and in log order.
            lasts: which of `chosen` are their customers' last.
        """
        if not len(chosen):
            return
        facts, index, features = records.facts.take(chosen), records.index[chosen], self._states["features"]
        rows, stream_time_ms = facts.row[lasts], self._times.of_record[index]
        self._applied, self._time_ms[rows] = rows, stream_time_ms[lasts]
        self._announcer.records_apply(rows, index[lasts])
        self._changes.count("customers", int((features["first_event_ms"][rows] == 0).sum()))
        self._outcomes.count(facts, features["first_purchase_ms"][facts.row], stream_time_ms)
        fold(self._states, facts)
        self._outcomes.await_sample(rows, self._time_ms[rows])
        self._touched[rows] = True
        self._postpone("due_ms", rows[np.diff(lasts, prepend=-1) > 1])
        self._ask(rows)

    def _now_ms(self, rows: RowArray) -> IntArray:
        """Never before the last event: stream time lags behind it, in a replay until the next midnight."""
        now_ms: IntArray = np.maximum(self._time_ms[rows], self._states["features"]["last_event_ms"][rows])
        return now_ms

    def _ask(self, rows: RowArray) -> None:
        """Have the rows decided in this round; who was decided lately is postponed."""
        early = self._now_ms(rows) < self._again_ms(rows)
        self._asked = np.concatenate([self._asked, rows[~early]])
        self._postpone("decide_at_ms", rows[early])

    def _again_ms(self, rows: RowArray) -> IntArray:
        """From when on they may be decided again."""
        again_ms: IntArray = self._decision["last_decision_ms"][rows] + self._rules.decide_every_ms
        return again_ms

    def _postpone(self, deadline: str, rows: RowArray) -> None:
        """Set a deadline to when they may be decided again, unless it is earlier."""
        again_ms, set_ms = self._again_ms(rows), self._decision[deadline][rows]
        self._decision[deadline][rows] = np.where(set_ms == 0, again_ms, np.minimum(set_ms, again_ms))

    def decide(self) -> None:
        """Score, segment and alert the customers that were asked for, and note when to ask again."""
        rows = self._asked
        if not len(rows):
            return
        asked = Asked(rows, self._states[rows], self._now_ms(rows))
        decisions = decide(asked, self._models, self._rules)
        act(asked, decisions, self._acting)
        asked.block["last_decision_ms"] = asked.now_ms
        asked.block["decide_at_ms"] = ask_again_ms(asked, decisions.natural, self._models, self._rules)
        self._decision[rows] = asked.block
        self._showing.keep(asked, decisions)

    def reschedule(self) -> None:
        """Give every customer of the round its next deadline. One that is set is only ever moved earlier."""
        rows = np.concatenate([self._fired, self._applied])
        deadlines = np.stack([self._decision[name][rows] for name in _DEADLINES])
        earliest = np.where(deadlines == 0, _NEVER, deadlines).min(axis=0)
        self._decision["due_ms"][rows] = np.where(earliest == _NEVER, 0, earliest)

    def changes(self) -> Changes:
        """Everything the chunk changed, ready to be stored."""
        rows, changes = np.flatnonzero(self._touched), self._changes
        due_ms = self._decision["due_ms"][rows]
        moved = due_ms != self._due_before_ms[rows]
        ids = [self._ids[row] for row in rows.tolist()]
        changes.states = dict(zip(ids, pack(self._states[rows]), strict=True))
        changes.deadlines = {
            customer: due for customer, due, has in zip(ids, due_ms.tolist(), moved.tolist(), strict=True) if has
        }
        changes.labels = self._outcomes.stored()
        changes.views = self._showing.views()
        return changes
