"""Good records, and the edges of what is good."""

import json

import msgspec
import pytest

from schemas.clock import ClockRecord
from schemas.decode import DecodeRules, decode
from schemas.events import OrderLine, PageView, Purchase, Refund, RefundLine, Search
from schemas.profiles import Profile
from schemas.topics import CLOCK, ENGAGEMENT, PROFILES, PURCHASES, REROUTED

RULES = DecodeRules(currency="GBP")
NOW_MS = 1_291_900_000_000
LINE = OrderLine(product_id="85048", quantity=12, unit_price="6.95")
PURCHASE = Purchase(event_id="o1", customer_id="ada", event_time_ms=NOW_MS, currency="GBP", lines=[LINE])


def view(**fields):
    record = {"type": "page_view", "event_id": "v1", "event_time_ms": NOW_MS, **fields}
    return decode(ENGAGEMENT, json.dumps(record).encode(), NOW_MS, RULES)


@pytest.mark.parametrize(
    ("topic", "record"),
    [
        (PURCHASES, PURCHASE),
        (PURCHASES, Refund(event_id="r1", event_time_ms=NOW_MS, currency="GBP", purchase_id="o1", channel="app", lines=[
            RefundLine(product_id="85048", quantity=-2, unit_price="6.95", discount="0.95", category="christmas")
        ])),
        (ENGAGEMENT, Search(event_id="s1", customer_id="zoë", event_time_ms=NOW_MS, query="line\nfeed")),
        (PROFILES, Profile(event_id="p1", customer_id="ada", event_time_ms=NOW_MS, income="38500.50", consent=False)),
        (CLOCK, ClockRecord(time_ms=NOW_MS, ends={PURCHASES: 7102})),
        (REROUTED, PURCHASE),
    ],
)  # fmt: skip
def test_what_is_encoded_is_what_is_decoded(topic, record):
    assert decode(topic, msgspec.json.encode(record), NOW_MS, RULES) == record


def test_what_a_field_has_by_default_is_not_sent():
    assert msgspec.json.encode(PURCHASE) == (
        b'{"type":"purchase","event_id":"o1","event_time_ms":1291900000000,"customer_id":"ada","currency":"GBP",'
        b'"lines":[{"product_id":"85048","quantity":12,"unit_price":"6.95"}]}'
    )


def test_a_guest_has_no_customer_id_or_a_null_one():
    assert view().customer_id is None
    assert view(customer_id=None).customer_id is None


def test_unknown_fields_are_ignored_even_where_they_repeat_known_names():
    context = {"event_id": "other", "customer_id": ["x"], "event_time_ms": "never", "note": "event_id"}
    assert view(customer_id="ada", context=context) == PageView(event_id="v1", customer_id="ada", event_time_ms=NOW_MS)


@pytest.mark.parametrize("versions", [(1, None), (1, 1), (2, 1), (99, 1), (10**6, 1)])
def test_an_additive_newer_version_is_read(versions):
    version, compatible_with = versions
    assert view(schema_version=version, compatible_with=compatible_with).event_id == "v1"


@pytest.mark.parametrize("identifier", ["a", "a" * 128, "é" * 64, "顧客-1", "a b", "{3}:x", "😀", "a\u200db", "'; --"])
def test_identifiers_of_any_script_are_read(identifier):
    assert view(event_id=identifier, customer_id=identifier).customer_id == identifier


@pytest.mark.parametrize("time_ms", [631_152_000_000, NOW_MS, NOW_MS + 86_400_000])
def test_times_from_1990_to_a_day_ahead_of_kafka_are_read(time_ms):
    assert view(event_time_ms=time_ms).event_time_ms == time_ms


def test_the_bounds_of_time_and_size_are_rules():
    value = msgspec.json.encode(PURCHASE)
    strict = DecodeRules("GBP", earliest_event_time_ms=NOW_MS + 1, latest_lead_ms=0, max_bytes=len(value))
    assert decode(PURCHASES, value, NOW_MS, strict).reason == "event_time_too_early"
    assert decode(PURCHASES, value, NOW_MS - 1, DecodeRules("GBP", latest_lead_ms=0)).reason == "event_time_too_late"
    assert decode(PURCHASES, value + b" ", NOW_MS, strict).reason == "too_large"


@pytest.mark.parametrize("unit_price", ["0", "0.00", "000.5", "0.000000001", "9999999999999.99", "6.950000000"])
def test_amounts_up_to_a_quadrillion_minor_units_are_read(unit_price):
    order = msgspec.structs.replace(PURCHASE, lines=[OrderLine(product_id="a", quantity=1, unit_price=unit_price)])
    assert decode(PURCHASES, msgspec.json.encode(order), NOW_MS, RULES) == order


def test_a_discount_may_be_the_whole_line():
    line = OrderLine(product_id="a", quantity=3, unit_price="0.50", discount="1.50")
    order = msgspec.structs.replace(PURCHASE, lines=[line])
    assert decode(PURCHASES, msgspec.json.encode(order), NOW_MS, RULES) == order


def test_the_longest_order_that_is_decoded_stays_inside_64_bits():
    lines = b",".join([b'{"product_id":"a","quantity":1000000000,"unit_price":"0"}'] * 17_000)
    value = b'{"type":"purchase","event_id":"o","event_time_ms":%d,"currency":"GBP","lines":[%b]}' % (NOW_MS, lines)
    order = decode(PURCHASES, value, NOW_MS, RULES)
    assert sum(line.quantity for line in order.lines) < 2**63
