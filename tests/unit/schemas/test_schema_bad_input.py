"""Every bad record becomes a rejection with a stable reason, the field at fault and a detail that is safe to log."""

import json

import pytest

from schemas.decode import DecodeRules, Rejection, decode
from schemas.decode_many import decode_many
from schemas.topics import CLOCK, ENGAGEMENT, PROFILES, PURCHASES

RULES = DecodeRules(currency="GBP")
NOW_MS = 1_291_900_000_000
YEAR_3000_MS = 32_503_680_000_000
LINE = {"product_id": "85048", "quantity": 12, "unit_price": "6.95"}
ENVELOPE = {"event_id": "e1", "customer_id": "ada", "event_time_ms": NOW_MS}
PURCHASE = {"type": "purchase", **ENVELOPE, "currency": "GBP", "lines": [LINE]}
VIEW = {"type": "product_view", **ENVELOPE, "product_id": "85048"}
PROFILE = {"type": "profile", **ENVELOPE}
CROWD = {
    topic: [json.dumps(record).encode()]
    for topic, record in ((PURCHASES, PURCHASE), (ENGAGEMENT, VIEW), (PROFILES, PROFILE))
}


def rejected(topic, value, kafka_timestamp_ms=NOW_MS, rules=RULES):
    rejection = decode(topic, value, kafka_timestamp_ms, rules)
    assert isinstance(rejection, Rejection), rejection
    crowd = [*CROWD.get(topic, [value]) * 20, value]
    assert decode_many(topic, crowd, [kafka_timestamp_ms] * len(crowd), rules)[-1] == rejection
    assert len(rejection.detail) <= 200
    assert rejection.detail.isascii()
    assert rejection.detail.isprintable()
    return rejection.reason, rejection.field


def purchase(**changes):
    return json.dumps({**PURCHASE, **changes}).encode()


def line(**changes):
    return purchase(lines=[LINE, {**LINE, **changes}])


def refund_line(**changes):
    return purchase(type="refund", lines=[{**LINE, **changes}])


def view(**changes):
    return json.dumps({**VIEW, **changes}).encode()


def without(record, name):
    return json.dumps({key: value for key, value in record.items() if key != name}).encode()


def raw(event_id=b'"v1"', event_time_ms=b"1291900000000", rest=b""):
    """A product view written by hand, for what `json.dumps` cannot write."""
    fields = (event_id, event_time_ms, rest)
    return b'{"type":"product_view","product_id":"85048","event_id":%b,"event_time_ms":%b%b}' % fields


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(None, "tombstone", id="tombstone"),
        pytest.param(b"", "empty_value", id="no bytes"),
        pytest.param(b" " * 5_000_000, "too_large", id="5 MB of blanks"),
        pytest.param(view(text="x" * 5_000_000), "too_large", id="a 5 MB event"),
    ],
)
def test_a_record_without_a_usable_value(value, reason):
    assert rejected(ENGAGEMENT, value) == (reason, None)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"{", id="cut off"),
        pytest.param(b"purchase", id="no JSON"),
        pytest.param(view() + b"}", id="more after the end"),
        pytest.param(b"\xef\xbb\xbf" + view(), id="byte order mark"),
        pytest.param(view().decode().encode("utf-16"), id="UTF-16"),
        pytest.param(raw(event_id=b'"v\xff"'), id="not UTF-8"),
        pytest.param(raw(rest=b',"note":"\xff"'), id="not UTF-8 where nobody looks"),
        pytest.param(raw(event_id=b'"\xed\xa0\x80"'), id="a surrogate in UTF-8"),
        pytest.param(raw(event_id=b'"\\ud800"'), id="a lone surrogate"),
        pytest.param(raw(event_id=b'"\\udc00x"'), id="the other lone surrogate"),
        pytest.param(raw(event_id=b'"a\x01b"'), id="a raw control character"),
        pytest.param(raw(event_time_ms=b"NaN"), id="NaN"),
        pytest.param(raw(rest=b',"note":Infinity'), id="Infinity where nobody looks"),
        pytest.param(raw(rest=b',"note":' + b"[" * 100_000 + b"]" * 100_000), id="nested 100,000 deep"),
        pytest.param(raw(rest=b',"note":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000), id="objects nested 50,000 deep"),
        pytest.param(b'{"event_id":5,"type":"search"' + b"," * 9, id="a wrong type, then no JSON"),
    ],
)
def test_what_is_not_one_json_document_is_malformed(value):
    assert rejected(ENGAGEMENT, value) == ("malformed_json", None)


