"""A partition as arrays: the engine changes its customers in place, and no store, commit or message log is between."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream.chunk import BoolArray, Models, PartitionCustomers, Records, RowArray, Rules, StreamTimes
from stream.engine import play
from stream.features.facts import EventFacts
from stream.features.layout import ROW, empty
from stream.outcomes.matured import Matured, together
from stream.outcomes.maturity import OPEN, OpenArray
from stream.outcomes.snapshot import Taken
from stream.outcomes.waiting import WaitingOutcomes

_OPEN_ROW = np.dtype(("V", OPEN.itemsize))  # numpy copies such whole


class Partition:
    """What a worker has stored of a partition, and applies events to, day by day.

    Args:
        customers: everybody there will be, in the order in which they come.
        rules: of the engine.

    Attributes:
        states: shape (customers,); all zero of who has not come yet.
    """

    def __init__(self, customers: Sequence[str], rules: Rules) -> None:
        self._customers, self._rules = np.array(customers, np.object_), rules
        self.states = empty(len(customers))
        self._open: OpenArray = np.zeros(0, OPEN)
        self._snapshots: dict[tuple[str, int], Taken] = {}

    def apply(self, facts: EventFacts, before_ms: int, until_ms: int, models: Models) -> Matured | None:
        """Apply the events of a day, then all deadlines up to its end.

        Args:
            facts: in log order; a row is a place among the customers.
            before_ms: stream time of the events: the moment before them.
            until_ms: the moment after them.
            models: in force.

        Returns:
            The labels that have become known; their rows are places among the customers.
        """
        rows = self._touched(facts, until_ms)
        mine = np.isin(self._open["row"], rows)
        given = PartitionCustomers(
            0, self._customers[rows].tolist(), self.states.take(rows), self._opened(mine, rows), self._snapshots
        )
        records = Records(replace(facts, row=np.searchsorted(rows, facts.row)), np.arange(len(facts)))
        times = StreamTimes(np.full(len(facts), before_ms, np.int64), until_ms)
        changes, waiting = play(given, records, times, models, self._rules).told()
        self.states.view(ROW)[rows] = given.states.view(ROW)
        self._keep(waiting, mine, rows, changes.closed_snapshots)
        matured = together(waiting.matured) if waiting.matured else None
        return matured and matured._replace(rows=rows[matured.rows])

    def _touched(self, facts: EventFacts, until_ms: int) -> RowArray:
        due_ms = self.states["decision"]["due_ms"]
        touched = (due_ms != 0) & (due_ms <= until_ms)
        touched[facts.row] = True
        return np.flatnonzero(touched)

    def _opened(self, mine: BoolArray, rows: RowArray) -> OpenArray:
        """The open accumulators of some rows, which become places among these."""
        opened: OpenArray = self._open.view(_OPEN_ROW)[mine].view(OPEN)
        opened["row"] = np.searchsorted(rows, opened["row"])
        return opened

    def _keep(
        self, waiting: WaitingOutcomes, mine: BoolArray, rows: RowArray, closed: Sequence[tuple[str, int]]
    ) -> None:
        """Take over what waits to be known, and forget the snapshots that nobody waits for any more."""
        opened = waiting.open
        opened["row"] = rows[opened["row"]]
        others = self._open.view(_OPEN_ROW)[~mine]
        self._open = np.concatenate([others, opened.view(_OPEN_ROW)]).view(OPEN)
        self._snapshots |= waiting.taken
        for snapshot in closed:
            self._snapshots.pop(snapshot, None)
