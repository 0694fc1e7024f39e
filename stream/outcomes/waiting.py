"""Snapshots and open outcomes of a chunk's customers: taken at midnights, counted by events, closed into labels."""

from collections.abc import Iterator, Sequence

import numpy as np

from schemas.messages import Label
from schemas.topics import LABELS
from schemas.units import DAY_MS
from stream.announcing import Announcer
from stream.changes import Changes
from stream.chunk import IntArray, Models, PartitionCustomers, RowArray, Rules
from stream.features.columns import matrix_of, natural
from stream.features.facts import EventFacts
from stream.features.layout import LAYOUT
from stream.outcomes.declaration import ACTIVE_WITHIN_DAYS, GRACE_MS
from stream.outcomes.declared import FORGOTTEN, Asked
from stream.outcomes.lateness import came_too_late
from stream.outcomes.matching import declared_places
from stream.outcomes.matured import Matured
from stream.outcomes.maturity import (
    OpenArray,
    closes_ms,
    count_events,
    in_order,
    next_close_ms,
    open_snapshots,
    pack_open,
)
from stream.outcomes.sampling import HashArray, customer_hashes, next_sample_ms
from stream.outcomes.snapshot import Said, Snapshot, Taken, decode_snapshot
from stream.scoring.linear import FloatArray
from stream.scoring.serving import score_outcomes

_DAYS = 1 << 31  # more than there are days in a stored accumulator


