"""What became of customer-weeks: the same declaration as the labels of the stream, counted over a whole history."""

from collections.abc import Iterable

import numpy as np

from offline.backtest.rows import BoolArray, FloatArray, IntArray, Rows
from schemas.events import Event
from schemas.units import DAY_MS
from stream.features.facts import KIND_CODES
from stream.outcomes.declaration import GRACE_MS, Outcome

_TIME_BITS = 44  # ms since 1970 until the year 2527


def values_of(rows: Rows, outcome: Outcome, events: Iterable[Event]) -> FloatArray:
    """1 where the outcome came true after the row's midnight, else 0; only for `known` rows does it mean anything.

    Args:
        rows: customer-weeks.
        outcome: what is asked.
        events: all that took effect, in any order.
    """
    places = {customer: place for place, customer in enumerate(rows.customers)}
    keys = [
        places[event.customer_id] << _TIME_BITS | event.event_time_ms
        for event in events
        if KIND_CODES[event.__struct_config__.tag] == outcome.event_kind  # type: ignore[index]
        and event.customer_id is not None
        and event.customer_id in places
    ]
    happened = np.sort(np.array(keys, np.int64))
    begin = (rows.customer << _TIME_BITS) + rows.day * DAY_MS
    hits = np.searchsorted(happened, begin + outcome.horizon_days * DAY_MS, "right")
    hits -= np.searchsorted(happened, begin, "right")
    by_hits = np.array([outcome.value(0), outcome.value(1)])
    values: FloatArray = by_hits[(hits > 0).astype(np.intp)]
    return values


def known(rows_day: IntArray, outcome: Outcome, time_ms: int) -> BoolArray:
    """Whether what became of each day was known at a time: its horizon and the grace for late events were over."""
    found: BoolArray = (rows_day + outcome.horizon_days) * DAY_MS + GRACE_MS <= time_ms
    return found
