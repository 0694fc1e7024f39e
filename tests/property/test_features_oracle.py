"""`fold` and the natural columns against plain Python that shares nothing with them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from stream.features.columns import NATURAL_COLUMNS, natural
from stream.features.layout import STATE
from tests import oracle_features as oracle
from tests.unit.features.histories import CUSTOMERS, START_MS, VOCABULARY, folded, histories

NAMES = {field: getattr(VOCABULARY, field) for field in VOCABULARY.__struct_fields__}
BLOCK_OF = {name: block for block in ("features", "engagement") for name in STATE[block].names}

quick = settings(max_examples=150, deadline=None)


def events_of(row, history):
    return [event for at, event in history if at == row]


@quick
@given(histories())
def test_every_stored_number_is_what_the_oracle_counts(history):
    states = folded(history)
    for row in range(CUSTOMERS):
        for name, value in oracle.stored(events_of(row, history), NAMES).items():
            np.testing.assert_array_equal(states[BLOCK_OF[name]][name][row], value, err_msg=name)


@quick
@given(st.lists(st.integers(0, 700), min_size=1, max_size=40))
def test_purchase_days_are_those_of_the_oracle_however_days_cross_words_and_come_late(days):
    line = {"product_id": "a", "quantity": 1, "unit_price": "1"}
    order = {"type": "purchase", "currency": "GBP", "lines": [line]}
    times_ms = [START_MS + day * DAY_MS for day in days]
    history = [(0, {"event_id": f"e{at}", "event_time_ms": time_ms, **order}) for at, time_ms in enumerate(times_ms)]
    expected = oracle.stored(events_of(0, history))["purchase_days"]
    assert folded(history)["features"]["purchase_days"][0].tolist() == expected
    assert folded(*([each] for each in history))["features"]["purchase_days"][0].tolist() == expected


@quick
@given(histories(), st.integers(0, 400 * DAY_MS))
def test_every_feature_is_what_the_oracle_says(history, later_ms):
    states = folded(history)
    now_ms = states["features"]["last_event_ms"] + later_ms
    found = natural(states, now_ms)
    for row in range(CUSTOMERS):
        if not (events := events_of(row, history)):
            continue
        expected = oracle.natural(events, int(now_ms[row]), NAMES)
        assert expected.keys() == NATURAL_COLUMNS.keys()
        for name, value in expected.items():
            tolerance = {"rtol": 1e-9, "atol": 1e-9 * max(1.0, expected["spend_minor"]) if "net" in name else 0}
            np.testing.assert_allclose(found[name][row], value, err_msg=name, **tolerance)
