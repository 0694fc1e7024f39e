"""What follows from decisions. A new action is one file in `stream.actions` and one entry here."""

from stream.actions.acting import Acting, Action
from stream.actions.churn_alerts import close_alerts, open_alerts
from stream.actions.segment_changes import move
from stream.decisions import Asked, Decisions

ACTIONS: tuple[Action, ...] = (move, close_alerts, open_alerts)


def act(asked: Asked, decisions: Decisions, acting: Acting) -> None:
    """Let every action take effect on the decision blocks of `asked`, on messages and indexes."""
    for action in ACTIONS:
        action(asked, decisions, acting)