@pytest.mark.parametrize(
    ("rest", "field"),
    [
        (b',"event_id":"v2"', "event_id"),
        (b',"event_id":"v1"', "event_id"),
        (b',"event\\u005fid":"v2"', "event_id"),
        (b',"event_time_ms":1', "event_time_ms"),
        (b',"customer_id":"a","note":["\\u00e9"],"customer_id":"b"', "customer_id"),
    ],
)
def test_a_record_that_names_its_event_customer_or_time_twice_is_malformed(rest, field):
    assert rejected(ENGAGEMENT, raw(rest=rest)) == ("malformed_json", field)


@pytest.mark.parametrize("value", [b"[]", b"[1]", b"[" * 500_000, b'"purchase"', b"null", b"true", b"12", b"1.5"])
def test_a_document_that_is_no_object_is_an_invalid_field_without_a_name(value):
    assert rejected(PURCHASES, value) == ("invalid_field", None)


@pytest.mark.parametrize(
    ("topic", "value", "expected"),
    [
        (PURCHASES, purchase(type="gift"), ("unknown_kind", "type")),
        (PURCHASES, purchase(type="Purchase"), ("unknown_kind", "type")),
        (PURCHASES, purchase(type="x" * 900_000), ("unknown_kind", "type")),
        (PURCHASES, purchase(type=None), ("invalid_field", "type")),
        (PURCHASES, purchase(type=["purchase"]), ("invalid_field", "type")),
        (PURCHASES, b"{}", ("missing_field", "type")),
        (PURCHASES, view(), ("wrong_topic", "type")),
        (ENGAGEMENT, purchase(), ("wrong_topic", "type")),
        (ENGAGEMENT, purchase(event_id=None), ("wrong_topic", "type")),
        (PROFILES, b'{"type":"clock","time_ms":5}', ("wrong_topic", "type")),
    ],
)
def test_the_kind_is_judged_before_the_fields(topic, value, expected):
    assert rejected(topic, value) == expected


@pytest.mark.parametrize(
    "versions",
    [
        {"schema_version": 2},
        {"schema_version": 2, "compatible_with": 2},
        {"schema_version": 2, "product_id": 7},
        {"schema_version": 0},
        {"schema_version": -1, "compatible_with": 1},
        {"schema_version": 10**30},
        {"schema_version": "1"},
        {"schema_version": None},
        {"schema_version": True},
        {"schema_version": 1.0},
    ],
)
def test_a_version_that_does_not_say_it_is_compatible_is_unsupported(versions):
    assert rejected(ENGAGEMENT, view(**versions)) == ("unsupported_version", "schema_version")


@pytest.mark.parametrize(
    ("topic", "value", "field"),
    [
        (ENGAGEMENT, without(VIEW, "event_id"), "event_id"),
        (ENGAGEMENT, without(VIEW, "event_time_ms"), "event_time_ms"),
        (ENGAGEMENT, without(VIEW, "product_id"), "product_id"),
        (PURCHASES, without(PURCHASE, "event_id"), "event_id"),
        (PURCHASES, without(PURCHASE, "currency"), "currency"),
        (PURCHASES, without(PURCHASE, "lines"), "lines"),
        (PURCHASES, purchase(lines=[LINE, {"product_id": "a", "quantity": 1}]), "lines[1].unit_price"),
        (PROFILES, without(PROFILE, "customer_id"), "customer_id"),
        (CLOCK, b'{"type":"clock"}', "time_ms"),
    ],
)
def test_a_missing_field_is_named(topic, value, field):
    assert rejected(topic, value) == ("missing_field", field)


