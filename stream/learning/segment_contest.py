"""The centres that might be the segments: the learner's own, and those published from outside.

Nothing that comes true says which centres are better, so no rule promotes any: a person does, who sees how near the
sampled customers are to each candidate's centres, and how many would be called something else. Distances are in the
scales of the learner's own centres, and of each challenger beside those of the own ones, of the same customers.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.messages import ModelDecision
from stream.customers.segments import SEGMENTS, UNSEGMENTED
from stream.learning.championship import Championship, ChampionshipState
from stream.learning.outsiders import Outsiders
from stream.scoring.challengers import SegmentChallenger
from stream.scoring.clusters import Codes, assign, centres_of
from stream.scoring.documents import ONLINE, SegmentDocument

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How centres do on sampled customers they have not been found with.

    Attributes:
        samples: customers, each at a day.
        distance: mean distance to the nearest centre, in standard deviations.
        online_distance: that of the learner's own centres, of the same samples.
        alike: share that is called the same as by the learner's own centres.
        sizes: segment -> samples.
    """

    samples: int = 0
    distance: float = 0.0
    online_distance: float = 0.0
    alike: float = 0.0
    sizes: dict[str, int] = {}


class SegmentContestState(msgspec.Struct, frozen=True, kw_only=True):
    """A contest as numbers and names; `sums` are those of `Fit`, not yet divided by the samples."""

    newest_ms: int
    championship: ChampionshipState
    challengers: dict[str, SegmentChallenger]
    admitted_ms: dict[str, int]
    sums: dict[str, Fit]


class SegmentContest:
    """A function of the samples and decisions it is shown, in their order.

    Args:
        state: to go on from.

    Attributes:
        championship: whose centres are in force.
        newest_ms: the latest maturity of a sample so far.
    """

    def __init__(self, state: SegmentContestState | None = None) -> None:
        self.newest_ms = state.newest_ms if state else 0
        self.championship = Championship(ONLINE, state.championship if state else None)
        self._sums = dict(state.sums) if state else {}
        published, admitted_ms = (state.challengers, state.admitted_ms) if state else ({}, {})
        self._outsiders = Outsiders(self.championship, self._forget, published, admitted_ms)

    @property
    def challengers(self) -> dict[str, SegmentChallenger]:
        """Name -> what was published."""
        return self._outsiders.published

    @property
    def candidates(self) -> tuple[str, ...]:
        """Everybody who takes part."""
        return (ONLINE, *self.challengers)

    def judge(
        self, places: FloatArray, snapshot_ms: IntArray, matured_ms: IntArray, own: SegmentDocument | None
    ) -> None:
        """Count samples.

        Args:
            places: shape (samples, columns), their segment columns.
            snapshot_ms: shape (samples,), when they were taken.
            matured_ms: shape (samples,), when they became known.
            own: the learner's own centres, as given out before these samples were learned; None before the first, when
                nobody is judged.
        """
        self.newest_ms = max(self.newest_ms, int(matured_ms.max(initial=0)))
        if own is None:
            return
        judged = {ONLINE: np.ones(len(places), np.bool_)}
        judged |= {name: snapshot_ms > after_ms for name, after_ms in self._outsiders.judged_after_ms.items()}
        documents = {ONLINE: own} | {name: each.model for name, each in self.challengers.items()}
        named = {name: _named(places, each) for name, each in documents.items()}
        distances = {name: _distances(places, each, own) for name, each in documents.items()}
        for name, which in judged.items():
            if which.any():
                figures = distances[name], distances[ONLINE], 1.0 * (named[name] == named[ONLINE])
                self._add(name, named[name][which], *(figure[which] for figure in figures))

    def _add(self, name: str, codes: Codes, distance: FloatArray, online: FloatArray, alike: FloatArray) -> None:
        before = self._sums.get(name, Fit())
        counts = dict(zip(SEGMENTS, np.bincount(codes, minlength=len(SEGMENTS)).tolist(), strict=True))
        sizes = {each: before.sizes.get(each, 0) + count for each, count in counts.items()}
        self._sums[name] = Fit(
            samples=before.samples + len(codes),
            distance=_added(before.distance, distance),
            online_distance=_added(before.online_distance, online),
            alike=_added(before.alike, alike),
            sizes={each: count for each, count in sizes.items() if count},
        )

    def decide(self, decision: ModelDecision, challenger: SegmentChallenger | None = None) -> str:
        """Do what a person has decided; why it was not done, "" if it was (`Outsiders.decide`)."""
        return self._outsiders.decide(decision, challenger, (ONLINE,), self.newest_ms, {})

    def _forget(self, name: str) -> None:
        self._sums.pop(name, None)

    def fits(self) -> dict[str, Fit]:
        """Candidate -> how it does."""
        return {name: _mean(each) for name, each in self._sums.items()}

    def state(self) -> SegmentContestState:
        """Everything to go on from."""
        return SegmentContestState(
            newest_ms=self.newest_ms,
            championship=self.championship.state(),
            challengers=dict(self.challengers),
            admitted_ms=dict(self._outsiders.admitted_ms),
            sums=dict(self._sums),
        )


def _mean(sums: Fit) -> Fit:
    return msgspec.structs.replace(
        sums,
        distance=sums.distance / sums.samples,
        online_distance=sums.online_distance / sums.samples,
        alike=sums.alike / sums.samples,
    )


def _added(sum_before: float, figures: FloatArray) -> float:
    """One after another, so that it does not depend on how many come at once."""
    return float(np.cumsum(np.append(sum_before, figures))[-1])


def _named(places: FloatArray, document: SegmentDocument) -> Codes:
    return assign(document, places, np.full(len(places), UNSEGMENTED, np.uint8))


def _distances(places: FloatArray, document: SegmentDocument, units: SegmentDocument) -> FloatArray:
    """Of each customer to the nearest centre of a document, in the scales of another."""
    apart = (places[:, None, :] - centres_of(document).places) / np.array(units.scales)
    nearest: FloatArray = np.sqrt((apart**2).sum(axis=2)).min(axis=1)
    return nearest
