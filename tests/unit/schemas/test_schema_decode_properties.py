"""What holds for any bytes and any record."""

import json
import string
from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.decode import REASONS, DecodeRules, Rejection, decode
from schemas.events import AddToCart, LoyaltyChange, OrderLine, PageView, Purchase, Refund, RefundLine, Review, Search
from schemas.identifiers import HOSTILE
from schemas.money import MINOR_UNITS, billionths, line_minor, major_units, minor_units
from schemas.profiles import Profile
from schemas.topics import ENGAGEMENT, KINDS_OF, PROFILES, PURCHASES

RULES = DecodeRules(currency="GBP")
NOW_MS = 1_291_900_000_000

BUSY = settings(max_examples=200, deadline=None)  # a test machine may be busy with other tests

topics = st.sampled_from(sorted(KINDS_OF))
ids = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40).filter(
    lambda text: not HOSTILE.search(text) and len(text.encode()) <= 128
)
times = st.integers(631_152_000_000, NOW_MS + 86_400_000)
amounts = st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,9})?", fullmatch=True, alphabet=string.printable)
envelope = {"event_id": ids, "customer_id": st.none() | ids, "event_time_ms": times}


def optional(strategy):
    return st.none() | strategy


def lines(kind, quantities):
    line = st.builds(kind, product_id=ids, quantity=quantities, unit_price=amounts, category=optional(ids))
    return st.lists(line, min_size=1, max_size=5)


purchases = st.builds(
    Purchase, **envelope, currency=st.just("GBP"), lines=lines(OrderLine, st.integers(1, 10**6)),
    channel=st.sampled_from(["online", "in_store", "app"]),
)  # fmt: skip
refunds = st.builds(
    Refund, **envelope, currency=st.just("GBP"), purchase_id=optional(ids),
    lines=lines(RefundLine, st.integers(-(10**6), 10**6).filter(bool)),
)  # fmt: skip
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
engagement = st.one_of(
    st.builds(PageView, **envelope),
    st.builds(Search, **envelope, query=texts),
    st.builds(AddToCart, **envelope, product_id=ids, quantity=st.integers(1, 10**9)),
    st.builds(Review, **envelope, rating=st.integers(1, 5), product_id=optional(ids), text=optional(texts)),
    st.builds(LoyaltyChange, **envelope, tier=ids, points=optional(st.integers(-(10**9), 10**9))),
)
profiles = st.builds(
    Profile, event_id=ids, customer_id=ids, event_time_ms=times, age=optional(st.integers(0, 150)),
    income=optional(amounts), consent=optional(st.booleans()), region=optional(ids),
)  # fmt: skip
records = st.one_of(
    st.tuples(st.just(PURCHASES), st.one_of(purchases, refunds)),
    st.tuples(st.just(ENGAGEMENT), engagement),
    st.tuples(st.just(PROFILES), profiles),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "type",
        "event_id",
        "customer_id",
        "event_time_ms",
        "schema_version",
        "compatible_with",
        "currency",
        "lines",
        "channel",
        "product_id",
        "quantity",
        "unit_price",
        "discount",
        "category",
        "time_ms",
        "ends",
        "income",
        "rating",
    ]
)


def check(outcome):
    """An outcome is a record or a rejection that is safe to log."""
    if isinstance(outcome, Rejection):
        assert outcome.reason in REASONS
        assert len(outcome.detail) <= 200
        assert outcome.detail.isascii()
        assert outcome.detail.isprintable()
        assert outcome.detail
    else:
        assert isinstance(outcome, msgspec.Struct)


@BUSY
@given(topics, st.binary(max_size=200), st.integers(-1, 2**63 - 1))
@example(PURCHASES, b'{"type":"purchase","event_id":"\xed\xa0\x80"', 0)
def test_no_bytes_raise(topic, value, kafka_timestamp_ms):
    check(decode(topic, value, kafka_timestamp_ms, RULES))


@BUSY
@given(records, names, json_values, st.booleans())
def test_no_wrong_field_raises(topic_and_record, name, wrong, ensure_ascii):
    topic, record = topic_and_record
    document = {**msgspec.to_builtins(record), name: wrong}
    value = json.dumps(document, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
    check(decode(topic, value, NOW_MS, RULES))


@BUSY
@given(records, names, json_values)
def test_no_wrong_line_raises(topic_and_record, name, wrong):
    topic, record = topic_and_record
    document = msgspec.to_builtins(record)
    for line in document.get("lines", ())[-1:]:
        line[name] = wrong
    check(decode(topic, json.dumps(document).encode(), NOW_MS, RULES))


@BUSY
@given(records, st.data())
def test_no_damaged_byte_raises(topic_and_record, data):
    topic, record = topic_and_record
    value = bytearray(msgspec.json.encode(record))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(decode(topic, bytes(value), NOW_MS, RULES))


@BUSY
@given(records, st.booleans())
def test_what_is_encoded_is_what_is_decoded(topic_and_record, ensure_ascii):
    topic, record = topic_and_record
    assert decode(topic, msgspec.json.encode(record), NOW_MS, RULES) == record
    by_another_encoder = json.dumps(msgspec.to_builtins(record), ensure_ascii=ensure_ascii, indent=1).encode()
    assert decode(topic, by_another_encoder, NOW_MS, RULES) == record


@BUSY
@given(amounts, st.integers(1, 10**9), amounts, st.sampled_from([0, 2, 3]))
def test_a_line_is_rounded_once_half_to_even(unit_price, quantity, discount, exponent):
    exact = (Fraction(unit_price) * quantity - Fraction(discount)) * 10**exponent
    line = OrderLine(product_id="a", quantity=quantity, unit_price=unit_price, discount=discount)
    assert line_minor(line, exponent) == round(exact)  # Fraction rounds half to even


@BUSY
@given(amounts, st.sampled_from([0, 2, 3]))
def test_minor_units_of_a_string_and_of_a_decimal_are_the_same(amount, exponent):
    assert minor_units(amount, exponent) == minor_units(Decimal(amount), exponent)
    assert billionths(amount) == Decimal(amount).scaleb(9)


@BUSY
@given(st.integers(0, 10**15 - 1), st.sampled_from([0, 2, 3]))
def test_minor_units_written_as_major_units_are_read_back(minor, exponent):
    assert minor_units(major_units(minor, exponent), exponent) == minor
    assert billionths(major_units(minor, exponent)) == minor * MINOR_UNITS[exponent]
