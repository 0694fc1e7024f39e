"""Histories as Hypothesis draws them: wire dicts of a few customers over three years, in any order of time."""

import msgspec
import numpy as np
from hypothesis import strategies as st

from schemas.events import Event
from schemas.units import DAY_MS
from stream.features.facts import ENGAGEMENT_KINDS
from stream.features.facts_of_events import facts_of
from stream.features.fold import fold
from stream.features.layout import empty
from stream.features.vocabulary import Vocabulary

CUSTOMERS = 3
VOCABULARY = Vocabulary(
    categories=("garden", "kitchen"),
    genders=("female", "male"),
    regions=("Kent",),
    educations=("school", "degree"),
    loyalty_tiers=("silver", "gold"),
    time_zones=("Europe/London",),
)
START_MS = 1_262_304_000_000  # 2010
YEARS_3_MS = 3 * 365 * DAY_MS

_EXTRA = {
    "product_view": {"product_id": "a"},
    "search": {"query": "tea"},
    "add_to_cart": {"product_id": "a"},
    "remove_from_cart": {"product_id": "a"},
    "email_sent": {"campaign_id": "c"},
    "campaign_exposure": {"campaign_id": "c"},
    "coupon_redemption": {"coupon_id": "c"},
}

times_ms = st.one_of(
    st.integers(START_MS, START_MS + YEARS_3_MS),
    st.integers(0, 1000).map(lambda half_days: START_MS + half_days * DAY_MS // 2),  # often equal, often a day's edge
    st.integers(0, 3).map(lambda thirds: START_MS + 500 * DAY_MS + thirds * 333),  # a few in one second
)
lines = st.lists(
    st.fixed_dictionaries(
        {
            "product_id": st.sampled_from("abcdef"),
            "quantity": st.integers(1, 500),
            "unit_price": st.integers(1_000, 900_000).map(lambda mils: f"{mils // 1000}.{mils % 1000:03}"),
            "discount": st.sampled_from(["0", "0.125", "1"]),
            "category": st.sampled_from([None, *VOCABULARY.categories, "unheard-of"]),
        }
    ),
    min_size=1,
    max_size=4,
)
bodies = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["purchase", "purchase", "refund"]),
            "currency": st.just("GBP"),
            "channel": st.sampled_from(["online", "in_store", "app"]),
            "lines": lines,
        }
    ),
    st.sampled_from(sorted(set(ENGAGEMENT_KINDS) - {"session", "review", "loyalty_change"})).map(
        lambda kind: {"type": kind, **_EXTRA.get(kind, {})}
    ),
    st.fixed_dictionaries(
        {"type": st.just("session"), "duration_ms": st.one_of(st.integers(0, 9_999), st.just(31_622_400_000))}
    ),
    st.fixed_dictionaries({"type": st.just("review"), "rating": st.integers(1, 5)}),
    st.fixed_dictionaries(
        {"type": st.just("loyalty_change"), "tier": st.sampled_from(["silver", "gold", "unheard-of"])},
        optional={"points": st.one_of(st.integers(-500, 500), st.sampled_from([-1_000_000_000, 1_000_000_000]))},
    ),
    st.fixed_dictionaries(
        {"type": st.just("profile")},
        optional={
            "age": st.integers(0, 150),
            "gender": st.sampled_from(["female", "male", "unheard-of"]),
            "income": st.sampled_from(["0", "38501.5", "999999999999999"]),
            "region": st.sampled_from(["Kent", "unheard-of"]),
            "education": st.sampled_from(["school", "degree"]),
            "preferred_channel": st.sampled_from(["online", "in_store", "app"]),
            "loyalty_tier": st.sampled_from(["silver", "gold"]),
            "consent": st.booleans(),
            "time_zone": st.just("Europe/London"),
        },
    ),
)


@st.composite
def histories(draw, max_size=30):
    """Events with a customer row each, in log order: [(row, wire dict), ...]."""
    drawn = draw(st.lists(st.tuples(st.integers(0, CUSTOMERS - 1), times_ms, bodies), max_size=max_size))
    return [
        (row, {"event_id": f"e{place}", "event_time_ms": time_ms, "customer_id": str(row), **body})
        for place, (row, time_ms, body) in enumerate(drawn)
    ]


def facts_from(history):
    events = [msgspec.convert(event, Event) for _, event in history]
    return facts_of(events, [row for row, _ in history], VOCABULARY)


def folded(*pieces):
    """States after the histories, one `fold` for each."""
    states = empty(CUSTOMERS)
    for piece in pieces:
        fold(states, facts_from(piece))
    return states


def assert_equal_but_for_rounding(a, b):
    """Integers equal; decayed sums to 1e-9."""
    for block in ("features", "engagement"):
        for name in a.dtype[block].names:
            left, right = a[block][name], b[block][name]
            if left.dtype.kind == "f":
                np.testing.assert_allclose(left, right, rtol=1e-9, atol=0, err_msg=name)
            else:
                np.testing.assert_array_equal(left, right, err_msg=name)
