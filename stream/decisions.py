"""Deciding customers: probability, value at risk, segment, alert, and when to ask again if nothing arrives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS, NEVER_MS
from stream.actions.alerts import ChurnRule
from stream.chunk import IntArray, Models, RowArray, Rules
from stream.compiled import compiled
from stream.deciding import InForce, Scored, Scratch, ask_each, decide_each, look_at_each
from stream.features.columns import fill_places, natural, plan
from stream.features.layout import ROW, STATE, StateArray
from stream.features.model_columns import MODEL_COLUMNS, SCORED_ROW, SEGMENT_COLUMNS
from stream.features.natural import figures_of
from stream.scoring.clusters import Codes, centres_of
from stream.scoring.kinds import scorers, workspace
from stream.scoring.serving import Served, served

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
        soon_ms: shape (customers,), when each is decided again in the same chunk whatever follows from this decision;
            `NEVER_MS` where it is not.
    """

    rows: RowArray
    states: StateArray
    now_ms: IntArray
    soon_ms: IntArray

    def __len__(self) -> int:
        """How many customers."""
        return len(self.rows)

    @property
    def block(self) -> StateArray:
        """The decision blocks, to read and to write."""
        return self.states["decision"]

    def take(self, chosen: RowArray) -> "Asked":
        """Some of them."""
        return Asked(self.rows[chosen], self.states.take(chosen), self.now_ms[chosen], self.soon_ms[chosen])

    @property
    def last_purchase_ms(self) -> IntArray:
        """Time of the last purchase; 0 before the first."""
        last_purchase_ms: IntArray = self.states["features"]["last_purchase_ms"]
        return last_purchase_ms


