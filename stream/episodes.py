"""The customers of a chunk while it is applied: each method is one stage of a round, in the order of `stream.engine.step`."""

import numpy as np
from numpy.typing import NDArray

from schemas.messages import Label
from schemas.topics import LABELS
from stream.changes import Changes
from stream.chunk import IntArray, Models, PartitionCustomers, Records, Rules, StreamTimes
from stream.decisions import ask_again_ms, decide
from stream.drafts import MessageDraft, Order, message_id
from stream.features.columns import model_matrix
from stream.features.fold import fold
from stream.features.layout import LAYOUT, pack
from stream.outcomes.declaration import ACTIVE_WITHIN_DAYS, DAY_MS, OUTCOMES
from stream.outcomes.maturity import closes_ms, count_events, next_close_ms, open_snapshots, pack_open
from stream.outcomes.sampling import customer_hash, next_sample_ms
from stream.outcomes.snapshot import decode_snapshot, encode_snapshot
from stream.rounds import RowArray
from stream.scoring.serving import score_outcome
from stream.verdicts import Verdicts

NO_ROWS: RowArray = np.zeros(0, np.intp)


class Episodes:
    """States, open outcomes and drafts of a chunk. Rows are positions in `PartitionCustomers.customers`."""

    def __init__(self, given: PartitionCustomers, times: StreamTimes, models: Models, rules: Rules) -> None:
        self._given, self._times, self._models, self._rules = given, times, models, rules
        self._ids = given.customers
        self._states = given.states
        self._decision = given.states["decision"]
        self._hashes = np.array([customer_hash(customer) for customer in given.customers], np.uint64)
        self._open = given.accumulators
        self._open_before = pack_open(self._open)
        self._due_before: IntArray = self._decision["due_ms"].copy()
        self._touched = np.zeros(len(self._ids), np.bool_)
        self._changes = Changes()
        self._verdicts = Verdicts(given, rules, self._changes)
        self._order_of: dict[int, Order] = {}
        self._fired, self._fired_ms = NO_ROWS, np.zeros(0, np.int64)
        self._asked, self._asked_ms = [NO_ROWS], [np.zeros(0, np.int64)]

    def due_ms(self) -> IntArray:
        """Each customer's next deadline, 0 for none."""
        return np.ascontiguousarray(self._decision["due_ms"])

    def fire(self, rows: RowArray) -> None:
        """Begin a round with the rows whose deadline has come."""
        self._fired, self._fired_ms = rows, self._decision["due_ms"][rows]
        self._decision["due_ms"][rows] = 0
        self._touched[rows] = True
        before = np.searchsorted(self._times.of_record, self._fired_ms, side="left")
        self._order_of = {
            int(row): (int(index), 0, int(due), self._ids[row], "")
            for row, index, due in zip(rows, before, self._fired_ms, strict=True)
        }
        deciding = self._decision["decide_at_ms"][rows] == self._fired_ms
        self._asked, self._asked_ms = [rows[deciding]], [self._fired_ms[deciding]]

    def mature(self) -> None:
        """Close the accumulators of fired rows whose time is over: each becomes a label."""
        closing = self._decision["close_at_ms"][self._fired] == self._fired_ms
        rows, now_ms = self._fired[closing], self._fired_ms[closing]
        if not len(rows):
            return
        fired_ms = np.zeros(len(self._ids), np.int64)
        fired_ms[rows] = now_ms
        over = closes_ms(self._open) <= fired_ms[self._open["row"]]
        closed, self._open = self._open[over], self._open[~over]
        for accumulator in closed[np.lexsort((closed["outcome"], closed["day"], closed["row"]))]:
            self._label(accumulator, int(fired_ms[accumulator["row"]]))
        self._drop_finished(closed)
        self._decision["close_at_ms"][rows] = next_close_ms(self._open, rows)

    def _label(self, accumulator: NDArray[np.void], matured_ms: int) -> None:
        row, day = int(accumulator["row"]), int(accumulator["day"])
        customer, outcome = self._ids[row], OUTCOMES[int(accumulator["outcome"])]
        snapshot = decode_snapshot(self._snapshot_of(customer, day))
        fields = {
            "message_id": message_id("label", customer, outcome.name, day),
            "customer_id": customer,
            "outcome": outcome.name,
            "snapshot_ms": day * DAY_MS,
            "matured_ms": matured_ms,
            "value": outcome.value(int(accumulator["hits"])),
            "columns": snapshot.column_values(LAYOUT),
            "scores": snapshot.scores.get(outcome.name, {}),
            "layout": LAYOUT,
        }
        order = (*self._order_of[row][:4], f"label:{day:012d}:{outcome.name}")
        self._changes.drafts.append(MessageDraft(order, LABELS, customer, Label, fields))
        self._changes.count("labels")

    def _snapshot_of(self, customer: str, day: int) -> bytes:
        taken = self._changes.snapshots.get((customer, day))
        return taken if taken is not None else self._given.snapshots[customer, day]

    def _drop_finished(self, closed: NDArray[np.void]) -> None:
        waiting = set(zip(self._open["row"].tolist(), self._open["day"].tolist(), strict=True))
        for row, day in sorted(set(zip(closed["row"].tolist(), closed["day"].tolist(), strict=True)) - waiting):
            self._changes.snapshots.pop((self._ids[row], day), None)
            self._changes.closed_snapshots.append((self._ids[row], day))

    def sample(self) -> None:
        """Take the snapshots of fired rows whose sampled midnight has come, if the customer was active lately."""
        sampling = self._decision["snapshot_at_ms"][self._fired] == self._fired_ms
        rows, now_ms = self._fired[sampling], self._fired_ms[sampling]
        if not len(rows):
            return
        last_purchase_ms = self._states["features"]["last_purchase_ms"][rows]
        active = (last_purchase_ms > 0) & (now_ms - last_purchase_ms <= ACTIVE_WITHIN_DAYS * DAY_MS)
        self._decision["snapshot_at_ms"][rows] = np.where(active, next_sample_ms(self._hashes[rows], now_ms), 0)
        self._take(rows[active], now_ms[active])

    def _take(self, rows: RowArray, now_ms: IntArray) -> None:
        if not len(rows):
            return
        matrix = model_matrix(self._states[rows], now_ms)
        scored = {o.name: score_outcome(self._models.outcomes.get(o.name), matrix).candidates for o in OUTCOMES}
        days = now_ms // DAY_MS
        self._open = open_snapshots(self._open, rows, days)
        self._decision["close_at_ms"][rows] = next_close_ms(self._open, rows)
        waiting = set(zip(self._open["row"].tolist(), self._open["day"].tolist(), strict=True))
        for at, (row, day) in enumerate(zip(rows.tolist(), days.tolist(), strict=True)):
            if (row, day) in waiting:
                scores = {o: {name: float(p[at]) for name, p in by.items()} for o, by in scored.items()}
                self._changes.snapshots[self._ids[row], day] = encode_snapshot(LAYOUT, matrix[at], scores)

    def fold(self, records: Records, chosen: RowArray) -> None:
        """Let the round's records take effect on features and open outcomes; who was decided lately is postponed."""
        if not len(chosen):
            return
        facts = records.facts.take(chosen)
        rows, index = facts.row, records.index[chosen]
        new = self._states["features"]["first_event_ms"][rows] == 0
        fold(self._states, facts)
        count_events(self._open, facts, len(self._ids))
        self._touched[rows] = True
        self._changes.count("customers", int(new.sum()))
        now_ms = np.maximum(self._times.of_record[index], self._states["features"]["last_event_ms"][rows])
        self._await_sample(rows, now_ms)
        self._order_of.update(
            (int(row), (int(at), 1, 0, self._ids[row], "")) for row, at in zip(rows, index, strict=True)
        )
        self._ask(rows, now_ms)

    def _await_sample(self, rows: RowArray, now_ms: IntArray) -> None:
        unset = self._decision["snapshot_at_ms"][rows] == 0
        self._decision["snapshot_at_ms"][rows[unset]] = next_sample_ms(self._hashes[rows[unset]], now_ms[unset])

    def _ask(self, rows: RowArray, now_ms: IntArray) -> None:
        again_ms = self._decision["last_decision_ms"][rows] + self._rules.decide_every_ms
        postponed = now_ms < again_ms
        later = rows[postponed]
        decide_at = self._decision["decide_at_ms"][later]
        self._decision["decide_at_ms"][later] = np.where(
            decide_at == 0, again_ms[postponed], np.minimum(decide_at, again_ms[postponed])
        )
        self._asked.append(rows[~postponed])
        self._asked_ms.append(now_ms[~postponed])

    def decide(self) -> None:
        """Score, segment and alert the customers that were asked for, and note when to ask again."""
        rows, now_ms = np.concatenate(self._asked), np.concatenate(self._asked_ms)
        if not len(rows):
            return
        asked = self._states[rows]
        decisions = decide(asked, now_ms, self._models, self._rules)
        self._verdicts.apply(rows, asked, now_ms, decisions, self._models, self._order_of)
        asked["decision"]["last_decision_ms"] = now_ms
        asked["decision"]["decide_at_ms"] = ask_again_ms(
            asked, decisions.natural, now_ms, self._models, self._rules
        )
        self._decision[rows] = asked["decision"]
        self._verdicts.show(rows, asked, now_ms, decisions)

    def reschedule(self) -> None:
        """Give every customer of the round its next deadline. One that is set is only ever moved earlier."""
        rows = np.unique(np.concatenate([self._fired, np.array(list(self._order_of), np.intp)]))
        deadlines = np.stack([self._decision[name][rows] for name in ("due_ms", *_DEADLINES)])
        never = np.iinfo(np.int64).max
        earliest = np.where(deadlines == 0, never, deadlines).min(axis=0)
        self._decision["due_ms"][rows] = np.where(earliest == never, 0, earliest)

    def changes(self) -> Changes:
        """Everything the chunk changed, ready to be stored."""
        rows = np.flatnonzero(self._touched)
        changes = self._changes
        changes.states = dict(zip((self._ids[row] for row in rows), pack(self._states[rows]), strict=True))
        moved = rows[self._decision["due_ms"][rows] != self._due_before[rows]]
        changes.deadlines = {self._ids[row]: int(self._decision["due_ms"][row]) for row in moved}
        packed = pack_open(self._open)
        for row in rows.tolist():
            if packed.get(row) != self._open_before.get(row):
                changes.labels[self._ids[row]] = packed.get(row, b"")
        self._verdicts.render_views()
        return changes


_DEADLINES = ("decide_at_ms", "snapshot_at_ms", "close_at_ms")
