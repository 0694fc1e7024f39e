"""What a day has made known as the learner takes it, without a message for each label."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.chunk import IntArray
from stream.learning.label_rows import LabelRows
from stream.outcomes.matured import Matured
from stream.outcomes.snapshot import Said, Taken

FloatArray = NDArray[np.float64]


def label_rows(matured: Matured, rank: IntArray, outcomes: Sequence[str]) -> dict[str, LabelRows]:
    """The labels of each outcome in the order of lockstep: by maturity and customer.

    Args:
        matured: labels; of one customer, outcome and time the earlier snapshot comes first in the log.
        rank: of each customer among the ids in alphabetical order.
        outcomes: names of the declared ones.
    """
    snapshots = cast(Sequence[Taken], matured.snapshots)  # a backtest stores none
    columns, scores = np.stack([each.columns for each in snapshots]), _Scores(snapshots)
    found = {}
    for place, outcome in enumerate(outcomes):
        chosen = np.flatnonzero(matured.outcomes == place)
        if len(chosen):
            ours = matured.take(chosen)
            ours = ours.take(np.lexsort((ours.days, rank[ours.rows], ours.matured_ms)))
            candidates, said = scores.of(outcome, ours.taken)
            found[outcome] = LabelRows(
                snapshot_ms=ours.days * np.int64(DAY_MS),
                matured_ms=ours.matured_ms,
                happened=ours.values >= 0.5,
                columns=columns[ours.taken].astype(np.float64),
                candidates=candidates,
                scores=said,
            )
    return found


class _Scores:
    """The scores of snapshots as matrices, one for all that have the same candidates: models change day by day."""

    def __init__(self, snapshots: Sequence[Taken]) -> None:
        groups: dict[int, list[int]] = {}
        for at, snapshot in enumerate(snapshots):
            groups.setdefault(id(snapshot.said), []).append(at)
        self._groups: list[tuple[Said, FloatArray]] = []
        self._group, self._place = np.empty(len(snapshots), np.intp), np.empty(len(snapshots), np.intp)
        for number, members in enumerate(groups.values()):
            self._group[members], self._place[members] = number, np.arange(len(members))
            self._groups.append((snapshots[members[0]].said, np.stack([snapshots[at].scores for at in members])))

    def of(self, outcome: str, taken: NDArray[np.intp]) -> tuple[tuple[str, ...], FloatArray]:
        """The candidates of an outcome, and what they said in snapshots at these places; nan where one did not."""
        known = [said.places.get(outcome, (0, ())) for said, _ in self._groups]
        candidates = tuple(dict.fromkeys(name for _, names in known for name in names))
        scores = np.full((len(taken), len(candidates)), np.nan)
        for number, ((begin, names), (_, matrix)) in enumerate(zip(known, self._groups, strict=True)):
            ours = np.flatnonzero(self._group[taken] == number)
            if len(ours) and names:
                at = np.array([candidates.index(name) for name in names])
                scores[ours[:, None], at] = matrix[self._place[taken[ours]], begin : begin + len(names)]
        return candidates, scores
