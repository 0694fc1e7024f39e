"""The messages of a churn alert: one when it opens, one when it closes."""

import numpy as np

from schemas.messages import ChurnAlertClosed, ChurnAlertOpened
from schemas.money import major_units
from schemas.topics import CHURN_ALERTS
from stream.actions.acting import Acting
from stream.actions.alerts import RULE_VERSION
from stream.actions.reasons import reasons_of
from stream.decisions import Asked, Decisions, value_at_risk_minor
from stream.drafts import message_id
from stream.features.columns import matrix_of_scored


def close_alerts(asked: Asked, decisions: Decisions, acting: Acting) -> None:
    """Close the alerts of customers who bought, or of whom the model has changed its mind."""
    closing = decisions.closes.nonzero()[0]
    for at in closing.tolist():
        row, episode_ms, probability = (
            int(asked.rows[at]),
            int(asked.block["episode_ms"][at]),
            decisions.churn[at],
        )
        opened = opened_id(acting.customers[row], episode_ms)
        acting.announcer.say(
            row, "churn-alert.closed", CHURN_ALERTS, ChurnAlertClosed,
            message_id=message_id("churn-alert.closed", opened),
            closed_ms=int(asked.now_ms[at]),
            episode_ms=episode_ms,
            opened_message_id=opened,
            cause="purchase" if decisions.purchased[at] else "probability",
            probability=None if np.isnan(probability) else float(probability),
        )  # fmt: skip
        acting.changes.count("churn_alerts_closed")
    asked.block["alert"][closing] = 0


def open_alerts(asked: Asked, decisions: Decisions, acting: Acting) -> None:
    """Alert whom silence has made likely to stay away. The episode is the last purchase, which began the silence."""
    block, opening = asked.block, decisions.opens.nonzero()[0]
    if not len(opening):
        return
    block["alert"][opening] = 1
    block["episode_ms"][opening] = asked.last_purchase_ms[opening]
    scored = decisions.scored.take(opening)
    rules = acting.rules
    each_reasons = reasons_of(decisions.by, matrix_of_scored(scored), scored, rules.currency, rules.exponent)
    at_risk = value_at_risk_minor(decisions.churn[opening], scored).tolist()
    for at, reasons, at_risk_minor in zip(opening.tolist(), each_reasons, at_risk, strict=True):
        _announce(at, reasons, at_risk_minor, asked, decisions, acting)


def _announce(
    at: int, reasons: list[str], at_risk_minor: float, asked: Asked, decisions: Decisions, acting: Acting
) -> None:
    row, episode_ms, rules = int(asked.rows[at]), int(asked.block["episode_ms"][at]), acting.rules
    serving = decisions.by.alerting
    acting.announcer.say(
        row, "churn-alert.opened", CHURN_ALERTS, ChurnAlertOpened,
        message_id=opened_id(acting.customers[row], episode_ms),
        opened_ms=int(asked.now_ms[at]),
        episode_ms=episode_ms,
        probability=float(decisions.churn[at]),
        value_at_risk=major_units(round(at_risk_minor), rules.exponent),
        currency=rules.currency,
        reasons=reasons,
        model=serving.name,
        model_version=serving.version,
    )  # fmt: skip
    acting.changes.count("churn_alerts")


def opened_id(customer: str, episode_ms: int) -> str:
    """The id of the message that opened the alert of a silence."""
    return message_id("churn-alert.opened", RULE_VERSION, customer, episode_ms)
