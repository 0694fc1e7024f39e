import numpy as np
import pytest

from offline.history import History
from offline.verify import Mismatch, compare, recompute
from schemas.decode import DecodeRules
from schemas.events import OrderLine, PageView, Purchase, Refund, RefundLine
from schemas.units import DAY_MS
from stream.errors import LayoutError
from stream.features.stored import pack

RULES = DecodeRules(currency="GBP")
START_MS = 1_262_304_000_000
LATER_MS = START_MS + 365 * DAY_MS


def bought(event_id, customer, day, price="10", **changes):
    lines = [OrderLine(product_id="tea", quantity=2, unit_price=price)]
    fields = {"event_time_ms": START_MS + day * DAY_MS, "currency": "GBP", "lines": lines} | changes
    return Purchase(event_id=event_id, customer_id=customer, **fields)


def recomputed(*events):
    return recompute(History(events), 4, RULES, LATER_MS)


HISTORY = (
    bought("1", "ada", 0),
    bought("2", "bob", 1),
    bought("3", None, 2),
    Refund(
        event_id="C1",
        customer_id="ada",
        event_time_ms=START_MS + 3 * DAY_MS,
        currency="GBP",
        lines=[RefundLine(product_id="tea", quantity=1, unit_price="10")],
    ),
    PageView(event_id="v1", customer_id="cleo", event_time_ms=START_MS + 4 * DAY_MS),
    bought("4", "ada", 40),
)


def stored(result):
    return dict(zip(result.customers, pack(result.states), strict=True))


def test_a_history_is_folded_per_customer_without_guests():
    result = recomputed(*HISTORY)
    assert list(result.customers) == ["ada", "bob", "cleo"]
    assert result.states["features"]["purchases"].tolist() == [2, 1, 0]
    assert result.states["features"]["purchase_minor"].tolist() == [4000, 2000, 0]
    assert result.states["features"]["refund_minor"].tolist() == [1000, 0, 0]
    assert result.states["engagement"]["count"].sum(axis=1).tolist() == [0, 0, 1]


def test_what_is_stored_as_recomputed_has_parity():
    result = recomputed(*HISTORY)
    parity = compare(result, stored(result))
    assert (parity.customers, list(parity.mismatches)) == (3, [])


def test_an_event_that_comes_twice_counts_once():
    result = recomputed(*HISTORY, bought("1", "ada", 50))
    assert result.duplicates == 1
    assert result.states["features"]["purchases"].tolist() == [2, 1, 0]


def test_an_event_no_worker_takes_is_left_out_and_does_not_hide_a_later_one_with_its_id():
    wrong = bought("9", "dora", 5, currency="EUR")
    result = recomputed(wrong, bought("9", "dora", 6))
    assert (result.rejected, result.duplicates) == (1, 0)
    assert result.states["features"]["purchases"].tolist() == [1]


def test_a_customer_of_one_side_only_is_a_mismatch():
    result = recomputed(*HISTORY)
    blobs = stored(result)
    blobs["eve"] = blobs.pop("bob")
    assert list(compare(result, blobs).mismatches) == [
        Mismatch("bob", "customer", "stored", "none"),
        Mismatch("eve", "customer", "none", "stored"),
    ]


def test_a_different_integer_is_named_with_its_slot():
    result = recomputed(*HISTORY)
    other = result.states.copy()
    other["features"]["purchases"][0] += 1
    other["features"]["channel_purchases"][1, 0] = 7
    other["engagement"]["count"][2, 0] = 3
    blobs = dict(zip(result.customers, pack(other), strict=True))
    assert list(compare(result, blobs).mismatches) == [
        Mismatch("ada", "features.purchases", "2", "3"),
        Mismatch("bob", "features.channel_purchases[0]", "1", "7"),
        Mismatch("cleo", "engagement.count[0]", "1", "3"),
    ]


@pytest.mark.parametrize(("factor", "differences"), [(1 + 1e-10, 0), (1 + 1e-8, 1), (float("nan"), 1)])
def test_decayed_sums_may_differ_by_a_billionth(factor, differences):
    result = recomputed(*HISTORY)
    other = result.states.copy()
    other["features"]["decayed_spend_minor"][0, 2] *= factor
    blobs = dict(zip(result.customers, pack(other), strict=True))
    assert len(compare(result, blobs).mismatches) == differences


def test_the_decision_is_its_owners():
    result = recomputed(*HISTORY)
    other = result.states.copy()
    other["decision"]["segment"] = 4
    blobs = dict(zip(result.customers, pack(other), strict=True))
    assert not compare(result, blobs).mismatches


def test_another_layout_is_refused():
    result = recomputed(*HISTORY)
    with pytest.raises(LayoutError):
        compare(result, dict.fromkeys(result.customers, b"short"))


def test_an_empty_history_and_an_empty_redis_are_equal():
    result = recomputed()
    assert np.shape(result.states) == (0,)
    assert not compare(result, {}).mismatches
