"""Laws of `fold` and `merge`: what a state is depends on the events, not on how they came."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from stream.features.fold import fold
from stream.features.layout import empty
from stream.features.merge import merge
from stream.features.stored import pack, unpack
from tests.unit.features.histories import (
    CUSTOMERS,
    START_MS,
    assert_equal_but_for_rounding,
    facts_from,
    folded,
    histories,
)

quick = settings(max_examples=150, deadline=None)


@quick
@given(histories(), st.lists(st.integers(0, 30), max_size=6))
def test_a_state_has_the_same_bits_wherever_the_log_is_cut(history, cuts):
    edges = [0, *sorted(cuts), len(history)]
    pieces = [history[start:end] for start, end in pairwise(edges)]
    assert folded(*pieces).tobytes() == folded(history).tobytes()


@quick
@given(histories())
def test_a_state_has_the_same_bits_event_by_event_and_across_storage(history):
    states = empty(CUSTOMERS)
    for each in history:
        states = unpack(pack(states))
        fold(states, facts_from([each]))
    assert states.tobytes() == folded(history).tobytes()


@quick
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_events_changes_rounding_alone(history, random):
    shuffled = random.sample(history, len(history))
    assert_equal_but_for_rounding(folded(shuffled), folded(history))


@quick
@given(histories(), st.lists(st.integers(0, 2), min_size=30, max_size=30))
def test_merging_any_partition_of_the_events_gives_the_whole(history, part_of):
    parts = [[each for each, part in zip(history, part_of, strict=False) if part == wanted] for wanted in range(3)]
    one, two, three = (folded(part) for part in parts)
    assert_equal_but_for_rounding(merge(merge(one, two), three), folded(history))
    assert_equal_but_for_rounding(merge(one, merge(three, two)), folded(history))


@quick
@given(histories())
def test_merging_with_nothing_changes_no_bit(history):
    states = folded(history)
    assert merge(states, empty(CUSTOMERS)).tobytes() == states.tobytes()
    assert merge(empty(CUSTOMERS), states).tobytes() == states.tobytes()


@quick
@given(histories())
def test_customers_do_not_touch_each_other(history):
    together = folded(history)
    for row in range(CUSTOMERS):
        alone = folded([each for each in history if each[0] == row])
        assert alone[row].tobytes() == together[row].tobytes()


@quick
@given(histories())
def test_states_that_are_every_other_row_of_an_array_fold_alike(history):
    wide = empty(2 * CUSTOMERS)
    fold(wide[::2], facts_from(history))
    assert wide[::2].tobytes() == folded(history).tobytes()
    assert wide[1::2].tobytes() == empty(CUSTOMERS).tobytes()


def refund_then_refund_then_free_order(after_years):
    """The last order is free of charge: it moves the reference and hides nothing in the sums."""
    line = {"product_id": "a", "quantity": 1, "unit_price": "3.37"}
    bodies = [
        (0, {"type": "refund", "lines": [line]}),
        (1, {"type": "refund", "lines": [line]}),
        (round(after_years * 365.25), {"type": "purchase", "lines": [{**line, "unit_price": "0"}]}),
    ]
    return [
        (0, {"event_id": str(day), "event_time_ms": START_MS - 7000 * DAY_MS + day * DAY_MS, "currency": "GBP", **body})
        for day, body in bodies
    ]


def test_decayed_sums_keep_their_bits_over_nineteen_years_and_their_value_beyond():
    apart = refund_then_refund_then_free_order(after_years=19)
    assert folded(apart[:2], apart[2:]).tobytes() == folded(apart).tobytes()
    beyond = refund_then_refund_then_free_order(after_years=19.7)
    cut, whole = folded(beyond[:2], beyond[2:]), folded(beyond)
    for name in ("decayed_count", "decayed_spend_minor", "decayed_refund_minor"):
        np.testing.assert_allclose(cut["features"][name], whole["features"][name], rtol=1e-9, atol=1e-290)
