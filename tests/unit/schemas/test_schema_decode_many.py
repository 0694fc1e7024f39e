"""Records decoded together are what each is by itself, whoever else is there."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import decode_many as module
from schemas.decode import DecodeRules, decode
from schemas.decode_many import decode_many
from schemas.topics import CLOCK, ENGAGEMENT, PROFILES, PURCHASES, REROUTED

RULES = DecodeRules(currency="GBP", max_bytes=2_000)
NOW_MS = 1_291_900_000_000
LINE = {"product_id": "85048", "quantity": 12, "unit_price": "6.95"}
ENVELOPE = {"event_id": "e1", "customer_id": "ada", "event_time_ms": NOW_MS}
PURCHASE = {"type": "purchase", **ENVELOPE, "currency": "GBP", "lines": [LINE, LINE]}
SEARCH = {"type": "search", **ENVELOPE, "query": "lamp"}
RECORDS = [
    PURCHASE,
    PURCHASE | {"customer_id": None},
    PURCHASE | {"lines": [LINE | {"discount": "83.40"}]},
    PURCHASE | {"lines": [LINE | {"discount": "83.41"}]},
    PURCHASE | {"lines": [LINE | {"unit_price": "6,95"}]},
    PURCHASE | {"lines": [LINE | {"quantity": 10**9, "unit_price": "10000.01"}] * 3},
    PURCHASE | {"type": "refund", "lines": [LINE | {"quantity": 0}]},
    PURCHASE | {"type": "refund", "lines": [LINE | {"quantity": -2}]},
    PURCHASE | {"currency": "EUR"},
    PURCHASE | {"schema_version": 2},
    PURCHASE | {"schema_version": 2, "compatible_with": 1},
    SEARCH,
    {key: value for key, value in SEARCH.items() if key != "customer_id"},
    SEARCH | {"query": "Lämpchen"},
    SEARCH | {"query": "x" * 2_000},
    SEARCH | {"query": "event_id"},
    SEARCH | {"context": {"event_id": "other"}},
    SEARCH | {"event_id": "e\x7f"},
    SEARCH | {"event_time_ms": 0},
    SEARCH | {"event_time_ms": NOW_MS + 90_000_000},
    SEARCH | {"event_id": 7},
    {"type": "profile", **ENVELOPE, "income": "much"},
    {"type": "clock", "time_ms": NOW_MS},
]
ODD = [
    None,
    b"",
    b" ",
    b"{",
    b'{"type":"page_view","event_id":"a","event_id":"b","event_time_ms":1291900000000}',
    b'{"type":"page_view","event_id":"a","event_time_ms":1291900000000,"customer_id":"a","customer_id":null}',
    b'{"type":"page_view","event_id":"a","\\u0065vent_id":"b","event_time_ms":1291900000000}',
    b'{"type":"page_view","event_id":"a",\n"event_time_ms":1291900000000}',
    b'{"type":"page_view","event_id":"a","event_time_ms":1291900000000}\n{}',
    b'{"type":"page_view","event_id":"\xed\xa0\x80","event_time_ms":1291900000000}',
]
values = st.sampled_from([json.dumps(record, ensure_ascii=False).encode() for record in RECORDS] + ODD)
timestamps = st.sampled_from([NOW_MS, NOW_MS + 10_000_000, NOW_MS - 10_000_000])
topics = st.sampled_from([PURCHASES, ENGAGEMENT, PROFILES, CLOCK, REROUTED])


@settings(deadline=None)
@given(topics, st.lists(st.tuples(values, timestamps), max_size=12), st.integers(1, 4))
def test_a_crowd_changes_nobodys_outcome(topic, records, few):
    crowd, times = [value for value, _ in records], [time_ms for _, time_ms in records]
    before, module.FEW = module.FEW, few
    try:
        together = decode_many(topic, crowd, times, RULES)
    finally:
        module.FEW = before
    assert together == [decode(topic, value, time_ms, RULES) for value, time_ms in records]


def test_good_records_are_not_read_one_by_one(monkeypatch):
    monkeypatch.setattr(module, "decode", None)
    assert len(decode_many(ENGAGEMENT, [json.dumps(SEARCH).encode()] * 100, [NOW_MS] * 100, RULES)) == 100