def joined(parts: Sequence[Asked]) -> Asked:
    """All of them, one after another."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    return Asked(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.states.view(ROW) for part in parts]).view(STATE),
        np.concatenate([part.now_ms for part in parts]),
        np.concatenate([part.soon_ms for part in parts]),
    )


def once(rows: RowArray, states: StateArray, now_ms: IntArray) -> Asked:
    """Customers that are decided once, at these times."""
    return Asked(rows, states, now_ms, np.full(len(rows), NEVER_MS, np.int64))


@dataclass(frozen=True)
class Outlook:
    """What is shown of customers: every outcome's probability, and until when none of them has moved far.

    There is none while nothing serves, and none of a customer who has never bought: models learn from buyers alone.

    Attributes:
        matrix: shape (customers, columns), the model columns.
        probabilities: shape (outcomes, customers), nan where there is none.
        until_ms: shape (customers,).
        value_at_risk_minor: shape (customers,), `value_at_risk_minor` by the outcome that alerts go by; nan where it
            has no probability.
    """

    matrix: FloatArray
    probabilities: FloatArray
    until_ms: IntArray
    value_at_risk_minor: FloatArray


class Deciding(NamedTuple):
    """What customers are decided by during a step.

    Attributes:
        serving: of each outcome what gives its probabilities.
        in_force: models and rules as compiled code takes them.
        stale_after_ms: how far to look ahead.
        scratch: of compiled code.
    """

    serving: tuple[Served, ...]
    in_force: InForce
    stale_after_ms: int
    scratch: Scratch

    @property
    def alerting(self) -> Served:
        """What gives the probability that alerts and values at risk go by."""
        return self.serving[self.in_force.churn]


@dataclass(frozen=True)
class Decisions:
    """What was decided about some customers, shape (customers,) each.

    Attributes:
        by: what they were decided by.
        scored: their features at that time, in natural units, dtype `SCORED_ROW`.
        places: the segment columns, shape (customers, columns).
        churn: probability of the outcome that alerts go by, where an alert is open or silence is long enough for one;
            else, and where there is none, nan.
        segment: codes of `SEGMENTS`.
        alerts: shape (3, customers), whether the churn alert opens, whether it closes, and whether the customer has
            bought since the alert's episode began. An episode is alerted once: after a close by probability the same
            silence does not open again.
        changing: who changes what the next decision about the same customer goes by.
        again_ms: when each would cross a threshold or change segment in silence, at most `stale_after_ms` ahead; of who
            is decided again before anything can change, as far ahead as that.
    """

    by: Deciding
    scored: NDArray[np.void]
    places: FloatArray
    churn: FloatArray
    segment: Codes
    alerts: BoolArray
    changing: BoolArray
    again_ms: IntArray

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

    def take(self, chosen: RowArray) -> "Decisions":
        """Those at `chosen`."""
        return Decisions(
            by=self.by,
            scored=self.scored.take(chosen),
            places=self.places.take(chosen, axis=0),
            churn=self.churn[chosen],
            segment=self.segment[chosen],
            alerts=self.alerts.take(chosen, axis=1),
            changing=self.changing[chosen],
            again_ms=self.again_ms[chosen],
        )


def deciding(models: Models, rules: Rules) -> Deciding:
    """What customers are decided by."""
    serving = tuple([served(models.outcomes.get(name)) for name in rules.outcomes.names])
    known = scorers(tuple([each.model for each in serving]))
    in_force = InForce(
        models=known.models,
        nodes=known.nodes,
        purchase_days=rules.outcomes.purchase_days_at_least,
        churn=rules.outcomes.names.index(rules.alert_outcome),
        centres=centres_of(models.segments),
        rule=ChurnRule(*map(float, rules.churn)),
        plan=plan(),
    )
    return Deciding(serving, in_force, rules.stale_after_ms, _scratch(len(rules.outcomes)))


def decide(asked: Asked, by: Deciding) -> Decisions:
    """Say what follows from how the customers stand, and find when to ask again, without changing them.

    Of several decisions about a customer one is shown, so what only views and indexes tell is left to `outlook`.
    """
    count = len(asked)
    decisions = Decisions(
        by=by,
        scored=natural(asked.states, asked.now_ms).scored,
        places=np.empty((count, len(SEGMENT_COLUMNS))),
        churn=np.empty(count),
        segment=np.empty(count, np.uint8),
        alerts=np.empty((3, count), np.bool_),
        changing=np.empty(count, np.bool_),
        again_ms=asked.now_ms + by.stale_after_ms,
    )
    _decide_each(
        _given(asked, decisions), asked.now_ms, asked.soon_ms, by.in_force, decisions.churn, decisions.segment,
        decisions.alerts, decisions.changing, decisions.again_ms, by.scratch,
    )  # fmt: skip
    return decisions


@compiled
def _decide_each(
    given: Scored, now_ms: IntArray, soon_ms: IntArray, in_force: InForce, churn: FloatArray, segment: Codes,
    alerts: BoolArray, changing: BoolArray, again_ms: IntArray, scratch: Scratch,
) -> None:  # fmt: skip
    """Fill in the places of `given`, and `Decisions`."""
    fill_places(given.places, given.rows)
    decide_each(given, in_force, churn, segment, alerts, scratch)
    for i in range(len(churn)):
        changing[i] = alerts[0, i] or alerts[1, i] or segment[i] != given.states[i].decision.segment
    ask_each(again_ms, now_ms, soon_ms, given, segment, alerts, in_force, scratch)


def outlook(asked: Asked, decisions: Decisions) -> Outlook:
    """What is shown of the customers.

    It holds at most until they are decided again, and no longer than a week, in which every probability is looked at
    twice.
    """
    by, count = decisions.by, len(asked)
    matrix, probabilities = np.empty((count, len(MODEL_COLUMNS))), np.empty((len(by.in_force.models), count))
    until_ms: IntArray = np.minimum(asked.block["decide_at_ms"], asked.now_ms + SHOWN_AT_MOST_MS)
    given = _given(asked, decisions)
    look_at_each(until_ms, probabilities, matrix, asked.now_ms, given, by.in_force, by.scratch)
    churn = probabilities[by.in_force.churn]
    return Outlook(matrix, probabilities, until_ms, value_at_risk_minor(churn, decisions.scored))


def value_at_risk_minor(churn: FloatArray, scored: NDArray[np.void]) -> FloatArray:
    """Probability of the outcome that alerts go by times the decayed net spend of a year, shape (customers,)."""
    at_risk: FloatArray = churn * scored["net_spend_365d_minor"]
    return at_risk


def _given(asked: Asked, decisions: Decisions) -> Scored:
    """The customers of decisions, for compiled code."""
    scored = decisions.scored
    return Scored(np.ascontiguousarray(asked.states), scored, figures_of(scored), decisions.places)


def _scratch(outcomes: int) -> Scratch:
    rows = np.zeros(1, SCORED_ROW)
    columns, place = np.empty(len(MODEL_COLUMNS)), np.empty(len(SEGMENT_COLUMNS))
    asked, times_ms, ahead = np.empty(outcomes, np.bool_), np.empty(3, np.int64), np.empty((outcomes, 3))
    return Scratch(rows, figures_of(rows), columns, place, asked, times_ms, ahead, *workspace(outcomes))
