"""Watches the labels log for drift, week by week: columns, what the champion says, and how right it is.

Columns are watched on the labels of one outcome that is asked of everybody, and only those that do not grow with a
history. A label belongs to the week in which it matured: where windows are a customer's own, the labels of a week of
snapshots come over half a year, those of short windows first.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from schemas.messages import Label
from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.features.model_columns import STEADY_COLUMNS
from stream.learning.judge import SURE
from stream.learning.recent_ids import RecentIds
from stream.learning.states import decode_state, refuse_other_layout
from stream.learning.weekly_counts import CountsState, WeeklyCounts

WEEK_MS = 7 * DAY_MS
STABILITY_LIMIT = 0.2  # above what chance brings; Siddiqi calls .1 to .25 a minor change
RISE_LIMIT = 4.0  # standard errors; by chance in one of 1,500 weeks (Student's t, 14 degrees of freedom)
RISE_AT_LEAST = 0.02  # nats a label, or probability; less is not worth a person's time
ROWS_AT_LEAST = 200  # of four weeks; fewer move by chance alone
LARGEST_LOGGED, LARGEST_LOGIT = 12.0, 6.0  # more counts in the last bin

Measure = Literal["column_stability", "score_stability", "loss_rise", "calibration_shift"]
COLUMN_STABILITY: Final = "column_stability"
SCORE_STABILITY: Final = "score_stability"
LOSS_RISE: Final = "loss_rise"
CALIBRATION_SHIFT: Final = "calibration_shift"


class Measured(NamedTuple):
    """A measure when a week had ended.

    Attributes:
        measure: `COLUMN_STABILITY`, `SCORE_STABILITY`, `LOSS_RISE` or `CALIBRATION_SHIFT`. Where an outcome becomes
            rarer the loss falls, however wrong the model has become: then it is the last that shows.
        subject: the column, or the outcome.
        week: that has ended, counted from 1970.
        value: the population stability index; nats a label; how much what happens less what was said has moved.
        limit: above it, something has moved.
    """

    measure: Measure
    subject: str
    week: int
    value: float
    limit: float

    @property
    def is_drift(self) -> bool:
        """Whether something has moved."""
        return self.value > self.limit


class DriftState(msgspec.Struct, frozen=True, kw_only=True):
    """A watch as numbers and names."""

    layout: str
    columns: tuple[str, ...]
    counts: dict[str, CountsState]
    moved: list[tuple[str, str]]
    recent: bytes


class DriftWatch:
    """A function of the labels it has been given, in their order.

    Args:
        outcomes: that are watched.
        sampled: the one of them whose labels are a sample of customers.
        candidate: whose stored probabilities are watched.
    """

    def __init__(self, outcomes: Sequence[str], sampled: str, candidate: str) -> None:
        self._sampled, self._candidate = sampled, candidate
        self._counts = {outcome: WeeklyCounts.none(self._subjects(outcome)) for outcome in outcomes}
        self._moved: set[tuple[str, str]] = set()
        self._recent = RecentIds()
        self.measured: dict[tuple[str, str], Measured] = {}
        """(measure, subject) -> what it was when the last week ended."""

    def learn(self, labels: Sequence[Label]) -> list[Measured]:
        """Count labels in their order, and measure whenever a week has ended.

        Passed over: repeats, labels of another layout, and labels from before there was a model.

        Returns:
            What has moved and had not when its week before ended.
        """
        by_outcome: dict[str, list[Label]] = {}
        for label in labels:
            if self._counts_for(label) and self._recent.add(label.message_id):
                by_outcome.setdefault(label.outcome, []).append(label)
        return [moved for outcome, ours in by_outcome.items() for moved in self._learn(outcome, ours)]

    def _learn(self, outcome: str, labels: Sequence[Label]) -> list[Measured]:
        """Count labels of one outcome; what has moved when a week ended."""
        counts, found = self._counts[outcome], list[Measured]()
        weeks = np.array([label.matured_ms // WEEK_MS for label in labels])
        running = np.maximum.accumulate(np.maximum(weeks, counts.week))
        begins = np.flatnonzero(np.diff(running, prepend=counts.week)).tolist()
        for begin, end in pairwise(sorted({0, *begins, len(labels)})):
            if (week := int(running[begin])) > counts.week:
                counts.begin(week)
                found += self._measure(outcome, counts)
            self._count(outcome, counts, labels[begin:end])
        return found

    def _counts_for(self, label: Label) -> bool:
        return label.outcome in self._counts and label.layout == LAYOUT and self._candidate in label.scores

    def _subjects(self, outcome: str) -> int:
        """What the champion says, and columns where they are watched."""
        return 1 + (len(STEADY_COLUMNS) if outcome == self._sampled else 0)

    def _count(self, outcome: str, counts: WeeklyCounts, labels: Sequence[Label]) -> None:
        said = np.clip([label.scores[self._candidate] for label in labels], SURE, 1.0 - SURE)
        happened = np.array([label.value >= 0.5 for label in labels])
        subjects = [np.log(said / (1.0 - said)) + LARGEST_LOGIT]
        if outcome == self._sampled:
            subjects += [*np.array([label.columns for label in labels])[:, _PLACES].T]
        counts.add(np.stack(subjects, axis=1), _LARGEST[: len(subjects)], said, happened)

    def _measure(self, outcome: str, counts: WeeklyCounts) -> list[Measured]:
        found = []
        if stability := counts.stability(ROWS_AT_LEAST):
            (of_scores, *of_columns), chance = stability
            week, limit = counts.week - 1, STABILITY_LIMIT + chance
            found.append(Measured(SCORE_STABILITY, outcome, week, of_scores, limit))
            moved = zip(STEADY_COLUMNS, of_columns, strict=False)
            found += [Measured(COLUMN_STABILITY, column, week, value, limit) for column, value in moved]
        if rises := counts.rises(ROWS_AT_LEAST):
            of_losses, of_surprises = rises
            found.append(_risen(LOSS_RISE, outcome, counts.week - 1, *of_losses))
            found.append(_risen(CALIBRATION_SHIFT, outcome, counts.week - 1, *of_surprises))
        return [each for each in found if self._is_new(each)]

    def _is_new(self, found: Measured) -> bool:
        name = found.measure, found.subject
        self.measured[name] = found
        known = name in self._moved
        if found.is_drift:
            self._moved.add(name)
        elif found.value < found.limit / 2:  # what hovers at its limit is said once
            self._moved.discard(name)
        return found.is_drift and not known

    def to_bytes(self) -> bytes:
        """Everything to go on from."""
        state = DriftState(
            layout=LAYOUT,
            columns=MODEL_COLUMNS,
            counts={outcome: counts.state() for outcome, counts in self._counts.items()},
            moved=sorted(self._moved),
            recent=self._recent.to_bytes(),
        )
        return msgspec.msgpack.encode(state)

    def restored(self, packed: bytes) -> "DriftWatch":
        """One of the same kind that goes on where a packed one was; an outcome that it did not watch begins anew.

        Raises:
            LayoutError: it has counted other columns, or is not a watch's state.
        """
        state = decode_state(packed, DriftState)
        refuse_other_layout("drift", (state.layout, state.columns), (LAYOUT, MODEL_COLUMNS))
        watch = DriftWatch(tuple(self._counts), self._sampled, self._candidate)
        for outcome in self._counts.keys() & state.counts.keys():
            watch._counts[outcome] = WeeklyCounts.restored(state.counts[outcome], self._subjects(outcome))
        watch._moved = set(state.moved)
        watch._recent = RecentIds.from_bytes(state.recent)
        return watch


def _risen(measure: Measure, outcome: str, week: int, by: float, errors: float) -> Measured:
    """A rise of weekly means; calibration may move either way."""
    if measure == CALIBRATION_SHIFT:
        by, errors = abs(by), abs(errors)
    needed = RISE_LIMIT * by / errors if errors else 0.0
    return Measured(measure, outcome, week, by, max(RISE_AT_LEAST, needed))


_PLACES = [MODEL_COLUMNS.index(column) for column in STEADY_COLUMNS]
_LARGEST = np.array(
    [2 * LARGEST_LOGIT, *(LARGEST_LOGGED if column.startswith("log_") else 1.0 for column in STEADY_COLUMNS)]
)
"""Of what the champion says, and of columns."""
