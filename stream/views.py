"""The view: what everybody may read of a customer, one JSON object under its key."""

from typing import Any

import msgspec

VIEW_VERSION = 1


class Score(msgspec.Struct, frozen=True, gc=False):
    """One outcome's probability and who said so; `probability` is None and `model` "none" before 200 labels."""

    probability: float | None
    model: str
    version: str


class AlertState(msgspec.Struct, frozen=True, gc=False):
    """Whether a churn alert is open, and for which silence: `episode_ms` is the purchase it began with."""

    open: bool
    episode_ms: int | None


class View(msgspec.Struct, frozen=True, gc=False):
    """A customer as last decided.

    `as_of_ms` is the time of that decision; `valid_until_ms` is when a shown probability would have moved by .05 if no
    event arrives, at most a week later. Money is decimal text in major units of `currency`. Probabilities are rounded
    to six decimals, days, decayed counts and shares among the features to four.
    """

    customer_id: str
    partition: int
    segment: str
    segment_since_ms: int | None
    scores: dict[str, Score]
    value_at_risk: str | None
    currency: str
    alert: AlertState
    reasons: list[str]
    features: dict[str, Any]
    as_of_ms: int
    valid_until_ms: int
    schema_version: int = VIEW_VERSION
