"""Records as columns: each column says of each record what the record says itself."""

import msgspec

from schemas.decode import decode
from schemas.topics import CLOCK, ENGAGEMENT, INPUT_TOPICS, PURCHASES
from schemas.units import DAY_MS
from stream.features.hashes import event_hash
from stream.worker.log_records import CLOCK_KIND, KIND_NAMES, NO_RECORDS, RECORD_OVERHEAD_BYTES, LogRecord, joined
from stream.worker.seen import NO_ID
from tests.unit.worker.fetching import RULES
from tests.world import BEGIN_MS, engagement, in_columns, purchase

WRITTEN_MS = BEGIN_MS + 4_000 * DAY_MS


def record(topic: str, offset: int, value: object) -> LogRecord:
    packed = msgspec.json.encode(value) if isinstance(value, dict) else value
    return LogRecord(topic, offset, WRITTEN_MS + offset, b"key", packed, decode(topic, packed, WRITTEN_MS, RULES))


LOG = [
    record(PURCHASES, 4, purchase("ada", 1, event_id="a")),
    record(ENGAGEMENT, 7, engagement("page_view", None, 2, event_id="guest")),
    record(PURCHASES, 6, b"{"),
    record(CLOCK, 0, {"type": "clock", "time_ms": BEGIN_MS}),
    record(PURCHASES, 9, None),
]


def test_columns_say_what_the_records_say() -> None:
    records = in_columns(LOG)
    assert list(records) == LOG
    assert [INPUT_TOPICS[topic] for topic in records.topic] == [PURCHASES, ENGAGEMENT, PURCHASES, CLOCK, PURCHASES]
    assert [KIND_NAMES[kind] for kind in records.kind] == ["purchase", "page_view", "unknown", "clock", "unknown"]
    assert records.offset.tolist() == [4, 7, 6, 0, 9]
    assert records.timestamp_ms.tolist() == [WRITTEN_MS + offset for offset in (4, 7, 6, 0, 9)]
    assert records.customer.tolist() == ["ada", None, None, None, None]
    assert records.event_time_ms.tolist() == [BEGIN_MS + DAY_MS, BEGIN_MS + 2 * DAY_MS, 0, 0, 0]
    assert records.id_hash.tolist() == [event_hash("a"), event_hash("guest"), NO_ID, NO_ID, NO_ID]
    sizes = [len(each.value or b"") + RECORD_OVERHEAD_BYTES for each in LOG]
    assert records.weight.tolist() == sizes
    assert records.is_event.tolist() == [True, True, False, False, False]
    assert records.has_customer.tolist() == [True, False, False, False, False]
    assert records.last_places == {PURCHASES: 4, ENGAGEMENT: 1, CLOCK: 3}
    assert records.kind[3] == CLOCK_KIND


def test_parts_keep_every_column() -> None:
    records = in_columns(LOG)
    assert list(joined([records.part(0, 2), NO_RECORDS, records.part(2)])) == LOG
    assert list(records.take(records.offset.argsort())) == sorted(LOG, key=lambda each: each.offset)
    assert list(joined([])) == []


def test_a_customer_is_known_by_the_same_number_wherever_it_comes() -> None:
    twice = in_columns([LOG[0], record(ENGAGEMENT, 1, engagement("search", "ada", 1, event_id="b", query="x")), LOG[1]])
    assert twice.customer_crc32[0] == twice.customer_crc32[1] != twice.customer_crc32[2]
