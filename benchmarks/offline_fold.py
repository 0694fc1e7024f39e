"""How fast the offline side folds: `stream.features.fold` on arrays, one core."""

import time

import numpy as np

from benchmarks.loads import CUSTOMERS, DAY_MS, PURCHASE_SHARE
from stream.features.facts import (
    CATEGORIES_MAX,
    CHANNELS,
    ENGAGEMENT_KINDS,
    FIRST_ENGAGEMENT,
    PRODUCTS_KEPT,
    PURCHASE,
    EventFacts,
)
from stream.features.fold import fold
from stream.features.layout import empty

EVENTS, REPEATS = 1_000_000, 3
BEGIN_MS, SPAN_DAYS = 18_262 * DAY_MS, 30


def facts(events: int, seed: int) -> EventFacts:
    """Events of `CUSTOMERS` customers over a month, in the order of time."""
    random = np.random.default_rng([seed, 3])
    buys = random.random(events) < PURCHASE_SHARE
    lines = random.integers(1, 4, events) * buys
    kinds = random.integers(FIRST_ENGAGEMENT, FIRST_ENGAGEMENT + len(ENGAGEMENT_KINDS), events)
    categories = np.zeros((events, CATEGORIES_MAX + 1), np.uint16)
    categories[:, -1] = lines
    products = np.sort(random.integers(1, 2**63, (events, PRODUCTS_KEPT)).astype(np.uint64), axis=1)[:, ::-1]
    return EventFacts(
        row=random.integers(0, CUSTOMERS, events),
        kind=np.where(buys, PURCHASE, kinds).astype(np.uint8),
        time_ms=np.sort(BEGIN_MS + random.integers(0, SPAN_DAYS * DAY_MS, events)),
        id_hash=random.integers(1, 2**63, events).astype(np.uint64),
        amount_minor=random.integers(100, 20_000, events) * buys,
        discount_minor=np.zeros(events, np.int64),
        units=lines * 2,
        lines=lines.astype(np.int32),
        channel=(random.integers(1, len(CHANNELS) + 1, events) * buys).astype(np.uint8),
        category_lines=categories,
        products=np.ascontiguousarray(products * buys[:, None].astype(np.uint64)),
    )


def events_per_s(events: int, seed: int) -> int:
    """The best of a few folds of all events into empty states, by CPU time."""
    given = facts(events, seed)
    spent_s = []
    for _ in range(REPEATS):
        states = empty(CUSTOMERS)
        began_s = time.process_time()
        fold(states, given)
        spent_s.append(time.process_time() - began_s)
    return round(events / min(spent_s))
