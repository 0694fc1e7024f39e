"""The candidates of an outcome judged side by side: over all labels, in blocks to decide by, by 28 days to look at."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.learning.judge import COARSE, FINE, Judge, JudgeState, add_losses
from stream.learning.label_rows import LabelRows
from stream.outcomes.declaration import GRACE_MS
from stream.scoring.documents import FLOORS

BLOCK_BEYOND_HORIZON_DAYS = 7
BLOCKS_KEPT = 24  # three times what a decision needs; two and a half years of `churn_30d`
PERIOD_DAYS = 28
PERIODS_KEPT = 26  # two years
_CLOSES_LATE_MS = (
    GRACE_MS + DAY_MS
)  # the last label of a block matures a grace after its horizon; a day for lanes to tell it

Spans = dict[int, dict[str, Judge]]
"""Number of a span of snapshot time, counted from 1970 -> candidate -> its judge."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
SharedOut = tuple[Spans, list[tuple[int, NDArray[np.intp]]]]
"""Spans, and the numbers of those that labels fall into, with the places of their labels."""


class JudgementState(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement as numbers. `beside` is candidate -> floor -> its log loss over the candidate's labels, summed."""

    block_days: int
    pooled: dict[str, JudgeState]
    beside: dict[str, dict[str, float]]
    blocks: dict[int, dict[str, JudgeState]]
    periods: dict[int, dict[str, JudgeState]]


class Scored(NamedTuple):
    """Labels that carry scores, in their order.

    Attributes:
        snapshot_ms: shape (labels,), when the scores were given.
        happened: shape (labels,), whether the outcome came true.
        said: candidate -> shape (labels,); nan where it had given no score, or where its score does not count.
    """

    snapshot_ms: IntArray
    happened: BoolArray
    said: Mapping[str, FloatArray]


def scored(labels: LabelRows, own: Sequence[str], others: Mapping[str, int]) -> Scored:
    """The scores stored with labels: of those that every candidate of the learner's own has scored.

    Args:
        labels: of one outcome.
        own: the learner's candidates.
        others: further candidates -> a score counts of snapshots after this, in ms.
    """
    said = {name: labels.said(name) for name in (*own, *others)}
    for name, after_ms in others.items():
        said[name][labels.snapshot_ms <= after_ms] = np.nan
    whole = ~np.isnan([said[name] for name in own]).any(axis=0)
    if whole.all():
        return Scored(labels.snapshot_ms, labels.happened, said)
    return Scored(labels.snapshot_ms[whole], labels.happened[whole], {name: each[whole] for name, each in said.items()})


class Judgement:
    """Judges on the scores stored with snapshots, which are a uniform sample of customers and days.

    Args:
        horizon_days: of the outcome; a block is a week longer.
        state: to go on from; one with blocks of another length is not taken up.
    """

    def __init__(self, horizon_days: int, state: JudgementState | None = None) -> None:
        self._horizon_ms = horizon_days * DAY_MS
        self.block_days = horizon_days + BLOCK_BEYOND_HORIZON_DAYS
        self.pooled: dict[str, Judge] = {}
        self.beside: dict[str, dict[str, float]] = {}
        self.blocks: Spans = {}
        self.periods: Spans = {}
        if state is not None and state.block_days == self.block_days:
            self.pooled = {name: Judge(each, FINE) for name, each in state.pooled.items()}
            self.beside = {name: dict(each) for name, each in state.beside.items()}
            self.blocks, self.periods = _restored(state.blocks), _restored(state.periods)

    def closed_before(self, matured_ms: IntArray) -> IntArray:
        """The first block that may still get labels when one has matured at each time: all before it are closed."""
        return (matured_ms - self._horizon_ms - _CLOSES_LATE_MS) // (self.block_days * DAY_MS)

    def add(self, labels: Scored) -> None:
        """Count labels, in their order."""
        days = labels.snapshot_ms // DAY_MS
        spans = [_shared_out(self.blocks, days // self.block_days), _shared_out(self.periods, days // PERIOD_DAYS)]
        for name, said in labels.said.items():
            given = ~np.isnan(said)
            if given.any():
                self._add(name, said, labels, given)
                self._add_to_spans(name, said, labels.happened, given, spans)
        _drop_oldest(self.blocks, BLOCKS_KEPT)
        _drop_oldest(self.periods, PERIODS_KEPT)

    def _add(self, name: str, said: FloatArray, labels: Scored, given: BoolArray) -> None:
        if name not in self.pooled:
            self.pooled[name] = Judge(grid=FINE)
        self.pooled[name].add(said[given], labels.happened[given])
        if name not in FLOORS:
            beside = self.beside.setdefault(name, dict.fromkeys(FLOORS, 0.0))
            for floor in FLOORS:
                beside[floor] = add_losses(beside[floor], labels.said[floor][given], labels.happened[given])

    @staticmethod
    def _add_to_spans(
        name: str, said: FloatArray, happened: BoolArray, given: BoolArray, spans: Sequence[SharedOut]
    ) -> None:
        everybody = bool(given.all())
        for judges, parts in spans:
            for number, part in parts:
                inside = part if everybody else part[given[part]]
                if len(inside):
                    of = judges.setdefault(number, {})
                    if name not in of:
                        of[name] = Judge(grid=COARSE)
                    of[name].add(said[inside], happened[inside])

    def losses_of_floors(self, candidate: str) -> dict[str, float]:
        """Floor -> its mean log loss over the labels that the candidate is judged on; empty of a floor itself."""
        beside = self.beside.get(candidate, {})
        return {floor: loss / self.pooled[candidate].rows for floor, loss in beside.items()}

    @property
    def candidates(self) -> set[str]:
        """Everybody of whom something is known."""
        return set(self.pooled).union(self.beside, *self.blocks.values(), *self.periods.values())

    def forget(self, candidate: str) -> None:
        """Drop what is known of a candidate that is one no more: another may come under its name."""
        self.beside.pop(candidate, None)
        for judges in (self.pooled, *self.blocks.values(), *self.periods.values()):
            judges.pop(candidate, None)

    def state(self) -> JudgementState:
        """Everything to go on from."""
        return JudgementState(
            block_days=self.block_days,
            pooled={name: judge.state() for name, judge in self.pooled.items()},
            beside={name: dict(each) for name, each in self.beside.items()},
            blocks=_states(self.blocks),
            periods=_states(self.periods),
        )


def _shared_out(spans: Spans, numbers: IntArray) -> SharedOut:
    """Which of the spans labels fall into, by the number of each label's."""
    order = np.argsort(numbers, kind="stable")
    distinct, begins = np.unique(numbers[order], return_index=True)
    return spans, list(zip(distinct.tolist(), np.split(order, begins[1:]), strict=True))


def _drop_oldest(spans: Spans, kept: int) -> None:
    for old in sorted(spans)[:-kept]:
        del spans[old]


def _states(spans: Spans) -> dict[int, dict[str, JudgeState]]:
    return {number: {name: judge.state() for name, judge in spans[number].items()} for number in sorted(spans)}


def _restored(states: Mapping[int, Mapping[str, JudgeState]]) -> Spans:
    return {number: {name: Judge(state, COARSE) for name, state in judges.items()} for number, judges in states.items()}


def reliability_by_period(periods: Spans, candidate: str) -> Iterable[tuple[int, Judge]]:
    """(first day since 1970, judge) of each period in which the candidate was judged, the oldest first."""
    return (
        (number * PERIOD_DAYS, periods[number][candidate]) for number in sorted(periods) if candidate in periods[number]
    )