@pytest.mark.parametrize(
    ("topic", "value", "field"),
    [
        (ENGAGEMENT, view(event_id=None), "event_id"),
        (ENGAGEMENT, view(event_id=5), "event_id"),
        (ENGAGEMENT, view(event_id={"id": "v1"}), "event_id"),
        (ENGAGEMENT, view(customer_id=17850), "customer_id"),
        (ENGAGEMENT, view(event_time_ms="1291900000000"), "event_time_ms"),
        (ENGAGEMENT, view(event_time_ms=1291900000000.5), "event_time_ms"),
        (ENGAGEMENT, view(event_time_ms=True), "event_time_ms"),
        (ENGAGEMENT, raw(event_time_ms=b"9" * 5_000), "event_time_ms"),
        (ENGAGEMENT, raw(event_time_ms=b"1e400"), "event_time_ms"),
        (ENGAGEMENT, view(type="review", rating=6), "rating"),
        (ENGAGEMENT, view(type="review", rating=4.5), "rating"),
        (ENGAGEMENT, view(type="session", duration_ms=-1), "duration_ms"),
        (ENGAGEMENT, view(type="search", query="x" * 70_000), "query"),
        (ENGAGEMENT, view(type="loyalty_change", tier="gold", points=2**40), "points"),
        (PURCHASES, purchase(lines=[]), "lines"),
        (PURCHASES, purchase(lines={"0": LINE}), "lines"),
        (PURCHASES, purchase(lines=[LINE, None]), "lines[1]"),
        (PURCHASES, purchase(channel="fax"), "channel"),
        (PURCHASES, purchase(currency=826), "currency"),
        (PROFILES, json.dumps({**PROFILE, "age": -1}).encode(), "age"),
        (PROFILES, json.dumps({**PROFILE, "consent": "yes"}).encode(), "consent"),
        (PROFILES, json.dumps({**PROFILE, "income": "lots"}).encode(), "income"),
        (CLOCK, b'{"type":"clock","time_ms":1291900000000,"ends":{"events.purchases":-1}}', "ends[...]"),
    ],
)
def test_a_field_of_the_wrong_type_or_out_of_bounds_is_named(topic, value, field):
    assert rejected(topic, value) == ("invalid_field", field)


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 129, id="129 bytes"),
        pytest.param("é" * 65, id="130 bytes of 65 characters"),
        pytest.param("a\x00b", id="NUL"),
        pytest.param("a\nb", id="line feed"),
        pytest.param("\x1b[2J", id="escape sequence"),
        pytest.param("a\x7f", id="delete"),
        pytest.param("a\x9bb", id="C1 control"),
        pytest.param("a\u2028b", id="line separator"),
        pytest.param("\u202e05871", id="reversed writing"),
    ],
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_a_hostile_identifier_is_refused_wherever_it_stands(identifier, ensure_ascii):
    def encode(record):
        return json.dumps(record, ensure_ascii=ensure_ascii).encode()

    in_line = {**PURCHASE, "lines": [LINE, {**LINE, "product_id": identifier}]}
    in_category = {**PURCHASE, "lines": [LINE, {**LINE, "category": identifier}]}
    assert rejected(ENGAGEMENT, encode({**VIEW, "event_id": identifier})) == ("invalid_field", "event_id")
    assert rejected(ENGAGEMENT, encode({**VIEW, "customer_id": identifier})) == ("invalid_field", "customer_id")
    assert rejected(ENGAGEMENT, encode({**VIEW, "product_id": identifier})) == ("invalid_field", "product_id")
    assert rejected(PURCHASES, encode(in_line)) == ("invalid_field", "lines[1].product_id")
    assert rejected(PURCHASES, encode(in_category)) == ("invalid_field", "lines[1].category")


NO_DECIMALS = "NaN|sNaN|Infinity|-Infinity|-1.00|-0|+1|| 1|1 |1_000|1,50|1.|.5|1e5|1e999999999|0x1|１|1\n|6.95\0"
TOO_LONG = ["1" * 16, "0." + "1" * 10, "9" * 100_000]
NO_STRINGS = [6.95, 7, True, None, ["1"]]


@pytest.mark.parametrize("amount", [*NO_DECIMALS.split("|"), *TOO_LONG, *NO_STRINGS])
def test_an_amount_is_a_plain_decimal_string(amount):
    assert rejected(PURCHASES, line(unit_price=amount)) == ("invalid_field", "lines[1].unit_price")
    assert rejected(PURCHASES, line(discount=amount)) == ("invalid_field", "lines[1].discount")
    assert rejected(PURCHASES, refund_line(unit_price=amount)) == ("invalid_field", "lines[0].unit_price")


