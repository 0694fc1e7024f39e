"""Two customers of Online Retail II worked out by hand from its raw lines.

An invoice is one purchase at the time of its lines, read as UTC; a C invoice is a refund. Times in days since 1970:
2010-01-01 is day 14610. Decayed sums were added up with a pocket calculator from 2 ** (-age / half-life).
"""

import msgspec
import pytest

from schemas.events import Event
from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS, SEGMENT_COLUMNS, model_matrix, natural, segments_of
from stream.features.facts_of_events import facts_of
from stream.features.fold import fold
from stream.features.hashes import product_hash
from stream.features.layout import empty


def invoice(number, day, hour, minute, *lines):
    return {
        "type": "refund" if number.startswith("C") else "purchase",
        "event_id": number,
        "event_time_ms": day * DAY_MS + hour * 3_600_000 + minute * 60_000,
        "currency": "GBP",
        "lines": [{"product_id": code, "quantity": pieces, "unit_price": price} for code, pieces, price in lines],
    }


def state_of(*invoices):
    states = empty(1)
    fold(states, facts_of([msgspec.convert(each, Event) for each in invoices], [0] * len(invoices)))
    return states


CUSTOMER_14926 = state_of(
    # 505084   79341  12  2010-04-20 09:59  6.75   12 × 6.75 =  81.00   January to March 90 days + 19: day 14719
    # 505084   79164  96  2010-04-20 09:59  1.45   96 × 1.45 = 139.20   together 220.20
    invoice("505084", 14719, 9, 59, ("79341", 12, "6.75"), ("79164", 96, "1.45")),
    # C506495  79164 -15  2010-04-30 10:55  1.45   15 × 1.45 =  21.75 back   ten days later: day 14729
    invoice("C506495", 14729, 10, 55, ("79164", -15, "1.45")),
    # 534457   79164  96  2010-11-23 07:13  1.45   96 × 1.45 = 139.20   January to October 304 days + 22: day 14936
    invoice("534457", 14936, 7, 13, ("79164", 96, "1.45")),
)
NOW_14926_MS = (14936 + 14) * DAY_MS + (7 * 60 + 13) * 60_000  # 2010-12-07 07:13, 14 days after the last purchase


def test_what_is_stored_of_customer_14926():
    kept = CUSTOMER_14926["features"][0]
    assert kept["first_event_ms"] == kept["first_purchase_ms"] == 1_271_757_540_000  # 14719 d + 35,940 s
    assert kept["last_event_ms"] == kept["last_purchase_ms"] == 1_290_496_380_000  # 14936 d + 25,980 s
    assert kept["purchases"] == 2
    assert kept["refunds"] == 1
    assert kept["purchase_lines"] == 3
    assert kept["units"] == 12 + 96 + 96
    assert kept["refunded_units"] == 15
    assert kept["purchase_minor"] == 22_020 + 13_920
    assert kept["refund_minor"] == 2_175
    assert kept["largest_basket_minor"] == 22_020
    assert kept["hour_purchases"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]  # 07:13 is in 6-9, 09:59 in 9-12
    assert kept["channel_purchases"].tolist() == [2, 0, 0]  # the source names no channel: online
    assert kept["product_hash"].tolist() == [product_hash("79164"), product_hash("79341"), 0]
    assert kept["product_time_ms"].tolist() == [1_290_496_380_000, 1_271_757_540_000, 0]
    assert kept["purchase_days"].tolist() == [1, 0, 0, 1 << 25, 0, 0, 0, 0]  # 14936 - 14719 = 217 = 3 × 64 + 25


def test_the_features_of_customer_14926():
    found = natural(CUSTOMER_14926, NOW_14926_MS)
    expected = {
        "since_last_purchase_days": 14.0,
        "since_first_purchase_days": 230 + 1274 / 1440,  # 217 + 14 days less 2 h 46 min: 230 d 21 h 14 min
        "purchase_days": 2,
        "mean_gap_days": 217.0,
        "silence_over_gap": 14 / 217,
        "mean_basket_minor": 17_970.0,
        "refund_share": 2_175 / 35_940,
        "discount_share": 0.0,
        "online_share": 1.0,
        # ages 230.8847 and 14 days: two half-lives of 7 days leave 1/4 of the last order, and 1.18e-10 of the first
        "decayed_count_7d": 0.2500000001177518,
        "decayed_spend_7d_minor": 3_480.000002592895,
        "decayed_count_30d": 0.7284566027648597,  # 0.0048219840 + 0.7236346187
        "decayed_spend_90d_minor": 16_217.328867093045,  # 22,020 × 0.1689436695 + 13,920 × 0.8977865851
        "decayed_spend_365d_minor": 27_758.362637464095,  # 22,020 × 0.6450304252 + 13,920 × 0.9737638416
        "decayed_refund_365d_minor": 1_429.9436774630026,  # 2,175 × 0.6574453689, age 220 d 20 h 18 min
        "net_spend_365d_minor": 26_328.418960001092,
    }
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value, rel=1e-9), name


