"""Deciding customers: probability, value at risk, segment, alert, and when to ask again if nothing arrives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.actions.alerts import ChurnRule
from stream.chunk import IntArray, Models, Rules
from stream.features.columns import Natural, matrix_of, natural, segments_of
from stream.features.layout import StateArray
from stream.outcomes.declaration import CHURN_30D, OUTCOMES
from stream.scoring.clusters import assign
from stream.scoring.deadlines import first_change_ms
from stream.scoring.documents import OutcomeDocument
from stream.scoring.linear import LinearModel, probability
from stream.scoring.serving import NO_MODEL, serving_model

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Scored:
    """What is shown of one outcome: shape (customers,) probabilities, nan while nothing serves, and what gave them."""

    probability: FloatArray
    model: str
    version: str
    serving: LinearModel | None


@dataclass(frozen=True)
class Decisions:
    """What was decided about some customers, shape (customers,) each.

    Attributes:
        natural: their features at that time, in natural units.
        matrix: the model columns.
        scored: outcome -> its scores.
        value_at_risk_minor: churn probability times decayed net spend of a year; 0 while there is no probability.
        segment: codes of `SEGMENTS`.
        opens, closes: whether the churn alert does.
        purchased: whether the customer has bought since the alert's episode began.
    """

    natural: Natural
    matrix: FloatArray
    scored: dict[str, Scored]
    value_at_risk_minor: FloatArray
    segment: NDArray[np.uint8]
    opens: BoolArray
    closes: BoolArray
    purchased: BoolArray


def decide(states: StateArray, now_ms: IntArray, models: Models, rules: Rules) -> Decisions:
    """Score the customers at `now_ms` and say what follows, without changing them."""
    features = natural(states, now_ms)
    matrix = matrix_of(features)
    scored = {outcome.name: _scored(models.outcomes.get(outcome.name), matrix) for outcome in OUTCOMES}
    churn = scored[CHURN_30D.name].probability
    opens, closes, purchased = _alert(states, features, churn, rules.churn)
    return Decisions(
        natural=features,
        matrix=matrix,
        scored=scored,
        value_at_risk_minor=np.nan_to_num(churn) * np.maximum(features["net_spend_365d_minor"], 0.0),
        segment=_segment(states, features, models),
        opens=opens,
        closes=closes,
        purchased=purchased,
    )


def ask_again_ms(states: StateArray, features: Natural, now_ms: IntArray, models: Models, rules: Rules) -> IntArray:
    """When each customer would cross a threshold or change segment in silence, at most `stale_after_ms` from now.

    `states` have their decision applied; `features` are theirs at any time.
    """
    until_ms = now_ms + rules.stale_after_ms
    if CHURN_30D.name not in models.outcomes and models.segments is None:
        return until_ms
    current = np.ascontiguousarray(states["decision"]["segment"])

    def would_change(rows: NDArray[np.intp], at_ms: IntArray) -> BoolArray:
        asked, later = states[rows], features.later(at_ms, rows)
        scored = _scored(models.outcomes.get(CHURN_30D.name), matrix_of(later))
        opens, closes, _ = _alert(asked, later, scored.probability, rules.churn)
        moved: BoolArray = _segment(asked, later, models) != current[rows]
        return opens | closes | moved

    return first_change_ms(would_change, now_ms, until_ms)


def _scored(document: OutcomeDocument | None, matrix: FloatArray) -> Scored:
    model, version = serving_model(document), document.version if document else ""
    if document is None or model is None or document.serving is None:
        return Scored(np.full(len(matrix), np.nan), NO_MODEL, version, None)
    return Scored(probability(model, matrix), document.serving, version, model)


def _segment(states: StateArray, features: Natural, models: Models) -> NDArray[np.uint8]:
    current = np.ascontiguousarray(states["decision"]["segment"])
    if models.segments is None:
        return current
    bought = states["features"]["last_purchase_ms"] > 0
    return np.where(bought, assign(models.segments, segments_of(features), current), current)


def _alert(
    states: StateArray, features: Natural, churn: FloatArray, rule: ChurnRule
) -> tuple[BoolArray, BoolArray, BoolArray]:
    is_open = states["decision"]["alert"] == 1
    episode_ms, last_purchase_ms = states["decision"]["episode_ms"], states["features"]["last_purchase_ms"]
    purchased = last_purchase_ms > episode_ms
    silent = rule.opens(churn, features["since_last_purchase_days"], features["mean_gap_days"])
    opens = ~is_open & purchased & (last_purchase_ms > 0) & silent
    closes = is_open & (purchased | rule.closes(churn))
    return opens, closes, purchased