@pytest.mark.parametrize("quantity", [0, -1, 10**9 + 1, 10**30, 1.5, "1", None])
def test_a_purchase_has_whole_positive_quantities(quantity):
    assert rejected(PURCHASES, line(quantity=quantity)) == ("invalid_field", "lines[1].quantity")


@pytest.mark.parametrize("quantity", [0, -(10**9) - 1, 1.5])
def test_a_refund_may_have_negative_quantities_but_not_zero(quantity):
    assert rejected(PURCHASES, refund_line(quantity=quantity)) == ("invalid_field", "lines[0].quantity")


def test_a_discount_is_at_most_what_the_line_costs():
    assert rejected(PURCHASES, line(discount="83.41")) == ("invalid_field", "lines[1].discount")
    assert rejected(PURCHASES, refund_line(discount="83.41")) == ("invalid_field", "lines[0].discount")


def test_an_order_is_at_most_a_quadrillion_minor_units():
    largest = {**LINE, "quantity": 1, "unit_price": "9999999999999"}
    penny = {**LINE, "quantity": 1, "unit_price": "1.01"}
    assert rejected(PURCHASES, purchase(lines=[largest, penny])) == ("amount_out_of_range", "lines")
    assert rejected(PURCHASES, line(quantity=10**9, unit_price="9" * 15)) == ("amount_out_of_range", "lines")
    yen = DecodeRules(currency="JPY")
    assert rejected(PURCHASES, purchase(currency="JPY", lines=[{**largest, "quantity": 101}]), rules=yen) == (
        "amount_out_of_range",
        "lines",
    )


@pytest.mark.parametrize("currency", ["EUR", "gbp", "", "GBP\n", "x" * 900_000])
def test_another_currency_than_the_reporting_currency(currency):
    assert rejected(PURCHASES, purchase(currency=currency)) == ("wrong_currency", "currency")
    assert rejected(PURCHASES, purchase(type="refund", currency=currency)) == ("wrong_currency", "currency")


@pytest.mark.parametrize(
    ("event_time_ms", "reason"),
    [
        (0, "event_time_too_early"),
        (-1, "event_time_too_early"),
        (-(10**30), "event_time_too_early"),
        (631_151_999_999, "event_time_too_early"),
        (NOW_MS + 86_400_001, "event_time_too_late"),
        (YEAR_3000_MS, "event_time_too_late"),
        (10**30, "event_time_too_late"),
    ],
)
def test_an_event_time_before_1990_or_a_day_ahead_of_kafka(event_time_ms, reason):
    assert rejected(ENGAGEMENT, view(event_time_ms=event_time_ms)) == (reason, "event_time_ms")
    assert rejected(PURCHASES, purchase(event_time_ms=event_time_ms)) == (reason, "event_time_ms")
    clock = json.dumps({"type": "clock", "time_ms": event_time_ms}).encode()
    assert rejected(CLOCK, clock) == (reason, "time_ms")


def test_a_detail_says_what_is_wrong_where_and_with_which_value():
    assert decode(PURCHASES, line(unit_price="6,95"), NOW_MS, RULES).detail == (
        "lines[1].unit_price: '6,95' is not a decimal string of at most 15 digits and 9 decimals"
    )
    assert decode(PURCHASES, line(quantity=-2), NOW_MS, RULES).detail == "lines[1].quantity: Expected `int` >= 1"
    assert decode(PURCHASES, purchase(currency="EUR"), NOW_MS, RULES).detail == (
        "currency is 'EUR', the reporting currency GBP"
    )
    assert decode(PURCHASES, purchase(type="\x1b[31mgift"), NOW_MS, RULES).detail == r"no kind is called '\x1b[31mgift'"
    assert decode(ENGAGEMENT, view(event_time_ms=0), NOW_MS, RULES).detail == (
        "event_time_ms 0 is before the earliest event time 631152000000"
    )
    assert decode(ENGAGEMENT, view(schema_version=2), NOW_MS, RULES).detail == (
        "schema_version is 2, compatible_with null; version 1 is read"
    )


def test_a_topic_that_is_no_input_is_a_mistake_of_ours_and_raises():
    with pytest.raises(KeyError):
        decode("labels", view(), NOW_MS, RULES)
