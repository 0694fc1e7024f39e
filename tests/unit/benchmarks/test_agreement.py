"""Nothing is timed before everybody has come to the same numbers."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.agreement import DisagreementError, Small, require_agreement
from benchmarks.peers.features import HALF_LIFE_30D_MS, updated

ADA = Small(purchases=2, spend_minor=4_250, last_purchase_ms=1_000, decayed_30d=1.5, engagement={"page_view": 3})


def test_the_last_bits_of_a_decayed_sum_may_differ() -> None:
    close = replace(ADA, decayed_30d=1.5 * (1 + 1e-12))
    assert require_agreement({"ebb": {"ada": ADA}, "quix": {"ada": close}, "obvious": {"ada": ADA}}) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"purchases": 3}, "purchases of ada is 2 for ebb, 3 for quix"),
        ({"spend_minor": 4_251}, "spend_minor of ada is 4250 for ebb, 4251 for quix"),
        ({"last_purchase_ms": 999}, "last_purchase_ms of ada"),
        ({"decayed_30d": 1.500_001}, "decayed_30d of ada"),
        ({"engagement": {"page_view": 2}}, "engagement of ada"),
    ],
)
def test_another_number_is_refused_and_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DisagreementError, match=said):
        require_agreement({"ebb": {"ada": ADA}, "quix": {"ada": replace(ADA, **change)}})


def test_a_customer_of_one_side_only_is_refused() -> None:
    with pytest.raises(DisagreementError, match="customer bob is known to quix alone"):
        require_agreement({"ebb": {"ada": ADA}, "quix": {"ada": ADA, "bob": ADA}})


def test_the_small_feature_set_worked_out_by_hand() -> None:
    lines = [{"unit_price": "12.50", "quantity": 2}, {"unit_price": "0.29", "quantity": 3}]
    record = updated(None, {"type": "purchase", "event_time_ms": 5, "lines": lines})
    record = updated(record, {"type": "page_view", "event_time_ms": 6})
    record = updated(record, {"type": "purchase", "event_time_ms": 5 + HALF_LIFE_30D_MS, "lines": lines[:1]})
    assert record == {
        "purchases": 2,
        "spend_minor": 2_587 + 2_500,
        "last_purchase_ms": 5 + HALF_LIFE_30D_MS,
        "decayed_30d": 1.5,
        "engagement": {"page_view": 1},
    }
