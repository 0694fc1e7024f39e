"""Deciding customers: probability, value at risk, segment, alert, and when to ask again if nothing arrives."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stream.actions.alerts import ChurnRule
from stream.chunk import IntArray, Models, RowArray, Rules
from stream.features.columns import Natural, matrix_of, natural, segments_of
from stream.features.layout import STATE, StateArray
from stream.outcomes.declaration import CHURN_30D, OUTCOMES
from stream.scoring.clusters import Codes, assign
from stream.scoring.deadlines import first_change_ms
from stream.scoring.documents import OutcomeDocument
from stream.scoring.linear import LinearModel, probability
from stream.scoring.serving import NO_MODEL, serving_model
from stream.scoring.validity import holds_until_ms

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_BYTES = np.dtype((np.void, STATE.itemsize))
SHOWN_AT_MOST_MS = 7 * 86_400_000  # features such as days of silence go stale even where no probability moves


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
        return Asked(self.rows[chosen], self.states[chosen], self.now_ms[chosen])

    @cached_property
    def last_purchase_ms(self) -> IntArray:
        """Time of the last purchase; 0 before the first."""
        return np.ascontiguousarray(self.states["features"]["last_purchase_ms"])


def joined(parts: Sequence[Asked]) -> Asked:
    """All of them, one after another."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    rows, now_ms = (np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "now_ms"))
    return Asked(rows, _joined([part.states for part in parts]), now_ms)


def _joined(parts: Sequence[StateArray]) -> StateArray:
    """As bytes: of records `np.concatenate` first promotes every field, 200 us a call."""
    return np.concatenate([np.ascontiguousarray(part).view(_BYTES) for part in parts]).view(STATE)


@dataclass(frozen=True)
class Scored:
    """What is shown of one outcome: shape (customers,) probabilities, nan where there is none, and what gave them.

    There is none while nothing serves, and none of a customer who has never bought: models learn from buyers alone.
    """

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
    segment: Codes
    opens: BoolArray
    closes: BoolArray
    purchased: BoolArray

    def changing(self, asked: Asked) -> BoolArray:
        """Which of them change what the next decision about the same customer goes by."""
        changed: BoolArray = self.opens | self.closes | (self.segment != asked.block["segment"])
        return changed

    def take(self, chosen: RowArray, asked: Asked) -> "Decisions":
        """Those at `chosen`, which are about `asked`."""
        scored = {name: replace(scores, probability=scores.probability[chosen]) for name, scores in self.scored.items()}
        per_customer = ("value_at_risk_minor", "segment", "opens", "closes", "purchased")
        return Decisions(
            natural=self.natural.later(asked.now_ms, chosen),
            matrix=self.matrix[chosen],
            scored=scored,
            **{name: getattr(self, name)[chosen] for name in per_customer},
        )

    @property
    def churn(self) -> Scored:
        """The scores that alerts and value at risk go by."""
        return self.scored[CHURN_30D.name]


@dataclass(frozen=True)
class Held:
    """What was decided before and bears on the next decision, shape (customers,) each."""

    segment: Codes
    alert_is_open: BoolArray
    episode_ms: IntArray
    last_purchase_ms: IntArray

    @classmethod
    def of(cls, asked: Asked) -> "Held":
        """What the decision blocks hold now."""
        block = asked.block
        episode_ms = np.ascontiguousarray(block["episode_ms"])
        return cls(np.ascontiguousarray(block["segment"]), block["alert"] == 1, episode_ms, asked.last_purchase_ms)

    def after(self, decisions: Decisions) -> "Held":
        """What the next decision goes by, once these are made."""
        return Held(
            decisions.segment,
            (self.alert_is_open & ~decisions.closes) | decisions.opens,
            np.where(decisions.opens, self.last_purchase_ms, self.episode_ms),
            self.last_purchase_ms,
        )

    def take(self, rows: RowArray) -> "Held":
        """The same of the customers at `rows`."""
        return Held(*(getattr(self, field.name)[rows] for field in fields(self)))


def decide(asked: Asked, models: Models, rules: Rules) -> Decisions:
    """Score the customers and say what follows, without changing them."""
    features, held = natural(asked.states, asked.now_ms), Held.of(asked)
    matrix = matrix_of(features)
    scored = {outcome.name: _scored(models.outcomes.get(outcome.name), matrix, held) for outcome in OUTCOMES}
    churn = scored[CHURN_30D.name].probability
    opens, closes, purchased = _alert(held, features, churn, rules.churn)
    return Decisions(
        natural=features,
        matrix=matrix,
        scored=scored,
        value_at_risk_minor=np.where(np.isnan(churn), 0.0, churn) * features["net_spend_365d_minor"],
        segment=_segment(held.segment, held.last_purchase_ms, features, models),
        opens=opens,
        closes=closes,
        purchased=purchased,
    )


