"""When a churn alert opens and closes (docs/architecture.md, "Alerts")."""

import math
from typing import NamedTuple

from stream.compiled import compiled
from stream.customers.silence import AT_LEAST_DAYS, AT_MOST_DAYS, GAP_MULTIPLE

RULE_VERSION = "1"  # part of every alert's id: another rule is another alert


class ChurnRule(NamedTuple):
    """A customer is alerted when a model is sure and the silence is long for this very customer.

    Attributes:
        open_probability: at least this probability opens.
        close_probability: below this an open alert closes.
        gap_multiple: silence must reach this many of the customer's own mean gaps, ...
        silence_at_least_days, silence_at_most_days: ... clamped to these bounds.
    """

    open_probability: float = 0.8
    close_probability: float = 0.7
    gap_multiple: float = GAP_MULTIPLE
    silence_at_least_days: float = AT_LEAST_DAYS
    silence_at_most_days: float = AT_MOST_DAYS


@compiled
def long_silence_days(rule: ChurnRule, mean_gap_days: float) -> float:
    """The silence that is long for a customer with this mean gap; never, where there is no gap.

    >>> [long_silence_days(ChurnRule(), gap) for gap in (3.0, 12.0, 120.0, math.nan)]
    [14.0, 24.0, 180.0, inf]
    """
    if math.isnan(mean_gap_days):
        return math.inf
    return min(max(rule.gap_multiple * mean_gap_days, rule.silence_at_least_days), rule.silence_at_most_days)


@compiled
def opens(rule: ChurnRule, probability: float, silence_days: float, mean_gap_days: float) -> bool:
    """Whether silence and probability are enough. An unknown probability (nan) never opens.

    >>> opens(ChurnRule(), 0.9, 30.0, 12.0), opens(ChurnRule(), math.nan, 30.0, 12.0)
    (True, False)
    """
    return probability >= rule.open_probability and silence_days >= long_silence_days(rule, mean_gap_days)


@compiled
def closes(rule: ChurnRule, probability: float) -> bool:
    """Whether the model has changed its mind. An unknown probability closes nothing."""
    return probability < rule.close_probability