def test_the_columns_of_customer_14926():
    columns = dict(zip(MODEL_COLUMNS, model_matrix(CUSTOMER_14926, NOW_14926_MS)[0], strict=True))
    assert columns["log_since_last_purchase_days"] == pytest.approx(2.70805020110221)  # ln 15
    assert columns["log_since_last_purchase_days_above_7"] == pytest.approx(0.6286086594223741)  # ln 15 - ln 8
    assert columns["log_since_last_purchase_days_above_30"] == 0
    assert columns["log_mean_gap_days"] == pytest.approx(5.384495062789089)  # ln 218
    assert columns["log_mean_basket_minor"] == pytest.approx(5.196838083732498)  # ln 180.70
    assert columns["fresh_browsing"] == 0
    segment = dict(zip(SEGMENT_COLUMNS, segments_of(natural(CUSTOMER_14926, NOW_14926_MS))[0], strict=True))
    assert segment == {
        "silence": pytest.approx(2.70805020110221),
        "frequency": pytest.approx(1.0986122886681098),  # ln 3: two purchase days
        "spend": pytest.approx(5.577025, abs=1e-6),  # ln 264.28419
        "tenure": pytest.approx(5.446240, abs=1e-6),  # ln 231.88472
    }


CUSTOMER_17553 = state_of(
    # 503851  79321 192  2010-04-08 09:44  4.25   192 × 4.25 = 816.00   90 + 7 days: day 14707
    invoice("503851", 14707, 9, 44, ("79321", 192, "4.25")),
    # 517905  62018 600  2010-08-03 09:44  1.25   600 × 1.25 = 750.00   January to July 212 days + 2: day 14824
    invoice("517905", 14824, 9, 44, ("62018", 600, "1.25")),
    # 520077  79321  48  2010-08-24 09:49  4.25    48 × 4.25 = 204.00   21 days later: day 14845
    # 520077  62018 400  2010-08-24 09:49  1.25   400 × 1.25 = 500.00   together 704.00
    invoice("520077", 14845, 9, 49, ("79321", 48, "4.25"), ("62018", 400, "1.25")),
)
NOW_17553_MS = (14845 + 30) * DAY_MS + (9 * 60 + 49) * 60_000  # 2010-09-23 09:49, 30 days after the last purchase


def test_what_is_stored_of_customer_17553():
    kept = CUSTOMER_17553["features"][0]
    assert kept["purchases"] == 3
    assert kept["refunds"] == kept["refund_minor"] == kept["refunded_units"] == 0
    assert kept["purchase_lines"] == 4
    assert kept["units"] == 192 + 600 + 448
    assert kept["purchase_minor"] == 81_600 + 75_000 + 70_400
    assert kept["largest_basket_minor"] == 81_600
    assert kept["hour_purchases"].tolist() == [0, 0, 0, 3, 0, 0, 0, 0]
    assert kept["product_hash"].tolist() == [product_hash("79321"), product_hash("62018"), 0]  # same time: larger first
    assert kept["product_time_ms"].tolist() == [1_282_643_340_000, 1_282_643_340_000, 0]
    assert kept["purchase_days"].tolist() == [1 | 1 << 21, 0, 1 << 10, 0, 0, 0, 0, 0]  # 0, 21 and 138 days before


def test_the_features_of_customer_17553():
    found = natural(CUSTOMER_17553, NOW_17553_MS)
    expected = {
        "since_last_purchase_days": 30.0,
        "since_first_purchase_days": 168 + 5 / 1440,
        "purchase_days": 3,
        "mean_gap_days": 69.0,  # (14845 - 14707) / 2
        "silence_over_gap": 30 / 69,
        "mean_basket_minor": 227_000 / 3,
        "refund_share": 0.0,
        "decayed_count_7d": 0.05767768616526918,  # 0.0512709598 + 0.0064066668 + 0.0000000596
        "decayed_count_30d": 0.8283770692140319,  # 0.5 + 0.3077614121 + 0.0206156571
        "decayed_spend_30d_minor": 59_964.343528181664,  # 70,400 / 2 + 75,000 × 0.3077614121 + 81,600 × 0.0206156571
        "decayed_count_90d": 1.7430563561787435,
        "decayed_spend_365d_minor": 193_888.18870462844,
        "net_spend_365d_minor": 193_888.18870462844,
    }
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value, rel=1e-9), name
