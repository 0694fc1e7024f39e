"""What decisions lead to: segment moves, alerts, value at risk, and the customer's view."""

from decimal import Decimal
from typing import Any

import numpy as np

from schemas.messages import ChurnAlertClosed, ChurnAlertOpened, SegmentChanged
from schemas.topics import CHURN_ALERTS, SEGMENT_CHANGES
from stream.actions.alerts import RULE_VERSION
from stream.actions.reasons import in_words
from stream.changes import Changes
from stream.chunk import IntArray, Models, PartitionCustomers, Rules
from stream.customers.segments import SEGMENTS, UNSEGMENTED
from stream.decisions import Decisions
from stream.drafts import MessageDraft, Order, message_id
from stream.features.layout import StateArray
from stream.outcomes.declaration import CHURN_30D
from stream.rounds import RowArray
from stream.scoring.explain import CONCEPT_NAMES, NO_CONCEPT, top_concepts
from stream.views import AlertState, Score, View, encode_view

RISK_MOVES_BY = 0.05  # the index of customers by value at risk is rewritten when the value has moved by this share

SHOWN = (
    "since_last_purchase_days", "since_first_purchase_days", "purchase_days", "mean_gap_days", "purchases", "refunds",
    "decayed_count_90d", "discount_share", "refund_share",
)  # fmt: skip
"""Natural features a view shows under their own names."""


