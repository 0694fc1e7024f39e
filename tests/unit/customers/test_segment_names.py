import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.customers.segments import CODE_OF, SEGMENTS, UNSEGMENTED, name_centres

MEANS, SCALES = np.log1p([30.0, 2.0, 500.0, 90.0]), np.array([2.0, 0.6, 1.3, 1.0])
numbers = st.floats(-20, 20)


def names(*customers):
    """Names of centres at (silence days, purchase days, spend, tenure days)."""
    return name_centres((np.log1p(customers) - MEANS) / SCALES, MEANS, SCALES)


def test_codes_are_stored_so_their_order_is_fixed():
    assert SEGMENTS[UNSEGMENTED] == "Unsegmented"
    assert CODE_OF["Champions"] == 1
    assert SEGMENTS[1:] == (
        "Champions",
        "Loyal Customers",
        "Potential Loyalists",
        "New Customers",
        "At Risk",
        "Need Attention",
    )


def test_the_best_loyal_centres_are_champions_and_the_others_loyal():
    assert names((4, 20, 8_000, 300), (6, 18, 7_000, 300), (20, 6, 1_500, 280)) == [
        "Champions",
        "Champions",
        "Loyal Customers",
    ]


def test_a_champion_that_fell_silent_is_at_risk_and_the_next_best_takes_the_name():
    assert names((60, 20, 8_000, 300), (20, 6, 1_500, 280)) == ["At Risk", "Champions"]


def test_frequent_buyers_of_little_are_not_champions():
    assert names((5, 9, 50, 300)) == ["Potential Loyalists"]


def test_in_a_young_shop_the_typical_customer_is_not_new():
    means = np.log1p([6.0, 1.2, 340.0, 7.0])
    found = name_centres((np.log1p([(6, 1, 300, 7), (2, 1, 300, 3)]) - means) / SCALES, means, SCALES)
    assert found == ["Potential Loyalists", "New Customers"]


def test_in_an_old_shop_only_customers_of_the_last_two_months_are_new():
    means = np.log1p([90.0, 5.0, 900.0, 900.0])
    found = name_centres((np.log1p([(50, 1, 300, 70), (40, 1, 300, 50)]) - means) / SCALES, means, SCALES)
    assert found == ["Potential Loyalists", "New Customers"]


@given(
    st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=12),
    st.tuples(*[st.floats(0, 10)] * 4),
    st.tuples(*[st.floats(0.01, 5)] * 4),
)
def test_every_centre_has_a_name(centres, means, scales):
    found = name_centres(centres, means, scales)
    assert len(found) == len(centres)
    assert set(found) <= set(SEGMENTS[1:])
