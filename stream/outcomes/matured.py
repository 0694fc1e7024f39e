"""Outcomes that have become known, as columns; a message or a row to learn from is made of each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.drafts import message_id
from stream.features.layout import LAYOUT
from stream.outcomes.declared import DeclaredOutcomes
from stream.outcomes.snapshot import Snapshot, Taken

IntArray = NDArray[np.int64]


class Matured(NamedTuple):
    """n labels that a round has brought, in no order that means anything.

    Attributes:
        rows: shape (n,), the customers' places in the chunk.
        days: shape (n,), of the snapshots, since 1970.
        windows_days: shape (n,), how long each was waited for.
        outcomes: shape (n,), places among the declared ones.
        values: shape (n,), 1 where the outcome came true, else 0.
        matured_ms: shape (n,), stream time.
        snapshots: what was known then; that of label i is `snapshots[taken[i]]`.
        taken: shape (n,).
        records, deadlines_ms: shape (n,), what made it known, as `stream.announcing` has it.
    """

    rows: IntArray
    days: IntArray
    windows_days: IntArray
    outcomes: IntArray
    values: NDArray[np.float64]
    matured_ms: IntArray
    snapshots: Sequence[Taken | Snapshot]
    taken: NDArray[np.intp]
    records: IntArray
    deadlines_ms: IntArray

    def fields(self, customers: Sequence[str], declared: DeclaredOutcomes) -> Iterator[Mapping[str, Any]]:
        """The fields of each label message but partition and sequence.

        Args:
            customers: id of each row.
            declared: the outcomes.
        """
        names, questions = declared.names, declared.codes.tolist()
        columns = [snapshot.listed() for snapshot in self.snapshots]
        each = (self.rows, self.days, self.windows_days, self.outcomes, self.values, self.matured_ms, self.taken)
        for row, day, window_days, place, value, matured_ms, at in zip(*(c.tolist() for c in each), strict=True):
            customer, outcome = customers[row], names[place]
            yield {
                "message_id": message_id("label", customer, outcome, day),
                "customer_id": customer,
                "outcome": outcome,
                "snapshot_ms": day * DAY_MS,
                "matured_ms": matured_ms,
                "horizon_ms": (day + window_days) * DAY_MS,
                "value": value,
                "columns": columns[at],
                "scores": self.snapshots[at].scores_of(outcome),
                "layout": LAYOUT,
                "question": questions[place],
            }

    def take(self, which: NDArray[np.intp]) -> "Matured":
        """Some of them, in this order."""
        fields = self._asdict()
        return Matured(**{name: of if name == "snapshots" else of[which] for name, of in fields.items()})


def together(parts: Sequence[Matured]) -> Matured:
    """All labels of some rounds, at least one."""
    begins = np.cumsum([0, *(len(part.snapshots) for part in parts)])
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Matured._fields
        if name not in ("snapshots", "taken")
    }
    taken = np.concatenate([part.taken + begin for part, begin in zip(parts, begins, strict=False)])
    return Matured(**columns, snapshots=[each for part in parts for each in part.snapshots], taken=taken)