class Verdicts:
    """Applies decisions to the decision block, drafts what has to be said, and keeps the newest view of each customer."""

    def __init__(self, given: PartitionCustomers, rules: Rules, changes: Changes) -> None:
        self._given, self._rules, self._changes = given, rules, changes
        self._minor = 10**rules.exponent
        self._shown: dict[int, View] = {}

    def apply(
        self, rows: RowArray, asked: StateArray, now_ms: IntArray, decisions: Decisions, models: Models, order: dict[int, Order]
    ) -> None:
        """Write segment, alert and risk into `asked`'s decision blocks and draft the messages."""
        self._move(rows, asked, now_ms, decisions, models, order)
        self._close(rows, asked, now_ms, decisions, order)
        self._open(rows, asked, now_ms, decisions, order)
        self._index_risk(rows, asked, decisions)

    def _move(
        self, rows: RowArray, asked: StateArray, now_ms: IntArray, decisions: Decisions, models: Models, order: dict[int, Order]
    ) -> None:
        block = asked["decision"]
        first_seen = block["last_decision_ms"] == 0
        moved = decisions.segment != block["segment"]
        for at in np.flatnonzero(moved | first_seen):
            customer = self._given.customers[rows[at]]
            left, entered = SEGMENTS[block["segment"][at]], SEGMENTS[decisions.segment[at]]
            self._changes.segment_moves.append((customer, None if first_seen[at] else left, entered))
            if block["segment"][at] == UNSEGMENTED:
                continue
            self._changes.count("segment_changes")
            version = models.segments.version if models.segments else ""
            fields = {
                "message_id": message_id("segment-change", customer, left, entered, int(now_ms[at])),
                "customer_id": customer,
                "changed_ms": int(now_ms[at]),
                "left": left,
                "entered": entered,
                "model_version": version,
            }
            self._draft(order[int(rows[at])], "segment-change", SEGMENT_CHANGES, SegmentChanged, fields)
        block["segment_since_ms"] = np.where(moved, now_ms, block["segment_since_ms"])
        block["segment"] = decisions.segment

    def _close(
        self, rows: RowArray, asked: StateArray, now_ms: IntArray, decisions: Decisions, order: dict[int, Order]
    ) -> None:
        block, churn = asked["decision"], decisions.scored[CHURN_30D.name].probability
        for at in np.flatnonzero(decisions.closes):
            customer, episode_ms = self._given.customers[rows[at]], int(block["episode_ms"][at])
            opened_id = _opened_id(customer, episode_ms)
            fields = {
                "message_id": message_id("churn-alert.closed", opened_id),
                "customer_id": customer,
                "closed_ms": int(now_ms[at]),
                "episode_ms": episode_ms,
                "opened_message_id": opened_id,
                "cause": "purchase" if decisions.purchased[at] else "probability",
                "probability": _known(churn[at]),
            }
            self._draft(order[int(rows[at])], "churn-alert.closed", CHURN_ALERTS, ChurnAlertClosed, fields)
            self._changes.count("churn_alerts_closed")
        block["alert"] = np.where(decisions.closes, 0, block["alert"])

    def _open(
        self, rows: RowArray, asked: StateArray, now_ms: IntArray, decisions: Decisions, order: dict[int, Order]
    ) -> None:
        block, scored = asked["decision"], decisions.scored[CHURN_30D.name]
        last_purchase_ms = asked["features"]["last_purchase_ms"]
        for at in np.flatnonzero(decisions.opens):
            customer, episode_ms = self._given.customers[rows[at]], int(last_purchase_ms[at])
            fields = {
                "message_id": _opened_id(customer, episode_ms),
                "customer_id": customer,
                "opened_ms": int(now_ms[at]),
                "episode_ms": episode_ms,
                "probability": float(scored.probability[at]),
                "value_at_risk": self._major(decisions.value_at_risk_minor[at]),
                "currency": self._rules.currency,
                "reasons": self._reasons(decisions, np.array([at]))[0],
                "model": scored.model,
                "model_version": scored.version,
            }
            self._draft(order[int(rows[at])], "churn-alert.opened", CHURN_ALERTS, ChurnAlertOpened, fields)
            self._changes.count("churn_alerts")
        block["alert"] = np.where(decisions.opens, 1, block["alert"])
        block["episode_ms"] = np.where(decisions.opens, last_purchase_ms, block["episode_ms"])

    def _draft(self, order: Order, kind: str, topic: str, build: Any, fields: dict[str, Any]) -> None:
        self._changes.drafts.append(MessageDraft((*order[:4], kind), topic, fields["customer_id"], build, fields))

    def _index_risk(self, rows: RowArray, asked: StateArray, decisions: Decisions) -> None:
        block = asked["decision"]
        risk, shown = decisions.value_at_risk_minor / self._minor, block["risk_shown"].astype(float)
        moved = np.abs(risk - shown) > RISK_MOVES_BY * np.maximum(shown, 1 / self._minor)
        for at in np.flatnonzero(moved):
            self._changes.risks[self._given.customers[rows[at]]] = float(risk[at])
        block["risk_shown"] = np.where(moved, risk, shown)

    def show(self, rows: RowArray, asked: StateArray, now_ms: IntArray, decisions: Decisions) -> None:
        """Keep the views of the decided customers; the last one of a chunk is stored."""
        natural = decisions.natural
        features = {name: natural[name].tolist() for name in SHOWN}
        money = {name: asked["features"][f"{name}_minor"].tolist() for name in ("purchase", "refund")}
        net = natural["net_spend_365d_minor"].tolist()
        reasons = self._reasons(decisions, np.arange(len(rows)))
        block = asked["decision"]
        for at, row in enumerate(rows.tolist()):
            shown: dict[str, Any] = {name: _known(values[at]) for name, values in features.items()}
            shown["spend"] = self._major(money["purchase"][at])
            shown["refunded"] = self._major(money["refund"][at])
            shown["net_spend_365d"] = self._major(net[at])
            for name in ("first_purchase_ms", "last_purchase_ms", "last_event_ms"):
                shown[name] = int(asked["features"][name][at]) or None
            self._shown[row] = View(
                customer_id=self._given.customers[row],
                partition=self._given.partition,
                segment=SEGMENTS[block["segment"][at]],
                segment_since_ms=int(block["segment_since_ms"][at]) or None,
                scores={
                    outcome: Score(_known(scored.probability[at]), scored.model, scored.version)
                    for outcome, scored in decisions.scored.items()
                },
                value_at_risk=self._value_at_risk(decisions, at),
                currency=self._rules.currency,
                alert=AlertState(bool(block["alert"][at]), int(block["episode_ms"][at]) if block["alert"][at] else None),
                reasons=reasons[at],
                features=shown,
                as_of_ms=int(now_ms[at]),
                valid_until_ms=int(block["decide_at_ms"][at]),
            )

    def render_views(self) -> None:
        """Encode the newest view of each decided customer."""
        self._changes.views = {view.customer_id: encode_view(view) for view in self._shown.values()}

    def _value_at_risk(self, decisions: Decisions, at: int) -> str | None:
        unknown = np.isnan(decisions.scored[CHURN_30D.name].probability[at])
        return None if unknown else self._major(decisions.value_at_risk_minor[at])

    def _reasons(self, decisions: Decisions, chosen: RowArray) -> list[list[str]]:
        serving = decisions.scored[CHURN_30D.name].serving
        if serving is None:
            return [[] for _ in chosen]
        natural = decisions.natural
        concepts = top_concepts(serving, decisions.matrix[chosen])
        rows = []
        for at, named in zip(chosen, concepts, strict=True):
            row = {name: float(natural[name][at]) for name in SHOWN}
            row["net_spend_365d_major"] = float(natural["net_spend_365d_minor"][at]) / self._minor
            rows.append(in_words([CONCEPT_NAMES[code] for code in named if code != NO_CONCEPT], row))
        return rows

    def _major(self, minor: float) -> str:
        return str((Decimal(round(minor)) / self._minor).quantize(Decimal(1) / self._minor))


def _opened_id(customer: str, episode_ms: int) -> str:
    return message_id("churn-alert.opened", RULE_VERSION, customer, episode_ms)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
