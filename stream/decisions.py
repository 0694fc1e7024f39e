"""Deciding customers: probability, value at risk, segment, alert, and when to ask again if nothing arrives."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.actions.alerts import ChurnRule
from stream.chunk import IntArray, Models, RowArray, Rules
from stream.deciding import InForce, Scored, Scratch, ask_each, decide_each, look_at_each
from stream.features.columns import Natural, matrix_of, natural, plan, segments_of
from stream.features.layout import ROW, STATE, StateArray
from stream.features.model_columns import MODEL_COLUMNS, SCORED_ROW, SEGMENT_COLUMNS
from stream.scoring.clusters import Codes, centres_of
from stream.scoring.kinds import scorers, workspace
from stream.scoring.serving import serving_model

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SHOWN_AT_MOST_MS = 7 * DAY_MS  # features such as days of silence go stale even where no probability moves


@dataclass(frozen=True)
class Asked:
    """Customers that are decided together, each at its own time.

    Attributes:
        rows: shape (customers,), their places in the chunk; one that is there twice is decided in this order.
        states: shape (customers,), copies; what is decided is written into their decision blocks.
        now_ms: shape (customers,), never before a customer's last event.
    """

    rows: RowArray
    states: StateArray
    now_ms: IntArray

    def __len__(self) -> int:
        """How many customers."""
        return len(self.rows)

    @cached_property
    def block(self) -> StateArray:
        """The decision blocks, to read and to write."""
        return self.states["decision"]

    @cached_property
    def parts(self) -> list[slice]:
        """Runs of decisions about different customers, in order; rows rise within each."""
        ends = (np.diff(self.rows) <= 0).nonzero()[0] + 1
        bounds = [0, *ends.tolist(), len(self.rows)]
        return [slice(begin, end) for begin, end in pairwise(bounds)]

    def take(self, chosen: RowArray) -> "Asked":
        """Some of them."""
        return Asked(self.rows[chosen], self.states.take(chosen), self.now_ms[chosen])

    @cached_property
    def last_purchase_ms(self) -> IntArray:
        """Time of the last purchase; 0 before the first."""
        return np.ascontiguousarray(self.states["features"]["last_purchase_ms"])


def joined(parts: Sequence[Asked]) -> Asked:
    """All of them, one after another."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    return Asked(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.states.view(ROW) for part in parts]).view(STATE),
        np.concatenate([part.now_ms for part in parts]),
    )


@dataclass(frozen=True)
class Outlook:
    """What is shown of customers: every outcome's probability, and until when none of them has moved far.

    There is none while nothing serves, and none of a customer who has never bought: models learn from buyers alone.

    Attributes:
        probabilities: shape (outcomes, customers), nan where there is none.
        until_ms: shape (customers,).
    """

    probabilities: FloatArray
    until_ms: IntArray


@dataclass(frozen=True)
class Decisions:
    """What was decided about some customers, shape (customers,) each.

    Attributes:
        in_force: the models and rules it was decided by.
        natural: their features at that time, in natural units.
        matrix: the model columns, places: the segment columns, shape (customers, columns).
        churn: probability of the outcome that alerts and value at risk go by, nan where there is none.
        value_at_risk_minor: churn probability times decayed net spend of a year; 0 while there is no probability.
        segment: codes of `SEGMENTS`.
        alerts: shape (3, customers), whether the churn alert opens, whether it closes, and whether the customer has
            bought since the alert's episode began. An episode is alerted once: after a close by probability the same
            silence does not open again.
    """

    in_force: InForce
    natural: Natural
    matrix: FloatArray
    places: FloatArray
    churn: FloatArray
    value_at_risk_minor: FloatArray
    segment: Codes
    alerts: BoolArray

    @property
    def opens(self) -> BoolArray:
        """Whose churn alert opens."""
        opens: BoolArray = self.alerts[0]
        return opens

    @property
    def closes(self) -> BoolArray:
        """Whose churn alert closes."""
        closes: BoolArray = self.alerts[1]
        return closes

    @property
    def purchased(self) -> BoolArray:
        """Who has bought since the alert's episode began."""
        purchased: BoolArray = self.alerts[2]
        return purchased

    def given(self, asked: Asked) -> Scored:
        """The customers they are about, for compiled code."""
        return Scored(np.ascontiguousarray(asked.states), self.natural.scored, self.matrix, self.places)

    def changing(self, asked: Asked) -> BoolArray:
        """Which of them change what the next decision about the same customer goes by."""
        changed: BoolArray = self.opens | self.closes | (self.segment != asked.block["segment"])
        return changed

    def take(self, chosen: RowArray, asked: Asked) -> "Decisions":
        """Those at `chosen`, which are about `asked`."""
        return Decisions(
            in_force=self.in_force,
            natural=Natural(asked.states, asked.now_ms, self.natural.scored[chosen]),
            matrix=self.matrix[chosen],
            places=self.places[chosen],
            churn=self.churn[chosen],
            value_at_risk_minor=self.value_at_risk_minor[chosen],
            segment=self.segment[chosen],
            alerts=self.alerts.take(chosen, axis=1),
        )


