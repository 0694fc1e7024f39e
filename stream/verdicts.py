"""What decisions lead to: segment moves, alerts, value at risk, and the customer's view."""

import math
from typing import Any

import numpy as np

from schemas.messages import ChurnAlertClosed, ChurnAlertOpened, SegmentChanged
from schemas.money import major_units
from schemas.topics import CHURN_ALERTS, SEGMENT_CHANGES
from stream.actions.alerts import RULE_VERSION
from stream.actions.reasons import in_words
from stream.changes import Changes
from stream.chunk import IntArray, Models, PartitionCustomers, Rules
from stream.customers.segments import SEGMENTS, UNSEGMENTED
from stream.decisions import Decisions, Scored
from stream.drafts import MessageDraft, Order, message_id
from stream.features.layout import StateArray
from stream.outcomes.declaration import CHURN_30D, OUTCOMES
from stream.rounds import RowArray
from stream.scoring.explain import CONCEPT_NAMES, NO_CONCEPT, top_concepts
from stream.views import AlertState, Score, View, encode_view

RISK_MOVES_BY = 0.05  # the index of customers by value at risk is rewritten when the value has moved by this share

SHOWN = (
    "since_last_purchase_days", "since_first_purchase_days", "purchase_days", "mean_gap_days", "purchases", "refunds",
    "decayed_count_90d", "discount_share", "refund_share",
)  # fmt: skip
"""Natural features a view shows under their own names."""

VIEW_FEATURES = (
    *SHOWN, "spend", "refunded", "net_spend_365d", "first_purchase_ms", "last_purchase_ms", "last_event_ms",
)  # fmt: skip


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
                "probability": _known(churn[[at]])[0],
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
                "value_at_risk": self._major(decisions.value_at_risk_minor[[at]])[0],
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
        columns = self._columns(asked, now_ms, decisions)
        reasons = self._reasons(decisions, np.arange(len(rows)))
        for at, row in enumerate(rows.tolist()):
            self._shown[row] = self._view(row, {name: values[at] for name, values in columns.items()}, reasons[at])

    def _columns(self, asked: StateArray, now_ms: IntArray, decisions: Decisions) -> dict[str, list[Any]]:
        """Everything a view shows, a list per field: rows are built from lists, a hundred times quicker than from arrays."""
        block, stored, natural = asked["decision"], asked["features"], decisions.natural
        columns = {name: _known(natural[name]) for name in SHOWN}
        columns |= {name: (stored[name]).tolist() for name in ("first_purchase_ms", "last_purchase_ms", "last_event_ms")}
        columns |= {
            "spend": self._major(stored["purchase_minor"]),
            "refunded": self._major(stored["refund_minor"]),
            "net_spend_365d": self._major(natural["net_spend_365d_minor"]),
        }
        shown = {f"score:{outcome}": self._scores(scored) for outcome, scored in decisions.scored.items()}
        unknown = np.isnan(decisions.scored[CHURN_30D.name].probability).tolist()
        risk = self._major(decisions.value_at_risk_minor)
        return columns | shown | {
            "value_at_risk": [None if nothing else text for nothing, text in zip(unknown, risk, strict=True)],
            "segment": block["segment"].tolist(),
            "segment_since_ms": block["segment_since_ms"].tolist(),
            "alert": block["alert"].tolist(),
            "episode_ms": block["episode_ms"].tolist(),
            "as_of_ms": now_ms.tolist(),
            "valid_until_ms": block["decide_at_ms"].tolist(),
        }

    @staticmethod
    def _scores(scored: Scored) -> list[Score]:
        return [Score(value, scored.model, scored.version) for value in _known(scored.probability)]

    def _view(self, row: int, shown: dict[str, Any], reasons: list[str]) -> View:
        return View(
            customer_id=self._given.customers[row],
            partition=self._given.partition,
            segment=SEGMENTS[shown["segment"]],
            segment_since_ms=shown["segment_since_ms"] or None,
            scores={outcome.name: shown[f"score:{outcome.name}"] for outcome in OUTCOMES},
            value_at_risk=shown["value_at_risk"],
            currency=self._rules.currency,
            alert=AlertState(shown["alert"] == 1, shown["episode_ms"] if shown["alert"] else None),
            reasons=reasons,
            features={name: shown[name] for name in VIEW_FEATURES},
            as_of_ms=shown["as_of_ms"],
            valid_until_ms=shown["valid_until_ms"],
        )

    def render_views(self) -> None:
        """Encode the newest view of each decided customer."""
        self._changes.views = {view.customer_id: encode_view(view) for view in self._shown.values()}

    def _reasons(self, decisions: Decisions, chosen: RowArray) -> list[list[str]]:
        serving = decisions.scored[CHURN_30D.name].serving
        if serving is None:
            return [[] for _ in chosen]
        columns = {name: decisions.natural[name][chosen].tolist() for name in SHOWN}
        net_minor = decisions.natural["net_spend_365d_minor"][chosen]
        columns["net_spend_365d_major"] = (net_minor / self._minor).tolist()
        concepts = top_concepts(serving, decisions.matrix[chosen]).tolist()
        return [
            in_words(
                [CONCEPT_NAMES[code] for code in codes if code != NO_CONCEPT],
                {name: values[at] for name, values in columns.items()},
            )
            for at, codes in enumerate(concepts)
        ]

    def _major(self, minor: Any) -> list[str]:
        """Amounts in major units as decimal text."""
        return [major_units(amount, self._rules.exponent) for amount in np.rint(minor).astype(np.int64).tolist()]


def _opened_id(customer: str, episode_ms: int) -> str:
    return message_id("churn-alert.opened", RULE_VERSION, customer, episode_ms)


def _known(values: Any) -> list[Any]:
    """Numbers as a list, None for what is not known."""
    return [None if math.isnan(value) else value for value in values.tolist()]
