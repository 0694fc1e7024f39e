"""Learns one outcome from the labels log: the models, and the floors they have to beat."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.messages import Label, ModelDecision
from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.features.missed import missed_of, with_missed
from stream.learning.after_drift import AfterDrift, AfterDriftState
from stream.learning.champion import LABELS_BEFORE_SERVING, serving
from stream.learning.contest import Contest, ContestState
from stream.learning.drift_watch import by_week
from stream.learning.hazard_share import HazardLosses, HazardShare
from stream.learning.judge import JudgeState, add_losses
from stream.learning.label_rows import LabelRows
from stream.learning.linear import (
    RegressionsState,
    exported,
    exported_newton,
    fresh,
    learn_rows,
    mean_logit,
    newton_share,
    restored,
    state_of,
)
from stream.learning.moved import moved
from stream.learning.recent_ids import RecentIds
from stream.learning.states import decode_state, refuse_other_layout
from stream.outcomes.declaration import Outcome, is_same_question, sampled_outcome
from stream.scoring.budget import SCORE_BUDGET_US
from stream.scoring.challengers import ChallengerDocument
from stream.scoring.documents import (
    CANDIDATES,
    FLOORS,
    HAZARD,
    HAZARD_MIX,
    MIX,
    MOVED,
    NEWTON,
    RIVER_LOGISTIC,
    ROLLED,
    OutcomeDocument,
    schema_of,
)
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import HALF, MeanLogit, Model
from stream.scoring.linear import LinearModel, constant

SILENCE_COLUMN = "log_since_last_purchase_days"
COUNT_90D_COLUMN = "log_decayed_count_90d"
DESCENDING = (RIVER_LOGISTIC, "since_last_purchase", "count_90d")
"""The regressions by gradient descent, in the order of `Regressions`."""

PROGRESSIVE = (*FLOORS, MIX)
"""What is also judged by predicting each label just before it is learned, until enough labels carry stored scores."""


class OutcomeState(msgspec.Struct, frozen=True, kw_only=True):
    """A learner as numbers and names: what is in Redis beside the offset of the labels log.

    One that was saved before there was a `contest` has `judges`, and is taken up; without
    `after_drift` the watch for drift begins anew, and without `hazard_losses` the hazard has lost nothing yet.
    """

    name: str
    layout: str
    columns: tuple[str, ...]
    labels: int
    positives: int
    trained_until_ms: int
    progressive_loss: dict[str, float]
    regressions: RegressionsState
    recent: bytes
    contest: ContestState | None = None
    judges: dict[str, JudgeState] = {}
    after_drift: AfterDriftState | None = None
    hazard_losses: HazardLosses = (0, 0.0, 0.0)


class OutcomeLearner:
    """Online learning of one outcome; a function of the labels it has been given, in their order.

    Candidates: "river_logistic" by gradient descent on all columns, and "newton_logistic" by recursive Newton steps, on
    these and what is made of them (`stream.features.missed`); "mean_logit" of the two; the floors "base_rate" (the
    share of labels of value 1 so far), "since_last_purchase" and "count_90d" (the first on one column). Of an outcome
    that is rolled forward week by week also "hazard", and "mean_logit_hazard" of that and "mean_logit"; of one that
    counts some purchases only "mean_logit_moved" (`stream.learning.moved`). Where the labels show drift, a challenger
    begins by itself (`stream.learning.after_drift`).

    Args:
        name: the outcome, such as "churn_30d".
        columns: the columns that labels carry, in their order.
        layout: the layout that labels must have.
        horizon_days: of the outcome.
        rolled: the outcome's declaration, if it is rolled forward.
        moves: the outcome's declaration and that of the one which asks of every purchase, if there is one.
        watches_columns: whether drift of columns is looked for in these labels: they are a sample of customers.
        budget_us: a challenger is not promoted if a score by it costs more.
        question: checksum of the outcome's declaration; 0 if it does not matter.

    Attributes:
        contest: the candidates against each other.
        after_drift: the watch for drift.
        hazard_share: what the hazard has shown to be worth beside the regressions. Every learner counts: which of them
            is asked changes with the outcomes that are declared.
    """

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...] = MODEL_COLUMNS,
        layout: str = LAYOUT,
        horizon_days: int = 30,
        rolled: Outcome | None = None,
        moves: tuple[Outcome, Outcome] | None = None,
        watches_columns: bool = False,
        budget_us: float = SCORE_BUDGET_US,
        question: int = 0,
    ) -> None:
        self.name, self._columns, self._layout, self._question = name, columns, layout, question
        self._horizon_days, self._rolled, self._moves, self._budget_us = horizon_days, rolled, moves, budget_us
        self._labels = self._positives = self._trained_until_ms = 0
        self._progressive_loss = dict.fromkeys(PROGRESSIVE, 0.0)
        self._learned = fresh(_reads(columns))
        self._read = (*columns, *(made.name for made in missed_of(columns)))
        self._newton_share = newton_share(horizon_days)
        self.after_drift = AfterDrift(name, columns, watches_columns=watches_columns, newton_share=self._newton_share)
        self.contest = Contest(horizon_days, self._names, self._names[0], budget_us=budget_us)
        self.hazard_share = HazardShare()
        self._recent = RecentIds()

    def learn(self, labels: Sequence[Label]) -> int:
        """Judge and learn labels in their order.

        Passed over: labels of other outcomes, of what this one meant before it was declared anew, repeats, and labels
        of another layout, whose columns mean something else.

        Returns:
            How many labels were new.
        """
        ours = [label for label in labels if label.outcome == self.name and label.layout == self._layout]
        asked = [label for label in ours if is_same_question(label.question, self._question)]
        new = [label for label in asked if self._recent.add(label.message_id)]
        return self.learn_rows(LabelRows.of(new)) if new else 0

    def learn_rows(self, labels: LabelRows) -> int:
        """Judge and learn labels, at least one, of this outcome and layout, none of which has been learned.

        Returns:
            How many there are.
        """
        for of_a_week in by_week(labels):
            self._judge_and_learn(of_a_week)
        return len(labels)

    def _judge_and_learn(self, labels: LabelRows) -> None:
        """Labels of one week: only with its first can drift be noticed."""
        self.after_drift.heed(labels, self.contest, self._learned)
        self.contest.judge(labels)
        self.hazard_share.heed(labels)
        read = with_missed(labels.columns, self._columns)
        self.after_drift.learn(labels, read, self.contest)
        self._learn(labels, read)
        self._trained_until_ms = max(self._trained_until_ms, int(labels.matured_ms.max()))

    def decide(self, decision: ModelDecision, challenger: ChallengerDocument | None = None) -> str:
        """Do what a person has decided; why it was not done, "" if it was (`Contest.decide`)."""
        return self.contest.decide(decision, challenger)

    @property
    def _names(self) -> tuple[str, ...]:
        """Its candidates, the first champion first."""
        if self._rolled:
            return (*ROLLED, *CANDIDATES)
        return (MOVED, *CANDIDATES) if self._moves else CANDIDATES

    @property
    def newton(self) -> LinearModel | None:
        """The recursive Newton regression, which is what hazards are made of; None while there are too few labels."""
        return exported_newton(self._learned, self._read) if self._has_learned else None

    @property
    def mix(self) -> LinearModel | None:
        """The mean logit of the regressions; None while there are too few labels."""
        return self._regressions()[MIX] if self._has_learned else None

    @property
    def _has_learned(self) -> bool:
        return self._labels >= LABELS_BEFORE_SERVING and 0 < self._positives < self._labels

    def document(
        self,
        version: str,
        epoch_day: int,
        weekly: LinearModel | None = None,
        every: LinearModel | None = None,
        hazard_share: float = HALF,
    ) -> OutcomeDocument:
        """The model as data: what workers score with from this epoch on.

        Args:
            version: names the document; chosen by the caller.
            epoch_day: days since 1970, UTC.
            weekly: the probability of a purchase within seven days, to be rolled forward.
            every: the mean logit of the outcome that asks of every purchase.
            hazard_share: what a hazard counts for beside the regressions where it is rolled forward.
        """
        metrics, models = self.contest.metrics(), self._candidates(weekly, every, hazard_share)
        standing = self.contest.standing(metrics, models)
        serves = serving(self._labels, self._positives, self._progressive_means(), standing)
        return OutcomeDocument(
            name=self.name,
            version=version,
            epoch_day=epoch_day,
            layout=self._layout,
            trained_until_ms=self._trained_until_ms,
            labels=self._labels,
            positives=self._positives,
            candidates={} if serves is None else self.contest.joined(models),
            serving=serves,
            metrics=metrics,
            schema=schema_of(self._columns),
            lineage=self.contest.lineage(),
            question=self._question,
        )

    def to_bytes(self) -> bytes:
        """Everything to go on from as numbers and names: a learner restored from it continues bit for bit."""
        state = OutcomeState(
            name=self.name,
            layout=self._layout,
            columns=self._columns,
            labels=self._labels,
            positives=self._positives,
            trained_until_ms=self._trained_until_ms,
            progressive_loss=self._progressive_loss,
            regressions=state_of(self._learned),
            recent=self._recent.to_bytes(),
            contest=self.contest.state(),
            after_drift=self.after_drift.state(),
            hazard_losses=self.hazard_share.losses,
        )
        return msgspec.msgpack.encode(state)

    def restored(self, packed: bytes) -> "OutcomeLearner":
        """One of the same kind that goes on where a packed one was; a fresh one where that has learned what the
        outcome meant before it was declared anew.

        Raises:
            LayoutError: it learned other columns, or is not a learner's state.
        """
        state = decode_state(packed, OutcomeState)
        refuse_other_layout(state.name, (state.layout, state.columns), (self._layout, self._columns))
        same = self._columns, self._layout, self._horizon_days, self._rolled, self._moves
        learner = OutcomeLearner(state.name, *same, budget_us=self._budget_us, question=self._question)
        learner._labels, learner._positives = state.labels, state.positives
        learner._trained_until_ms = state.trained_until_ms
        learner._progressive_loss = {name: state.progressive_loss.get(name, math.inf) for name in PROGRESSIVE}
        learner._learned = restored(state.regressions, _reads(self._columns))
        learner.contest = (
            self.contest.of_judges(state.judges, state.trained_until_ms)
            if state.contest is None
            else self.contest.restored(state.contest)
        )
        learner.after_drift = self.after_drift.restored(state.after_drift)
        learner.hazard_share = HazardShare(state.hazard_losses)
        learner._recent = RecentIds.from_bytes(state.recent)
        return learner

    def _learn(self, labels: LabelRows, read: NDArray[np.float64]) -> None:
        before, happened = np.empty((len(labels), len(DESCENDING) + 1)), labels.happened
        learn_rows(self._learned, read, happened, labels.matured_ms // DAY_MS, before)
        said = dict(zip((*DESCENDING, NEWTON), before.T, strict=True)) | {"base_rate": self._base_rates(happened)}
        said[MIX] = _mean_logit_of(said[RIVER_LOGISTIC], said[NEWTON], self._newton_share)
        for name, loss in self._progressive_loss.items():
            self._progressive_loss[name] = add_losses(loss, said[name], happened)
        self._labels += len(happened)
        self._positives += int(happened.sum())

    def _base_rates(self, happened: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The share of labels of value 1 before each of the next."""
        positives = self._positives + np.cumsum(happened) - happened
        return np.asarray(_base_rate(positives, self._labels + np.arange(len(happened))))

    def _regressions(self) -> dict[str, LinearModel]:
        """All that has been learned, and the mean of the two that serve."""
        found = {name: exported(self._learned, m, self._read) for m, name in enumerate(DESCENDING)}
        found[NEWTON] = exported_newton(self._learned, self._read)
        found[MIX] = mean_logit(found[RIVER_LOGISTIC], found[NEWTON], self._newton_share)
        return found

    def _candidates(
        self, weekly: LinearModel | None, every: LinearModel | None, hazard_share: float
    ) -> dict[str, Model]:
        regressions = self._regressions()
        models: dict[str, Model] = {**regressions}
        models["base_rate"] = constant(_base_rate(self._positives, self._labels))
        if self._rolled and weekly:
            of = self._rolled
            hazard = HazardModel(weekly, of.horizon_days, of.true_when, of.within_own_gap)
            models |= {HAZARD: hazard, HAZARD_MIX: MeanLogit(regressions[MIX], hazard, hazard_share)}
        if self._moves and weekly and every:
            models[MOVED] = moved(regressions[MIX], every, weekly, *self._moves, hazard_share)
        return {name: models[name] for name in self._names if name in models} | self.after_drift.models(self.contest)

    def _progressive_means(self) -> dict[str, float]:
        return {name: loss / max(self._labels, 1) for name, loss in self._progressive_loss.items()}