def decide(asked: Asked, models: Models, rules: Rules) -> Decisions:
    """Score the customers and say what follows, without changing them."""
    features = natural(asked.states, asked.now_ms)
    given = Scored(np.ascontiguousarray(asked.states), features.scored, matrix_of(features), segments_of(features))
    churn = np.empty(len(asked))
    segment, alerts = np.empty(len(asked), np.uint8), np.empty((3, len(asked)), np.bool_)
    in_force = _in_force(models, rules)
    decide_each(given, in_force, churn, segment, alerts, _scratch(len(rules.outcomes)))
    return Decisions(
        in_force=in_force,
        natural=features,
        matrix=given.matrix,
        places=given.places,
        churn=churn,
        value_at_risk_minor=np.where(np.isnan(churn), 0.0, churn * given.rows["net_spend_365d_minor"]),
        segment=segment,
        alerts=alerts,
    )


def ask_again_ms(asked: Asked, decisions: Decisions, rules: Rules) -> IntArray:
    """When each customer would cross a threshold or change segment in silence, in ms, within `stale_after_ms`.

    Args:
        asked: the customers.
        decisions: as made, whether or not they are in the blocks yet.
        rules: intervals.
    """
    until_ms: IntArray = asked.now_ms + rules.stale_after_ms
    given = decisions.given(asked)
    scratch = _scratch(len(rules.outcomes))
    ask_each(until_ms, asked.now_ms, given, decisions.segment, decisions.alerts, decisions.in_force, scratch)
    return until_ms


def outlook(asked: Asked, decisions: Decisions, chosen: RowArray) -> Outlook:
    """What is shown of the customers at `chosen`.

    It holds at most until they are decided again, and no longer than a week, in which every probability is looked at
    twice.
    """
    now_ms = asked.now_ms[chosen]
    until_ms: IntArray = np.minimum(asked.block["decide_at_ms"][chosen], now_ms + SHOWN_AT_MOST_MS)
    in_force = decisions.in_force
    probabilities = np.empty((len(in_force.models), len(chosen)))
    scratch = _scratch(len(in_force.models))
    times_ms, ahead = np.empty(3, np.int64), np.empty((len(in_force.models), 3))
    look_at_each(until_ms, probabilities, now_ms, chosen, decisions.given(asked), in_force, scratch, times_ms, ahead)
    return Outlook(probabilities, until_ms)


def _in_force(models: Models, rules: Rules) -> InForce:
    """Models and rules as compiled code takes them."""
    known = scorers(tuple(serving_model(models.outcomes.get(name)) for name in rules.outcomes.names))
    return InForce(
        models=known.models,
        nodes=known.nodes,
        purchase_days=np.array([outcome.purchase_days_at_least for outcome in rules.outcomes.outcomes]),
        churn=rules.outcomes.names.index(rules.alert_outcome),
        centres=centres_of(models.segments),
        rule=ChurnRule(*map(float, rules.churn)),
        plan=plan(),
    )


def _scratch(outcomes: int) -> Scratch:
    rows = np.zeros(1, SCORED_ROW)
    figures = rows.view(np.float64).reshape(1, SCORED_ROW.itemsize // 8)
    columns, place = np.empty(len(MODEL_COLUMNS)), np.empty(len(SEGMENT_COLUMNS))
    return Scratch(rows, figures, columns, place, *workspace(outcomes))
