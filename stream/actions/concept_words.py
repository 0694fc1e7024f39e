"""Every concept of a customer in words, for a full explanation: the sentences of reasons, and what those leave out.

A reason says what raises a probability. Here a concept is said of anybody, whichever way it counts: money has its
currency, engagement its counts, and what is not known is said to be unknown.
"""

import math
from collections.abc import Callable, Mapping

from stream.actions.reasons import UNKNOWN, WORDS, Figure

Money = Callable[[float], str]
"""Minor units -> an amount as a person reads it."""

_ENGAGED = (
    ("browsing_count", "page or search", "pages and searches"),
    ("add_to_cart_count", "put into the cart", "put into the cart"),
    ("answer_count", "answer to mails or ads", "answers to mails or ads"),
    ("support_contact_count", "contact with support", "contacts with support"),
)
"""Count -> what one of them is, and several."""


def in_full(concept: str, features: Mapping[str, float], money: Money) -> str:
    """A concept of one customer in words.

    Args:
        concept: one of `stream.scoring.explain.CONCEPT_NAMES`.
        features: natural features by name; nan is unknown.
        money: says an amount.

    >>> ada = {"since_last_purchase_days": 41.2, "mean_gap_days": math.nan, "net_spend_365d_minor": 321_245.0}
    >>> in_full("silence", ada, str), in_full("spend", ada, "{:,.0f} pence".format)
    ('no purchase for 41 days, usual gap unknown', 'net spend of the last year 321,245 pence')
    """
    if concept == "spend":
        return f"net spend of the last year {money(features['net_spend_365d_minor'])}"
    if concept == "engagement":
        return _engagement(features)
    words = WORDS[concept]
    said = words.sentence(_whole(features, words.first), _whole(features, words.second), "")  # amounts are said above
    if concept == "silence" and math.isnan(features["mean_gap_days"]):
        return f"{said}, usual gap unknown"
    return said


def _whole(features: Mapping[str, float], figure: Figure) -> int:
    figures = features[figure.feature] / figure.unit
    return UNKNOWN if math.isnan(figures) else round(figures)


def _engagement(features: Mapping[str, float]) -> str:
    counts = ((round(features[name]), one, several) for name, one, several in _ENGAGED)
    said = [f"{count:,} {one if count == 1 else several}" for count, one, several in counts if count]
    return ", ".join(said) or "no engagement known"
