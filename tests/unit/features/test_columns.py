import numpy as np
import pytest

from schemas.units import DAY_MS
from stream.features.columns import CONCEPTS, MODEL_COLUMNS, NATURAL_COLUMNS, model_matrix, natural
from stream.features.layout import empty
from stream.features.natural import add_column
from tests.unit.features.histories import START_MS, folded

REFUND_ALONE = {
    "type": "refund",
    "event_id": "r",
    "event_time_ms": START_MS,
    "currency": "GBP",
    "lines": [{"product_id": "a", "quantity": 1, "unit_price": "5"}],
}


def column(states, name, now_ms):
    return model_matrix(states, now_ms)[:, MODEL_COLUMNS.index(name)].tolist()


def test_every_column_has_one_name_and_a_concept():
    assert len(set(MODEL_COLUMNS)) == len(MODEL_COLUMNS)
    assert set(CONCEPTS) == set(MODEL_COLUMNS)
    assert set(CONCEPTS.values()) == {"silence", "frequency", "spend", "engagement", "age", "refunds"}
    assert all(entry.doc and entry.unit for entry in NATURAL_COLUMNS.values())


def test_a_customer_of_whom_nothing_is_known_has_zero_columns():
    assert not model_matrix(empty(2), START_MS).any()


def test_a_refund_without_a_purchase_is_all_refunded_and_knows_no_silence():
    found = natural(folded([(0, REFUND_ALONE)]), START_MS + DAY_MS)
    assert found["refund_share"][0] == 1
    assert found["net_spend_365d_minor"][0] == 0
    assert np.isnan(found["since_last_purchase_days"][0])
    assert np.isnan(found["mean_basket_minor"][0])
    assert found["since_first_event_days"][0] == 1


def test_a_time_before_the_last_event_counts_as_that_event():
    states = folded([(0, {**REFUND_ALONE, "type": "purchase"})])
    assert natural(states, START_MS - 400 * DAY_MS)["since_last_purchase_days"][0] == 0
    assert natural(states, START_MS - 400 * DAY_MS)["decayed_spend_7d_minor"][0] == pytest.approx(500)


def test_freshness_halves_in_a_week_and_is_zero_for_never():
    visit = {"type": "search", "query": "tea", "event_id": "s", "event_time_ms": START_MS}
    states = folded([(1, visit)])
    assert column(states, "fresh_browsing", START_MS) == [0, 1, 0]
    assert column(states, "fresh_browsing", START_MS + 7 * DAY_MS) == [0, 0.5, 0]


def test_each_customer_may_have_a_time_of_its_own():
    states = folded([(row, {**REFUND_ALONE, "type": "purchase"}) for row in range(3)])
    nows = START_MS + np.array([1, 2, 3]) * DAY_MS
    assert natural(states, nows)["since_last_purchase_days"].tolist() == [1, 2, 3]


def test_an_unknown_feature_and_a_name_given_twice_are_errors():
    with pytest.raises(KeyError, match="recency"):
        natural(empty(1), START_MS)["recency"]
    with pytest.raises(ValueError, match="two features named 'purchases'"):
        add_column("purchases", "purchases", "again", lambda n: n["refunds"])