def learner_of(outcome: Outcome, outcomes: Sequence[Outcome], budget_us: float = SCORE_BUDGET_US) -> OutcomeLearner:
    """The learner of an outcome among others; it is rolled forward where one of them asks about the next week."""
    rolled, every = outcome if outcome.weekly(outcomes) else None, outcome.of_every_purchase(outcomes)
    is_sample = outcome.name == sampled_outcome(outcomes)
    return OutcomeLearner(
        outcome.name,
        horizon_days=outcome.horizon_days,
        rolled=rolled,
        moves=(outcome, every) if every and every.weekly(outcomes) else None,
        watches_columns=is_sample,
        budget_us=budget_us,
        question=outcome.code,
    )


def _base_rate(positives: Any, labels: Any) -> Any:
    """Share of labels of value 1, half a label of each class added (Krichevsky and Trofimov): never 0 or 1."""
    return (positives + 0.5) / (labels + 1.0)


def _mean_logit_of(one: NDArray[np.float64], other: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    odds = (one / (1.0 - one)) ** (1.0 - share) * (other / (1.0 - other)) ** share
    return np.asarray(odds / (1.0 + odds))


def _reads(columns: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which columns each of `DESCENDING` has; what is made of columns none of them."""
    one = [np.array([column == name for column in columns]) for name in (SILENCE_COLUMN, COUNT_90D_COLUMN)]
    own = np.stack([np.ones(len(columns), np.bool_), *one])
    return np.hstack([own, np.zeros((len(own), len(missed_of(columns))), np.bool_)])
