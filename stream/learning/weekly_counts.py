"""Labels counted week by week for as many weeks as a comparison needs: histograms of what they carry, and losses."""

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.learning.drift import expected_by_chance, population_stability, rise

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

RECENT_WEEKS, REFERENCE_WEEKS = 4, 12
WEEKS = RECENT_WEEKS + REFERENCE_WEEKS
KEPT = WEEKS + 1  # and the running week
BINS = 48
SMALLEST_ERROR = 1e-9


class CountsState(msgspec.Struct, frozen=True, kw_only=True):
    """`WeeklyCounts` as numbers; arrays are little-endian, in the order of their axes."""

    week: int
    rows: bytes
    sums: bytes
    squares: bytes
    histograms: bytes


@dataclass
class WeeklyCounts:
    """The last weeks; the place of a week is its number modulo `KEPT`.

    Attributes:
        week: the running one, counted from 1970; 0 before the first label.
        rows: shape (KEPT,), labels.
        sums: shape (KEPT, 2), their log loss in nats, and what happened less what was said: each together.
        squares: shape (KEPT, 2), of both.
        histograms: shape (KEPT, subjects, BINS), rows by what each subject was.
    """

    week: int
    rows: IntArray
    sums: FloatArray
    squares: FloatArray
    histograms: IntArray

    @classmethod
    def none(cls, subjects: int) -> "WeeklyCounts":
        """Nothing counted yet."""
        rows, histograms = np.zeros(KEPT, np.int64), np.zeros((KEPT, subjects, BINS), np.int64)
        return cls(0, rows, np.zeros((KEPT, 2)), np.zeros((KEPT, 2)), histograms)

    def begin(self, week: int) -> None:
        """Go on to a later week; the weeks between had no label."""
        passed = np.arange(max(self.week + 1, week - WEEKS), week + 1) % KEPT
        for kept in (self.rows, self.sums, self.squares, self.histograms):
            kept[passed] = 0
        self.week = week

    def add(self, values: FloatArray, largest: FloatArray, said: FloatArray, happened: NDArray[np.bool_]) -> None:
        """Count labels in the running week.

        Args:
            values: shape (labels, subjects); what is not from 0 to `largest` counts in the first or last bin.
            largest: shape (subjects,).
            said: shape (labels,), probabilities between 0 and 1.
            happened: shape (labels,).
        """
        at = self.week % KEPT
        self.rows[at] += len(said)
        _count(self.histograms[at], self.sums[at], self.squares[at], values, largest, said, happened)

    def stability(self, rows_at_least: int) -> tuple[list[float], float] | None:
        """How far each subject has moved, and what chance brings; None while there is too little to compare."""
        recent, reference = self._weeks()
        rows, before = int(self.rows[recent].sum()), int(self.rows[reference].sum())
        if not self._is_whole() or rows < rows_at_least or before < rows_at_least:
            return None
        pairs = zip(self.histograms[reference].sum(0), self.histograms[recent].sum(0), strict=True)
        return [population_stability(old, new) for old, new in pairs], expected_by_chance(before, rows)

    def rises(self, rows_at_least: int) -> list[tuple[float, float]]:
        """How much weekly means have risen, of loss and surprise each, and that in standard errors.

        Empty while there is too little to compare.
        """
        recent, reference = self._weeks()
        if not self._is_whole() or int(self.rows[recent].sum()) < rows_at_least:
            return []
        return [self._rise(which, recent, reference) for which in range(2)]

    def _rise(self, which: int, recent: IntArray, reference: IntArray) -> tuple[float, float]:
        now, before = (self.sums[weeks, which] / self.rows[weeks] for weeks in (recent, reference))
        error = math.sqrt(self._variance(which, recent) + self._variance(which, reference))
        return float(now.mean() - before.mean()), rise(before, now, max(error, SMALLEST_ERROR))

    def _variance(self, which: int, weeks: IntArray) -> float:
        """Of the mean over the rows of some weeks."""
        rows = self.rows[weeks].sum()
        mean = self.sums[weeks, which].sum() / rows
        return max(float(self.squares[weeks, which].sum() / rows - mean * mean), 0.0) / float(rows)

    def _is_whole(self) -> bool:
        """Whether every week of a comparison has labels."""
        recent, reference = self._weeks()
        return bool(self.rows[recent].all() and self.rows[reference].all())

    def _weeks(self) -> tuple[IntArray, IntArray]:
        """The places of the recent and of the reference weeks, which ended before the running one."""
        ended = np.arange(self.week - WEEKS, self.week) % KEPT
        return ended[REFERENCE_WEEKS:], ended[:REFERENCE_WEEKS]

    def state(self) -> CountsState:
        """Everything to go on from."""
        return CountsState(
            week=self.week,
            rows=self.rows.astype("<u4").tobytes(),
            sums=self.sums.astype("<f8").tobytes(),
            squares=self.squares.astype("<f8").tobytes(),
            histograms=self.histograms.astype("<u4").tobytes(),
        )

    @classmethod
    def restored(cls, state: CountsState, subjects: int) -> "WeeklyCounts":
        """What `state` has packed.

        Raises:
            ValueError: it is of another number of subjects.
        """
        sums, squares = (np.frombuffer(each, "<f8").reshape(KEPT, 2).copy() for each in (state.sums, state.squares))
        histograms = np.frombuffer(state.histograms, "<u4").reshape(KEPT, subjects, BINS).astype(np.int64)
        return cls(state.week, np.frombuffer(state.rows, "<u4").astype(np.int64), sums, squares, histograms)


@compiled
def _count(
    histograms: IntArray,
    sums: FloatArray,
    squares: FloatArray,
    values: FloatArray,
    largest: FloatArray,
    said: FloatArray,
    happened: NDArray[np.bool_],
) -> None:
    """One label after another: batches must not show."""
    for i in range(len(said)):
        loss = -math.log(said[i] if happened[i] else 1.0 - said[i])
        surprise = (1.0 if happened[i] else 0.0) - said[i]
        sums[0] += loss
        sums[1] += surprise
        squares[0] += loss * loss
        squares[1] += surprise * surprise
        for subject in range(len(largest)):
            place = values[i, subject] / largest[subject] * BINS
            histograms[subject, int(min(max(place, 0.0), BINS - 1.0))] += 1
