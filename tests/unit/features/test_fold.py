import numpy as np

from schemas.units import DAY_MS
from stream.features.columns import natural
from stream.features.facts import EventFacts
from stream.features.fold import fold
from stream.features.hashes import event_hash
from stream.features.layout import empty
from stream.features.merge import merge
from tests.unit.features.histories import START_MS, facts_from, folded


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


def sessions(n, seconds):
    """`n` sessions of customer 0 at one time."""
    event = {"type": "session", "event_id": "s", "event_time_ms": START_MS, "duration_ms": seconds * 1000}
    one = facts_from([(0, event)])
    return EventFacts(*(np.repeat(column, n, axis=0) for column in vars(one).values()))


def test_seconds_of_sessions_stop_at_the_end_of_four_bytes_in_any_split_and_merge():
    at_once, split = empty(1), empty(1)
    fold(at_once, sessions(140, 31_000_000))
    for _ in range(7):
        fold(split, sessions(20, 31_000_000))
    assert at_once["engagement"]["session_s"][0] == 4_294_967_295
    assert split.tobytes() == at_once.tobytes()
    assert merge(at_once, split)["engagement"]["session_s"][0] == 4_294_967_295


def profile(event_id, time_ms, **fields):
    return (0, {"type": "profile", "event_id": event_id, "customer_id": "0", "event_time_ms": time_ms, **fields})


def test_the_latest_profile_replaces_the_one_before_as_a_whole_and_an_older_one_that_comes_late_nothing():
    new = profile("new", START_MS + 1, age=40, consent=False)
    old = profile("old", START_MS, age=39, region="Kent", income="100")
    for states in (folded([old, new]), folded([new, old]), merge(folded([new]), folded([old]))):
        kept = states["engagement"][0]
        assert (kept["age"], kept["consent"], kept["region"], kept["income"]) == (41, 1, 0, 0)


def test_of_two_profiles_of_one_millisecond_that_of_the_larger_id_hash_holds():
    younger, older = profile("a", START_MS, age=20, region="Kent"), profile("b", START_MS, age=60, consent=True)
    larger_is_b = event_hash("b") > event_hash("a")
    for states in (folded([younger, older]), folded([older], [younger])):
        kept = states["engagement"][0]
        assert (kept["age"], kept["region"]) == ((61, 0) if larger_is_b else (21, 1))


def test_profiles_that_agree_in_time_and_id_keep_the_larger_of_each_field_whoever_came_first():
    younger, older = profile("a", START_MS, age=20, region="Kent"), profile("a", START_MS, age=60, consent=True)
    expected = (61, 1, 2)
    for states in (folded([younger, older]), folded([older], [younger]), merge(folded([older]), folded([younger]))):
        kept = states["engagement"][0]
        assert (kept["age"], kept["region"], kept["consent"]) == expected


def test_the_tier_is_that_of_the_later_of_profile_and_loyalty_change():
    silver = profile("p", START_MS + 10 * DAY_MS, loyalty_tier="silver")
    for day, code in ((5, 1), (15, 2)):
        time_ms = START_MS + day * DAY_MS
        gold = (0, {"type": "loyalty_change", "event_id": "l", "event_time_ms": time_ms, "tier": "gold"})
        assert natural(folded([gold, silver]), time_ms)["loyalty_tier_code"][0] == code


def test_a_rating_is_the_last_one_and_the_highest_of_one_second():
    def review(name, time_ms, rating):
        return (0, {"type": "review", "event_id": name, "event_time_ms": time_ms, "rating": rating})

    first, low, high = review("a", START_MS, 5), review("b", START_MS + 5000, 1), review("c", START_MS + 5999, 2)
    for states in (folded([first, low, high]), folded([high], [low], [first])):
        found = natural(states, START_MS + DAY_MS)
        assert (found["last_rating"][0], found["mean_rating"][0]) == (2, 8 / 3)


def test_who_buys_the_same_two_products_again_and_again_has_many_days_of_two_products():
    early = [order("a", 0, "x"), order("b", 1, "y"), order("c", 2, "z")]
    again = [order(f"again-{day}", day, "yz"[day % 2]) for day in range(10, 20)]
    found = natural(folded(early + again), START_MS + 30 * DAY_MS)
    assert found["purchase_days_of_two_products"][0] == 12  # days 1, 2 and 10 to 19: after x
    assert (found["products_kept"][0], found["last_basket_products"][0]) == (3, 1)


def test_merging_forgets_decisions():
    states = folded([order("a", 1)])
    states["decision"]["alert"] = 1
    assert not merge(states, states)["decision"]["alert"].any()


def test_folding_nothing_changes_nothing():
    states = folded([order("a", 1)])
    before = states.tobytes()
    fold(states, visits(0))
    assert states.tobytes() == before
