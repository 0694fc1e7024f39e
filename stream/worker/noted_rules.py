"""The rules of a worker as its journal tells them: what of them a deployment may change from one start to the next."""

from dataclasses import replace

import msgspec

from stream.chunk import Rules
from stream.outcomes.declaration import Outcome
from stream.outcomes.declared import DeclaredOutcomes


class NotedRules(msgspec.Struct, frozen=True):
    """What of `Rules` is no property of the deployment.

    Attributes:
        outcomes: what was asked.
        alert_outcome: the one that alerts went by.
        open_probability: of `ChurnRule`.
        close_probability: likewise.
        decide_every_ms: of `Rules`.
        stale_after_ms: likewise; another one in a replay and on the live clock.
    """

    outcomes: tuple[Outcome, ...]
    alert_outcome: str
    open_probability: float
    close_probability: float
    decide_every_ms: int
    stale_after_ms: int


def noted(rules: Rules) -> NotedRules:
    """These rules for the journal."""
    return NotedRules(
        outcomes=rules.outcomes.outcomes,
        alert_outcome=rules.alert_outcome,
        open_probability=rules.churn.open_probability,
        close_probability=rules.churn.close_probability,
        decide_every_ms=rules.decide_every_ms,
        stale_after_ms=rules.stale_after_ms,
    )


def as_noted(rules: Rules, then: NotedRules) -> Rules:
    """Rules of a deployment as they were then.

    >>> before = Rules(decide_every_ms=5)
    >>> repr(as_noted(Rules(), noted(before))) == repr(before)
    True
    """
    return replace(
        rules,
        outcomes=DeclaredOutcomes(then.outcomes, rules.vocabulary, rules.exponent),
        alert_outcome=then.alert_outcome,
        churn=rules.churn._replace(open_probability=then.open_probability, close_probability=then.close_probability),
        decide_every_ms=then.decide_every_ms,
        stale_after_ms=then.stale_after_ms,
    )
