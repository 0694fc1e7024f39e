"""`fold` and the natural columns against plain Python that shares nothing with them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.features.columns import NATURAL_COLUMNS, natural
from tests import oracle_features as oracle
from tests.unit.features.histories import CATEGORIES, CUSTOMERS, DAY_MS, folded, histories

quick = settings(max_examples=150, deadline=None)


def events_of(row, history):
    return [event for at, event in history if at == row]


@quick
@given(histories())
def test_every_stored_number_is_what_the_oracle_counts(history):
    states = folded(history)
    for row in range(CUSTOMERS):
        for name, value in oracle.stored(events_of(row, history), CATEGORIES).items():
            np.testing.assert_array_equal(states["features"][name][row], value, err_msg=name)


@quick
@given(histories(), st.integers(0, 400 * DAY_MS))
def test_every_feature_is_what_the_oracle_says(history, later_ms):
    states = folded(history)
    now_ms = states["features"]["last_event_ms"] + later_ms
    found = natural(states, now_ms)
    for row in range(CUSTOMERS):
        if not (events := events_of(row, history)):
            continue
        expected = oracle.natural(events, int(now_ms[row]), CATEGORIES)
        assert expected.keys() == NATURAL_COLUMNS.keys()
        for name, value in expected.items():
            tolerance = {"rtol": 1e-9, "atol": 1e-9 * max(1.0, expected["spend_minor"]) if "net" in name else 0}
            np.testing.assert_allclose(found[name][row], value, err_msg=name, **tolerance)
