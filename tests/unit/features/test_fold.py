import numpy as np

from stream.features.columns import natural
from stream.features.facts import EventFacts
from stream.features.fold import fold
from stream.features.layout import empty
from stream.features.merge import merge
from tests.unit.features.histories import DAY_MS, START_MS, facts_from, folded


def order(name, day, product="a", hour=0):
    line = {"product_id": product, "quantity": 1, "unit_price": "1"}
    return (
        0,
        {
            "type": "purchase",
            "event_id": name,
            "event_time_ms": START_MS + day * DAY_MS + hour * 3_600_000,
            "currency": "GBP",
            "lines": [line],
        },
    )


def test_a_purchase_older_than_512_days_leaves_no_trace_in_the_days():
    first, second, third = order("a", 0), order("b", 511), order("c", 512)
    together = folded([first, second, third])
    assert together.tobytes() == folded([first], [second], [third]).tobytes()
    late = folded([second, third, first])
    assert late["features"]["purchase_days"].tolist() == together["features"]["purchase_days"].tolist()
    found = natural(late, START_MS + 600 * DAY_MS)
    assert found["purchase_days"][0] == 2
    assert found["mean_gap_days"][0] == 1
    assert found["purchases"][0] == 3


def test_a_purchase_511_days_old_still_counts():
    found = natural(folded([order("b", 511), order("a", 0)]), START_MS + 600 * DAY_MS)
    assert found["mean_gap_days"][0] == 511


def test_two_purchases_on_one_day_are_one_purchase_day_without_a_gap():
    found = natural(folded([order("a", 0), order("b", 0, hour=23)]), START_MS + 10 * DAY_MS)
    assert found["purchase_days"][0] == 1
    assert np.isnan(found["mean_gap_days"][0])
    assert np.isnan(found["silence_over_gap"][0])


def test_a_late_event_is_neither_last_nor_lost():
    states = folded([order("a", 10, "new"), order("b", 5, "old")])
    features = states["features"][0]
    assert features["last_purchase_ms"] == START_MS + 10 * DAY_MS
    assert features["first_purchase_ms"] == START_MS + 5 * DAY_MS
    assert features["product_time_ms"].tolist() == [START_MS + 10 * DAY_MS, START_MS + 5 * DAY_MS, 0]


def test_a_product_bought_again_moves_up_instead_of_filling_two_places():
    features = folded([order("a", 1, "x"), order("b", 2, "y"), order("c", 3, "x")])["features"][0]
    assert features["product_time_ms"].tolist() == [START_MS + 3 * DAY_MS, START_MS + 2 * DAY_MS, 0]


def visits(n):
    """`n` page views of customer 0 at one time."""
    one = facts_from([(0, {"type": "page_view", "event_id": "v", "event_time_ms": START_MS})])
    return EventFacts(*(np.repeat(column, n, axis=0) for column in vars(one).values()))


def test_counts_of_two_bytes_stop_at_their_end_in_any_split_and_merge():
    at_once, split = empty(1), empty(1)
    fold(at_once, visits(70_000))
    for _ in range(7):
        fold(split, visits(10_000))
    assert at_once["engagement"]["count"][0, 0] == 65_535
    assert split.tobytes() == at_once.tobytes() == merge(at_once, split).tobytes()


def test_merging_forgets_decisions():
    states = folded([order("a", 1)])
    states["decision"]["alert"] = 1
    assert not merge(states, states)["decision"]["alert"].any()


def test_folding_nothing_changes_nothing():
    states = folded([order("a", 1)])
    before = states.tobytes()
    fold(states, visits(0))
    assert states.tobytes() == before
