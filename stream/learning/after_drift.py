"""The challenger that begins by itself when drift is noticed of an outcome.

It is the mean logit of the regressions, for which the labels up to then count a tenth: what it says is the same at
first, and new labels move it as if it had learned a tenth as many. It begins before the first label of the week after
the one that showed the drift, and is judged as every candidate is. The champion learns as before.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np

from schemas.units import DAY_MS
from stream.features.missed import missed_of
from stream.learning.contest import Contest
from stream.learning.drift_watch import WEEK_MS, DriftState, DriftWatch, Measured
from stream.learning.label_rows import LabelRows
from stream.learning.linear import (
    FloatArray,
    Regressions,
    RegressionsState,
    exported,
    exported_newton,
    learn_rows,
    mean_logit,
    of_which,
    restored,
    state_of,
)
from stream.scoring.challengers import BEGUN_PREFIX
from stream.scoring.documents import MIX
from stream.scoring.linear import LinearModel

PAST_COUNTS = 0.1
"""What a label before the drift counts for; what else was tried: docs/architecture.md, "Learning"."""


class AfterDriftState(msgspec.Struct, frozen=True, kw_only=True):
    """What `AfterDrift` goes on from."""

    watch: DriftState
    begun: dict[str, RegressionsState]


class AfterDrift:
    """Watches the labels of an outcome for drift, and teaches the challengers that begin then.

    A function of the labels it is given and of the contest, however many come at once.

    Args:
        outcome: whose labels they are.
        columns: that they carry.
        watches_columns: whether drift of columns is looked for too.
        newton_share: what Newton's regression counts for in a mean logit.
        state: to go on from.
    """

    def __init__(
        self,
        outcome: str,
        columns: tuple[str, ...],
        *,
        watches_columns: bool,
        newton_share: float = 0.5,
        state: AfterDriftState | None = None,
    ) -> None:
        self._outcome, self._columns, self._watches_columns = outcome, columns, watches_columns
        self._newton_share = newton_share
        self._watch = DriftWatch(outcome, MIX, watches_columns=watches_columns, state=state.watch if state else None)
        made = tuple(each.name for each in missed_of(columns))
        self._read = (*columns, *made)
        reads = np.array([[True] * len(columns) + [False] * len(made)])
        self._begun = {name: restored(each, reads) for name, each in state.begun.items()} if state else {}
        self._measured = list(self._watch.measured.values())

    def restored(self, state: AfterDriftState | None) -> "AfterDrift":
        """One of the same kind that goes on where another was."""
        same = self._outcome, self._columns
        return AfterDrift(*same, watches_columns=self._watches_columns, newton_share=self._newton_share, state=state)

    def heed(self, labels: LabelRows, contest: Contest, learned: Regressions) -> None:
        """Look at labels of one week before they are judged and learned: with the first of them a week may have ended.

        Where drift of the outcome is news a challenger begins. One that has not won gives way to that of another drift,
        unless it is ahead; one of the same stays. Where drift is over, one that is not ahead goes.

        Args:
            labels: each once, in their order.
            contest: of the outcome's candidates, is changed.
            learned: by the regressions so far.
        """
        had_moved = self._watch.has_moved
        measured = self._watch.learn(labels)
        self._measured += measured
        news = [each for each in measured if each.is_news and each.subject == self._outcome]
        if news and contest.begin(_name_after(news[0]), _recipe_after(news), is_another=not had_moved):
            champion = self._begun.get(contest.championship.champion, learned)
            self._begun[_name_after(news[0])] = of_which(champion, PAST_COUNTS)
        elif measured and not self._watch.has_moved:
            contest.end_behind()

    def learn(self, labels: LabelRows, read: FloatArray, contest: Contest) -> None:
        """Learn labels that have been judged; who takes part no more is forgotten.

        Args:
            labels: each once, in their order.
            read: shape (labels, columns), what regressions read of each.
            contest: of the outcome's candidates.
        """
        self._begun = {name: each for name, each in self._begun.items() if name in contest.begun}
        for each in self._begun.values():
            days = labels.matured_ms // DAY_MS
            learn_rows(each, read, labels.happened, days, np.empty((len(labels), 2)))

    def models(self, contest: Contest) -> dict[str, LinearModel]:
        """The challengers that take part."""
        return {
            name: mean_logit(exported(each, 0, self._read), exported_newton(each, self._read), self._newton_share)
            for name, each in self._begun.items()
            if name in contest.begun
        }

    def take_measured(self) -> list[Measured]:
        """How far things had moved when weeks ended, since this was last asked; of a restored one at the last end."""
        taken, self._measured = self._measured, []
        return taken

    def state(self) -> AfterDriftState:
        """Everything to go on from."""
        begun = {name: state_of(each) for name, each in self._begun.items()}
        return AfterDriftState(watch=self._watch.state(), begun=begun)


def _name_after(noticed: Measured) -> str:
    """What a challenger is called: after the day on which drift was noticed.

    >>> _name_after(Measured("loss_rise", "churn_30d", week=2_940, value=0.06, limit=0.04))
    'drift_2026_05_14'
    """
    return f"{BEGUN_PREFIX}{_day(noticed):%Y_%m_%d}"


def _recipe_after(noticed: Sequence[Measured]) -> str:
    """How a challenger is made, and why.

    >>> _recipe_after([Measured("loss_rise", "churn_30d", week=2_940, value=0.0612, limit=0.04)])
    'mean_logit for which a label before 2026-05-14 counts 0.1: loss_rise 0.061 above 0.040'
    """
    why = ", ".join(f"{each.measure} {each.value:.3f} above {each.limit:.3f}" for each in noticed)
    return f"{MIX} for which a label before {_day(noticed[0]):%Y-%m-%d} counts {PAST_COUNTS:g}: {why}"


def _day(noticed: Measured) -> datetime:
    """The day after the week in which something had moved."""
    return datetime.fromtimestamp((noticed.week + 1) * WEEK_MS / 1000, UTC)
