"""Events that came too late to count. No closed accumulator is kept, but the sampled days are known for ever."""

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.features.facts import EventFacts
from stream.outcomes.declaration import GRACE_MS
from stream.outcomes.declared import DeclaredOutcomes
from stream.outcomes.matching import matches
from stream.outcomes.sampling import HashArray, is_sampled

IntArray = NDArray[np.int64]


def came_too_late(
    facts: EventFacts,
    customers: HashArray,
    first_purchase_ms: IntArray,
    stream_time_ms: IntArray,
    outcomes: DeclaredOutcomes,
) -> NDArray[np.bool_]:
    """Whether each event would have counted in an accumulator that has closed.

    It would have if it lies within the horizon of a sampled midnight that has matured, and the customer had bought by
    that midnight. Whether a snapshot was really taken then is not kept: there was none of a customer who had been
    silent for 180 days, so a few more events are counted than labels were wronged. Outcomes whose window is the
    customer's own are left out: how long that was is not kept either.

    Args:
        facts: the events.
        customers: shape (events,), `customer_hash` of each event's customer.
        first_purchase_ms: shape (events,), the customer's first purchase known before the event; 0 for none.
        stream_time_ms: shape (events,), at each event.
        outcomes: those in force.
    """
    too_late, events = np.zeros(len(facts), np.bool_), np.arange(len(facts))
    for place, outcome in enumerate(outcomes.outcomes):
        if outcome.within_own_gap:
            continue
        last_day = (facts.time_ms - 1) // DAY_MS  # an event at a midnight is not after it
        days = last_day[:, None] - np.arange(outcome.horizon_days)
        matured = (days + outcome.horizon_days) * DAY_MS + GRACE_MS <= stream_time_ms[:, None]
        bought = (days * DAY_MS >= first_purchase_ms[:, None]) & (first_purchase_ms[:, None] > 0)
        sampled = is_sampled(np.broadcast_to(customers[:, None], days.shape), days)
        counts = matches(outcomes, np.full(len(facts), place), facts, events)
        too_late |= counts & (matured & bought & sampled).any(axis=1)
    return too_late
