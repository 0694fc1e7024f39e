"""What became of customer-weeks: the same declaration as the labels of the stream, counted over a whole history."""

from collections.abc import Iterable

import numpy as np

from offline.backtest.rows import BoolArray, FloatArray, Rows
from schemas.events import Event
from schemas.units import DAY_MS
from stream.chunk import Rules
from stream.features.facts import facts_of
from stream.outcomes.declaration import GRACE_MS, Outcome

_TIME_BITS = 44  # ms since 1970 until the year 2527


def values_of(rows: Rows, outcome: Outcome, events: Iterable[Event], rules: Rules) -> FloatArray:
    """1 where the outcome came true after the row's midnight, else 0; only for `known` rows does it mean anything.

    Args:
        rows: customer-weeks.
        outcome: what is asked, one of those of `rules`.
        events: all that took effect, in any order.
        rules: what is declared.
    """
    places = {customer: place for place, customer in enumerate(rows.customers)}
    ours = [event for event in events if event.customer_id in places]
    facts = facts_of(ours, [places[event.customer_id or ""] for event in ours], rules.vocabulary, rules.exponent)
    asked, everything = rules.outcomes.names.index(outcome.name), np.arange(len(facts))
    facts = facts.take(np.flatnonzero(rules.outcomes.matches(np.full(len(facts), asked), facts, everything)))
    keys = facts.row.astype(np.int64) << _TIME_BITS | facts.time_ms
    order = np.argsort(keys)
    amounts_minor = np.concatenate([[0], np.cumsum(facts.amount_minor[order])])
    begin = (rows.customer << _TIME_BITS) + rows.day * DAY_MS
    first, last = (
        np.searchsorted(keys[order], at, "right") for at in (begin, begin + rows.windows_days[outcome.name] * DAY_MS)
    )
    spent_minor = amounts_minor[last] - amounts_minor[first]
    reached = (last > first) & (spent_minor >= rules.outcomes.minimum_minor[asked])
    values: FloatArray = (reached == (outcome.true_when == "any")).astype(np.float64)
    return values


def known(rows: Rows, outcome: Outcome, time_ms: int) -> BoolArray:
    """Whether what became of each row was known at a time: its window and the grace for late events were over.

    Of rows of customers who are not asked it is never known.
    """
    window_days = rows.windows_days[outcome.name]
    found: BoolArray = (window_days > 0) & ((rows.day + window_days) * DAY_MS + GRACE_MS <= time_ms)
    return found