class WaitingOutcomes:
    """What waits to be known of each customer. It keeps the deadlines `snapshot_at_ms` and `close_at_ms` of states."""

    def __init__(self, given: PartitionCustomers, rules: Rules, announcer: Announcer, changes: Changes) -> None:
        self._given, self._announcer, self._changes = given, announcer, changes
        self._outcomes = rules.outcomes
        self._ids: Sequence[str] = given.customers
        self._features, self._decision = given.states["features"], given.states["decision"]
        self._open = given.accumulators
        self._moved = np.zeros(len(given.customers), np.bool_)
        self.taken: dict[tuple[str, int], Taken] = {}
        """(customer, day) -> snapshot, of those taken in this chunk that are waited for."""
        self.matured: list[Matured] = []
        """The labels of each round."""

    def mature(self, rows: RowArray, now_ms: IntArray) -> None:
        """Close what is over: each accumulator becomes a label, and a snapshot nobody waits for goes.

        Args:
            rows: customers whose `close_at_ms` has come.
            now_ms: that time.
        """
        if not len(rows):
            return
        time_ms = np.zeros(len(self._ids), np.int64)
        time_ms[rows] = now_ms
        over = closes_ms(self._open) <= time_ms[self._open["row"]]
        # `take` copies accumulators whole, indexing by a mask field by field
        closed, self._open = in_order(self._open.take(over.nonzero()[0])), self._open.take((~over).nonzero()[0])
        places = declared_places(self._outcomes, closed["outcome"])
        self._changes.count("labels_dropped", int((places == FORGOTTEN).sum()))
        asked = places != FORGOTTEN
        self._close(closed[asked], places[asked], time_ms)
        still_open = self._open.take((time_ms[self._open["row"]] > 0).nonzero()[0])
        for key in self._keys(_left_out(np.unique(_snapshots_of(closed)), _snapshots_of(still_open))):
            self.taken.pop(key, None)
            self._changes.closed_snapshots.append(key)
        self._moved[rows] = True
        self._decision["close_at_ms"][rows] = next_close_ms(still_open, rows)

    def _close(self, closed: OpenArray, places: IntArray, time_ms: IntArray) -> None:
        """Keep what accumulators of the outcomes at these places have come to."""
        distinct, taken = np.unique(_snapshots_of(closed), return_inverse=True)
        records, deadlines_ms = self._announcer.causes(closed["row"])
        self._changes.count("labels", len(closed))
        self.matured.append(
            Matured(
                rows=closed["row"],
                days=closed["day"],
                windows_days=closed["window_days"],
                outcomes=places,
                values=self._outcomes.values(places, closed["hits"], closed["amount_minor"]),
                matured_ms=time_ms[closed["row"]],
                snapshots=[self._snapshot(key) for key in self._keys(distinct)],
                taken=taken,
                records=records,
                deadlines_ms=deadlines_ms,
            )
        )

    def say(self) -> None:
        """Draft a message of each label."""
        for matured in self.matured:
            kinds = [
                f"label:{day:012d}:{self._outcomes.names[place]}"
                for day, place in zip(matured.days.tolist(), matured.outcomes.tolist(), strict=True)
            ]
            fields = matured.fields(self._ids, self._outcomes)
            self._announcer.say_all(LABELS, Label, matured.records, matured.deadlines_ms, kinds, fields)

    def _keys(self, snapshots: IntArray) -> Iterator[tuple[str, int]]:
        """(customer, day) of what `_snapshots_of` gives."""
        rows, days = np.divmod(snapshots, _DAYS)
        return zip((self._ids[row] for row in rows.tolist()), days.tolist(), strict=True)

    def _snapshot(self, key: tuple[str, int]) -> Taken | Snapshot:
        found = self.taken.get(key) or self._given.snapshots[key]
        return decode_snapshot(found).of_layout(LAYOUT) if isinstance(found, bytes) else found

    def sample(self, rows: RowArray, now_ms: IntArray, models: Models) -> None:
        """Take the snapshots of customers who bought within 180 days, with what every candidate says of them.

        A customer of whom something later than this midnight has arrived already gets none: the columns would know what
        the label asks. Who has been silent for too long gets none until it returns.

        Args:
            rows: customers whose `snapshot_at_ms` has come.
            now_ms: that midnight.
            models: what scores the snapshots.
        """
        if not len(rows):
            return
        last_purchase_ms = self._features["last_purchase_ms"][rows]
        active = (last_purchase_ms > 0) & (now_ms - last_purchase_ms <= ACTIVE_WITHIN_DAYS * DAY_MS)
        self._decision["snapshot_at_ms"][rows] = 0
        self.await_sample(rows[active], now_ms[active])
        taken = active & (self._features["last_event_ms"][rows] <= now_ms)
        if taken.any():
            self._take(rows[taken], now_ms[taken], models)

    def await_sample(self, rows: RowArray, stream_time_ms: IntArray) -> None:
        """Set the next sampled midnight after this stream time of the customers who have bought and await none."""
        unset = (self._decision["snapshot_at_ms"][rows] == 0) & (self._features["last_purchase_ms"][rows] > 0)
        if unset.any():
            self._decision["snapshot_at_ms"][rows[unset]] = next_sample_ms(
                self._hashes(rows[unset]), stream_time_ms[unset]
            )

    def _hashes(self, rows: RowArray) -> HashArray:
        return customer_hashes([self._ids[row] for row in rows.tolist()])

    def _take(self, rows: RowArray, now_ms: IntArray, models: Models) -> None:
        features = natural(self._given.states.take(rows), now_ms)
        since_purchase_ms = now_ms - self._features["last_purchase_ms"][rows]
        asked = Asked(since_purchase_ms, features["purchase_days"], features["mean_gap_days"])
        windows_days = self._outcomes.windows_days(asked)
        asked_rows = np.zeros(len(self._ids), np.bool_)
        asked_rows[rows] = True
        theirs = self._open.take(asked_rows[self._open["row"]].nonzero()[0])
        opened = open_snapshots(theirs, rows, now_ms // DAY_MS, windows_days, self._outcomes)
        self._open = np.concatenate([self._open, opened])
        self._changes.count("labels_opened", len(opened))
        self._moved[rows] = True
        self._decision["close_at_ms"][rows] = next_close_ms(np.concatenate([theirs, opened]), rows)
        wanted = np.isin(rows, opened["row"])  # not where every outcome waits for as many as it may, or none asks
        if wanted.any():
            self._write(rows[wanted], now_ms[wanted], matrix_of(features)[wanted], models)

    def _write(self, rows: RowArray, now_ms: IntArray, matrix: FloatArray, models: Models) -> None:
        scored = score_outcomes([models.answering(outcome) for outcome in self._outcomes.outcomes], matrix)
        said = Said.of({name: tuple(of.candidates) for name, of in zip(self._outcomes.names, scored, strict=True)})
        given = [said for of in scored for said in of.candidates.values()]
        scores = np.stack(given, axis=1) if given else np.zeros((len(rows), 0))
        days, columns = (now_ms // DAY_MS).tolist(), matrix.astype("<f4")
        for at, (row, day) in enumerate(zip(rows.tolist(), days, strict=True)):
            self.taken[self._ids[row], day] = Taken(columns[at], scores[at], said)

    def count(
        self, facts: EventFacts, records: RowArray, first_purchase_ms: IntArray, stream_time_ms: IntArray
    ) -> None:
        """Count a round's events in the open outcomes they fall into, and those that came too late for one.

        Args:
            facts: of the chunk.
            records: shape (events,), places among them, sorted by row; an event that came too late is the only one of
                its customer.
            first_purchase_ms: shape (customers,), known of each before the round; 0 for none.
            stream_time_ms: shape (events,), at each event.
        """
        if len(self._open):
            self._moved[self._open["row"][count_events(self._open, facts, records, self._outcomes)]] = True
        old = (facts.time_ms[records] + GRACE_MS <= stream_time_ms).nonzero()[0]
        if len(old):
            late = facts.take(records[old])
            known = first_purchase_ms[late.row], stream_time_ms[old]
            came = came_too_late(late, self._hashes(late.row), *known, self._outcomes)
            self._changes.count("late_label_events", int(came.sum()))

    @property
    def open(self) -> OpenArray:
        """All accumulators that are open, in no order."""
        return self._open

    def snapshots(self) -> dict[tuple[str, int], bytes]:
        """(customer, day) -> what is to be stored of what was taken."""
        return {key: taken.packed(LAYOUT) for key, taken in self.taken.items()}

    def stored(self) -> dict[str, bytes]:
        """Customer -> its open accumulators, empty for none: of everybody whose accumulators were touched."""
        moved = self._moved.nonzero()[0].tolist()
        if not moved:
            return {}
        packed = pack_open(self._open.take(self._moved[self._open["row"]].nonzero()[0]))
        return {self._ids[row]: packed.get(row, b"") for row in moved}


def _left_out(some: IntArray, others: IntArray) -> IntArray:
    """Those of `some`, sorted, that are not among the others, of which there may be many.

    >>> _left_out(np.array([3, 5, 9]), np.array([5, 7, 5])).tolist()
    [3, 9]
    """
    if not len(some):
        return some
    at = np.minimum(np.searchsorted(some, others), len(some) - 1)
    left = np.ones(len(some), np.bool_)
    left[at[some[at] == others]] = False
    return some[left]


def _snapshots_of(accumulators: OpenArray) -> IntArray:
    """A number for the snapshot that each accumulator waits for, in the order of (row, day)."""
    numbers: IntArray = accumulators["row"] * _DAYS + accumulators["day"]
    return numbers
