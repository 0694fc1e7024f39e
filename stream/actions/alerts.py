"""When a churn alert opens and closes (docs/architecture.md, "Alerts")."""

import math
from typing import NamedTuple

from schemas.units import DAY_MS, NEVER_MS
from stream.compiled import compiled
from stream.customers.silence import AT_LEAST_DAYS, AT_MOST_DAYS, GAP_MULTIPLE, long_silence_days

RULE_VERSION = "1"  # part of every alert's id: another rule is another alert
_long_silence_days = compiled(long_silence_days)


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
def long_silent(rule: ChurnRule, silence_days: float, mean_gap_days: float) -> bool:
    """Whether silence is enough. Where there is no gap, none is.

    >>> long_silent(ChurnRule(), 30.0, 12.0), long_silent(ChurnRule(), 30.0, math.nan)
    (True, False)
    """
    long_days = _long_silence_days(
        mean_gap_days, rule.gap_multiple, rule.silence_at_least_days, rule.silence_at_most_days
    )
    return silence_days >= long_days


@compiled
def opens(rule: ChurnRule, probability: float, silence_days: float, mean_gap_days: float) -> bool:
    """Whether silence and probability are enough. An unknown probability (nan) never opens.

    >>> opens(ChurnRule(), 0.9, 30.0, 12.0), opens(ChurnRule(), float("nan"), 30.0, 12.0)
    (True, False)
    """
    return probability >= rule.open_probability and long_silent(rule, silence_days, mean_gap_days)


@compiled
def long_silent_ms(rule: ChurnRule, last_purchase_ms: int, mean_gap_days: float) -> int:
    """The first moment at which silence is enough; `NEVER_MS` where no silence is.

    >>> long_silent_ms(ChurnRule(), 5, 12.0) == 5 + 24 * DAY_MS, long_silent_ms(ChurnRule(), 5, math.nan) == NEVER_MS
    (True, True)
    """
    long_days = _long_silence_days(
        mean_gap_days, rule.gap_multiple, rule.silence_at_least_days, rule.silence_at_most_days
    )
    if math.isinf(long_days):
        return NEVER_MS
    whole_ms = int(long_days * DAY_MS)  # rounded down, or as a division takes it the moment itself
    return last_purchase_ms + whole_ms + (1 if whole_ms / DAY_MS < long_days else 0)


@compiled
def closes(rule: ChurnRule, probability: float) -> bool:
    """Whether the model has changed its mind. An unknown probability closes nothing."""
    return probability < rule.close_probability
