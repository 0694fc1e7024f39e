"""Watches the labels of an outcome for drift, week by week: columns, what a candidate says, and how right it is.

Columns are watched on the labels of one outcome that is asked of everybody, and only those that do not grow with a
history. A label belongs to the week in which it matured: where windows are a customer's own, the labels of a week of
snapshots come over half a year, those of short windows first.
"""

from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS
from stream.features.model_columns import STEADY_COLUMNS
from stream.learning.judge import SURE
from stream.learning.label_rows import LabelRows
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


def by_week(labels: LabelRows) -> list[LabelRows]:
    """Labels in their order, at least one, cut where one matured in a later week than all before it."""
    week = labels.matured_ms // WEEK_MS
    if week[0] == week.max():  # as nearly always
        return [labels]
    begins = (np.flatnonzero(np.diff(np.maximum.accumulate(week))) + 1).tolist()
    return [labels.part(begin, end) for begin, end in pairwise((0, *begins, len(labels)))]


class Measured(NamedTuple):
    """A measure when a week had ended.

    Attributes:
        measure: `COLUMN_STABILITY`, `SCORE_STABILITY`, `LOSS_RISE` or `CALIBRATION_SHIFT`. Where an outcome becomes
            rarer the loss falls, however wrong the model has become: then it is the last that shows.
        subject: the column, or the outcome.
        week: that has ended, counted from 1970.
        value: the population stability index; nats a label; how much what happens less what was said has moved.
        limit: above it, something has moved.
        is_news: whether it is drift and was none when the week before had ended.
    """

    measure: Measure
    subject: str
    week: int
    value: float
    limit: float
    is_news: bool = False

    @property
    def is_drift(self) -> bool:
        """Whether something has moved."""
        return self.value > self.limit


class DriftState(msgspec.Struct, frozen=True, kw_only=True):
    """A watch as numbers and names; `subjects` is what it had histograms of."""

    subjects: int
    counts: CountsState
    moved: list[tuple[str, str]]
    measured: list[Measured]


class DriftWatch:
    """A function of the labels it has been given, in their order.

    Args:
        outcome: whose labels they are.
        candidate: whose stored probabilities are watched.
        watches_columns: whether columns are watched too: the labels are a sample of customers.
        state: to go on from; one that had other columns is not taken up.

    Attributes:
        measured: (measure, subject) -> what it was when the last week ended.
    """

    def __init__(
        self, outcome: str, candidate: str, *, watches_columns: bool = False, state: DriftState | None = None
    ) -> None:
        self._outcome, self._candidate, self._watches_columns = outcome, candidate, watches_columns
        self._counts = WeeklyCounts.none(self._subjects)
        self._moved: set[tuple[str, str]] = set()
        self.measured: dict[tuple[str, str], Measured] = {}
        if state is not None and state.subjects == self._subjects:
            self._counts = WeeklyCounts.restored(state.counts, self._subjects)
            self._moved = set(state.moved)
            self.measured = {(each.measure, each.subject): each for each in state.measured}

    def learn(self, labels: LabelRows) -> list[Measured]:
        """Count labels in their order, and measure whenever a week has ended.

        A week begins with its first label; labels from before there was a model are not counted.

        Args:
            labels: of the outcome, each once, of the layout at hand, at least one.

        Returns:
            What was measured.
        """
        found: list[Measured] = []
        for of_a_week in by_week(labels):
            week = int(of_a_week.matured_ms[0]) // WEEK_MS
            if week > self._counts.week:
                self._counts.begin(week)
                found += self._measure()
            self._count(of_a_week)
        return found

    @property
    def has_moved(self) -> bool:
        """Whether something of the outcome itself has moved and is not well back; columns are everybody's."""
        return any(subject == self._outcome for _, subject in self._moved)

    @property
    def _subjects(self) -> int:
        """What the candidate says, and columns where they are watched."""
        return 1 + (len(STEADY_COLUMNS) if self._watches_columns else 0)

    def _count(self, labels: LabelRows) -> None:
        stored = labels.said(self._candidate)
        given = np.flatnonzero(~np.isnan(stored))
        if len(given):
            said = np.clip(stored[given], SURE, 1.0 - SURE)
            values = np.empty((len(given), self._subjects))
            values[:, 0] = np.log(said / (1.0 - said)) + LARGEST_LOGIT
            if self._watches_columns:
                values[:, 1:] = labels.columns[given][:, _PLACES]
            self._counts.add(values, _LARGEST[: self._subjects], said, labels.happened[given])

    def _measure(self) -> list[Measured]:
        counts, outcome, found = self._counts, self._outcome, []
        week = counts.week - 1
        if stability := counts.stability(ROWS_AT_LEAST):
            (of_scores, *of_columns), chance = stability
            limit = STABILITY_LIMIT + chance
            found.append(Measured(SCORE_STABILITY, outcome, week, of_scores, limit))
            moved = zip(STEADY_COLUMNS, of_columns, strict=False)
            found += [Measured(COLUMN_STABILITY, column, week, value, limit) for column, value in moved]
        if rises := counts.rises(ROWS_AT_LEAST):
            of_losses, of_surprises = rises
            found.append(_risen(LOSS_RISE, outcome, week, *of_losses))
            found.append(_risen(CALIBRATION_SHIFT, outcome, week, *of_surprises))
        return [self._noted(each) for each in found]

    def _noted(self, found: Measured) -> Measured:
        """A measure kept, and whether it is news."""
        name = found.measure, found.subject
        found = found._replace(is_news=found.is_drift and name not in self._moved)
        self.measured[name] = found
        if found.is_drift:
            self._moved.add(name)
        elif found.value < found.limit / 2:  # what hovers at its limit is said once
            self._moved.discard(name)
        return found

    def state(self) -> DriftState:
        """Everything to go on from."""
        return DriftState(
            subjects=self._subjects,
            counts=self._counts.state(),
            moved=sorted(self._moved),
            measured=[each._replace(is_news=False) for each in self.measured.values()],
        )


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
"""Of what the candidate says, and of columns."""
