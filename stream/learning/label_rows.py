"""Labels of one outcome as columns: what learners and judges go through."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from schemas.messages import Label

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LabelRows:
    """n labels, in the order in which they are learned.

    Attributes:
        snapshot_ms, matured_ms: shape (n,), ms since 1970.
        happened: shape (n,), whether the outcome came true.
        columns: shape (n, k), the model columns.
        candidates: whose scores there are.
        scores: shape (n, len(candidates)), the probabilities that were stored; nan where a candidate gave none.
    """

    snapshot_ms: NDArray[np.int64]
    matured_ms: NDArray[np.int64]
    happened: NDArray[np.bool_]
    columns: FloatArray
    candidates: tuple[str, ...]
    scores: FloatArray

    @classmethod
    def of(cls, labels: Sequence[Label]) -> "LabelRows":
        """Those of messages, at least one."""
        candidates = tuple(dict.fromkeys(name for label in labels for name in label.scores))
        return cls(
            snapshot_ms=np.array([label.snapshot_ms for label in labels], np.int64),
            matured_ms=np.array([label.matured_ms for label in labels], np.int64),
            happened=np.array([label.value >= 0.5 for label in labels], np.bool_),
            columns=np.array([label.columns for label in labels], np.float64),
            candidates=candidates,
            scores=_scores(labels, candidates),
        )

    def __len__(self) -> int:
        """How many."""
        return len(self.happened)

    def part(self, begin: int, end: int) -> "LabelRows":
        """Some of them, one after another."""
        some = slice(begin, end)
        return LabelRows(
            self.snapshot_ms[some],
            self.matured_ms[some],
            self.happened[some],
            self.columns[some],
            self.candidates,
            self.scores[some],
        )

    def said(self, candidate: str) -> FloatArray:
        """What a candidate said, shape (n,); nan where it gave no score."""
        if candidate not in self.candidates:
            return np.full(len(self), np.nan)
        return self.scores[:, self.candidates.index(candidate)].copy()


def _scores(labels: Sequence[Label], candidates: Sequence[str]) -> FloatArray:
    if len(candidates) < 2:  # `itemgetter` makes no tuples then
        return np.array([[label.scores.get(name, np.nan) for name in candidates] for label in labels], np.float64)
    take = itemgetter(*candidates)
    try:
        return np.array([take(label.scores) for label in labels], np.float64)
    except KeyError:  # a candidate came or went
        return np.array([[label.scores.get(name, np.nan) for name in candidates] for label in labels], np.float64)
