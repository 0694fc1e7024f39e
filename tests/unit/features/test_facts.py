import msgspec
import numpy as np
import pytest

from schemas.events import Engagement, Event
from stream.features.facts import ENGAGEMENT_KINDS, KIND_CODES
from stream.features.facts_of_events import facts_of
from stream.features.hashes import event_hash, product_hash
from stream.features.vocabulary import Vocabulary

ORDER = {
    "type": "purchase",
    "event_id": "o1",
    "event_time_ms": 1_600_000_000_000,
    "currency": "GBP",
    "channel": "app",
    "lines": [
        {"product_id": "tea", "quantity": 2, "unit_price": "3.25", "discount": "0.50", "category": "kitchen"},
        {"product_id": "pot", "quantity": 1, "unit_price": "10", "category": "garden"},
        {"product_id": "tea", "quantity": 1, "unit_price": "3.25", "category": "kitchen"},
        {"product_id": "jam", "quantity": 1, "unit_price": "1.00"},
    ],
}
REFUND = {
    "type": "refund",
    "event_id": "r1",
    "event_time_ms": 1_600_000_000_001,
    "currency": "GBP",
    "lines": [{"product_id": "tea", "quantity": -2, "unit_price": "3.25", "discount": "0.50", "category": "kitchen"}],
}
VIEW = {"type": "page_view", "event_id": "v1", "event_time_ms": 1_600_000_000_002}


def facts(*events, **options):
    return facts_of([msgspec.convert(event, Event) for event in events], list(range(len(events))), **options)


def test_an_order_a_refund_and_a_visit_as_columns():
    found = facts(ORDER, REFUND, VIEW, vocabulary=Vocabulary(categories=("garden", "kitchen")))
    assert found.row.tolist() == [0, 1, 2]
    assert found.kind.tolist() == [1, 2, 10]
    assert found.time_ms.tolist() == [1_600_000_000_000, 1_600_000_000_001, 1_600_000_000_002]
    assert found.id_hash.tolist() == [event_hash("o1"), event_hash("r1"), event_hash("v1")]
    assert found.amount_minor.tolist() == [600 + 1000 + 325 + 100, 600, 0]
    assert found.discount_minor.tolist() == [50, 0, 0]
    assert found.units.tolist() == [5, 2, 0]
    assert found.lines.tolist() == [4, 1, 0]
    assert found.channel.tolist() == [3, 1, 0]
    assert found.category_lines.tolist() == [[1, 2, 0, 0, 0, 0, 0, 1], [0, 1, *[0] * 6], [0] * 8]
    bought = sorted(map(product_hash, ("tea", "pot", "jam")), reverse=True)
    assert found.products.tolist() == [bought, [0, 0, 0], [0, 0, 0]]


def test_a_currency_without_minor_units_counts_major_ones():
    assert facts(REFUND, exponent=0).amount_minor.tolist() == [6]


def test_take_keeps_types_and_order():
    found = facts(ORDER, REFUND, VIEW)
    taken = found.take(np.array([2, 0]))
    assert len(taken) == 2
    for name, column in vars(taken).items():
        original = getattr(found, name)
        assert column.dtype == original.dtype
        np.testing.assert_array_equal(column, original[[2, 0]])


def test_no_events_are_empty_columns():
    found = facts()
    assert len(found) == 0
    assert found.products.shape == (0, 3)
    assert found.category_lines.shape == (0, 8)


def test_sessions_reviews_loyalty_changes_and_profiles_as_columns():
    names = Vocabulary(genders=("female", "male"), loyalty_tiers=("silver", "gold"), time_zones=("Europe/London",))
    at = {"event_time_ms": 1_600_000_000_000, "customer_id": "ada"}
    full = {"age": 47, "gender": "male", "income": "38501.50", "region": "Kent", "education": "degree"}
    found = facts(
        {"type": "session", "event_id": "a", "duration_ms": 61_500, **at},
        {"type": "review", "event_id": "b", "rating": 4, **at},
        {"type": "loyalty_change", "event_id": "c", "tier": "gold", "points": -30, **at},
        {"type": "loyalty_change", "event_id": "d", "tier": "unheard-of", **at},
        {"type": "profile", "event_id": "e", "age": 0, "income": "999999999999999", "consent": False, **at},
        {"type": "profile", "event_id": "f", "preferred_channel": "app", "loyalty_tier": "silver", "consent": True}
        | {"time_zone": "Europe/London", **full, **at},
        {"type": "profile", "event_id": "g", **at},
        vocabulary=names,
    )
    assert found.value.tolist() == [62, 4, -30, 0, 0, 0, 0]
    assert found.tier.tolist() == [0, 0, 2, 255, 0, 0, 0]
    nothing = (0,) * 9
    assert found.profile.tolist() == [nothing] * 4 + [
        (4_294_967_295, 1, 0, 0, 0, 0, 0, 1, 0),  # income stops at the end of its four bytes
        (38_503, 48, 2, 255, 255, 3, 1, 2, 1),
        nothing,
    ]


def test_more_names_than_the_record_has_room_for_are_refused():
    with pytest.raises(ValueError, match="8 categories are declared; at most 7"):
        Vocabulary(categories=tuple("abcdefgh"))
    with pytest.raises(ValueError, match="255 time zones are declared; at most 254"):
        Vocabulary(time_zones=tuple(map(str, range(255))))


def test_every_kind_of_the_schema_has_a_code_of_its_own():
    tags = [kind.__struct_config__.tag for kind in Engagement.__args__]
    assert sorted(tags) == sorted(ENGAGEMENT_KINDS)
    assert len(set(KIND_CODES.values())) == len(KIND_CODES) == 20
    assert {kind.__struct_config__.tag for kind in Event.__args__} == set(KIND_CODES)