def ask_again_ms(asked: Asked, decisions: Decisions, models: Models, rules: Rules) -> IntArray:
    """When each customer would cross a threshold or change segment in silence, in ms, within `stale_after_ms`.

    Args:
        asked: the customers.
        decisions: as made, whether or not they are in the blocks yet.
        models: the documents in force.
        rules: thresholds and intervals.
    """
    until_ms = asked.now_ms + rules.stale_after_ms
    model, held = serving_model(models.outcomes.get(CHURN_30D.name)), Held.of(asked).after(decisions)
    features = decisions.natural
    if model is None and models.segments is None:
        return until_ms
    alertable = _may_alert(held, features.later(until_ms), rules.churn)

    def would_change(rows: RowArray, at_ms: IntArray) -> BoolArray:
        changed = np.zeros(len(rows), np.bool_)
        if models.segments is not None:
            then = held.segment[rows], held.last_purchase_ms[rows]
            changed = _segment(*then, features.later(at_ms, rows), models) != then[0]
        asking = np.flatnonzero(alertable[rows] & ~changed)
        if model is not None and len(asking):
            rows, at_ms = rows[asking], at_ms[asking]
            later = features.later(at_ms, rows)
            opens, closes, _ = _alert(held.take(rows), later, probability(model, matrix_of(later)), rules.churn)
            changed[asking] = opens | closes
        return changed

    return first_change_ms(would_change, asked.now_ms, until_ms)


def valid_until_ms(asked: Asked, decisions: Decisions, chosen: RowArray) -> IntArray:
    """Until when the customers at `chosen` are as decided if nothing arrives, in ms.

    At most until they are decided again, and no longer than a week, in which every shown probability is looked at
    twice.
    """
    now_ms, decide_at_ms = asked.now_ms[chosen], asked.block["decide_at_ms"][chosen]
    until_ms: IntArray = np.minimum(decide_at_ms, now_ms + SHOWN_AT_MOST_MS)
    width_ms = np.maximum(until_ms - now_ms, 0)
    times_ms = np.stack([now_ms, now_ms + width_ms // 4, now_ms + width_ms])
    shown = [(scored.serving, scored.probability[chosen]) for scored in decisions.scored.values() if scored.serving]
    if shown:
        matrix = matrix_of(decisions.natural.later(times_ms[1:].ravel(), np.tile(chosen, 2)))
    for model, known in shown:
        ahead = np.where(np.isnan(known), np.nan, probability(model, matrix).reshape(2, -1))
        until_ms = np.minimum(until_ms, holds_until_ms(times_ms, np.concatenate([known[None], ahead])))
    return until_ms


def _scored(document: OutcomeDocument | None, matrix: FloatArray, held: Held) -> Scored:
    version = document.version if document else ""
    if document is None or document.serving is None:
        return Scored(_unknown(len(matrix)), NO_MODEL, version, None)
    model = document.candidates[document.serving]
    known = np.where(held.last_purchase_ms > 0, probability(model, matrix), np.nan)
    return Scored(known, document.serving, version, model)


def _unknown(customers: int) -> FloatArray:
    return np.full(customers, np.nan)


def _segment(current: Codes, last_purchase_ms: IntArray, features: Natural, models: Models) -> Codes:
    """Nobody has a segment before the first centres, nor before the first purchase."""
    if models.segments is None:
        return current
    return np.where(last_purchase_ms > 0, assign(models.segments, segments_of(features), current), current)


def _may_alert(held: Held, at_last: Natural, rule: ChurnRule) -> BoolArray:
    """Whose alert could open or close up to a time, whatever the probability: silence only grows."""
    may_open, _, _ = _alert(held, at_last, np.ones(len(at_last)), rule)
    return may_open | held.alert_is_open


def _alert(held: Held, features: Natural, churn: FloatArray, rule: ChurnRule) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Whether the alert opens, whether it closes, whether the customer has bought since its episode.

    An episode is alerted once: after a close by probability the same silence does not open again.
    """
    purchased = held.last_purchase_ms > held.episode_ms
    silent = rule.opens(churn, features["since_last_purchase_days"], features["mean_gap_days"])
    opens = ~held.alert_is_open & purchased & silent
    closes = held.alert_is_open & (purchased | rule.closes(churn))
    return opens, closes, purchased
