"""A batch sorted out: events, guests, repeats and dead letters, each at its place."""

import msgspec

from schemas.decode import decode
from schemas.topics import CLOCK, ENGAGEMENT, INVALID, PURCHASES
from schemas.units import DAY_MS
from stream.features.vocabulary import NOTHING_DECLARED
from stream.worker.log_records import LogRecord
from stream.worker.seen import NO_ID, SeenWindow
from stream.worker.sorting import dead_letter, facts_at, shop_totals, sort_out
from tests.unit.worker.fetching import RULES
from tests.world import BEGIN_MS, engagement, in_columns, purchase, refund

NOW_MS = BEGIN_MS + 4_000 * DAY_MS


def record(offset: int, value: object, topic: str = PURCHASES) -> LogRecord:
    packed = msgspec.json.encode(value) if isinstance(value, dict) else value
    return LogRecord(topic, offset, NOW_MS, b"key", packed, decode(topic, packed, NOW_MS, RULES))


def windows() -> dict[str, SeenWindow]:
    return {PURCHASES: SeenWindow([]), ENGAGEMENT: SeenWindow([])}


def test_every_record_has_one_place() -> None:
    log = in_columns(
        [
            record(0, purchase("ada", 1, event_id="a")),
            record(1, b"{"),
            record(2, purchase(None, 1, event_id="guest")),
            record(3, purchase("bob", 2, event_id="a")),
            record(4, {"type": "clock", "time_ms": BEGIN_MS}, CLOCK),
            record(5, purchase("bob", 2, event_id="b")),
        ]
    )
    found = sort_out(log, windows())
    assert found.places.tolist() == [0, 5]
    assert found.customers == ["ada", "bob"]
    assert found.guests.tolist() == [2]
    assert [(index, rejection.reason) for index, rejection in found.invalid] == [(1, "malformed_json")]
    assert found.duplicates.tolist() == [3]


def test_an_id_repeats_within_its_topic_only() -> None:
    log = [
        record(0, purchase("ada", 1, event_id="same")),
        record(0, engagement("page_view", "ada", 1, event_id="same"), ENGAGEMENT),
    ]
    assert not len(sort_out(in_columns(log), windows()).duplicates)


def test_garbage_takes_a_place_in_the_window_without_an_id() -> None:
    log = [record(0, None), record(1, b"{"), record(2, purchase("ada", 1, event_id="a"))]
    found = sort_out(in_columns(log), windows())
    assert found.hashes[PURCHASES][:2].tolist() == [NO_ID, NO_ID]
    assert not len(found.duplicates)
    assert len(found.hashes[PURCHASES]) == 3


def test_a_dead_letter_is_the_original_and_says_where_it_came_from_and_why() -> None:
    broken = record(7, b"\x00{")
    message = dead_letter(3, broken, 2, broken.decoded).outgoing(partition=2, sequence=9)
    assert (message.topic, message.key, message.value) == (INVALID, b"key", b"\x00{")
    headers = {name: value.decode() for name, value in message.headers}
    detail = headers.pop("detail")
    assert detail
    assert headers == {
        "reason": "malformed_json",
        "field": "",
        "source_topic": PURCHASES,
        "source_partition": "2",
        "source_offset": "7",
        "source_timestamp_ms": str(NOW_MS),
        "partition": "2",
        "sequence": "9",
    }


def test_a_tombstone_stays_null_and_an_empty_value_empty() -> None:
    for value in (None, b""):
        dead = record(0, value)
        assert dead_letter(0, dead, 0, dead.decoded).outgoing(0, 1).value == value


def test_the_shop_counts_guests_with_all_and_apart() -> None:
    log = [
        record(0, purchase("ada", 1, event_id="a", price="10.00")),
        record(1, purchase(None, 1, event_id="b", price="1.00")),
        record(2, refund("ada", 2, event_id="c", price="2.00")),
        record(3, purchase("ada", 1, event_id="a")),
        record(4, b"{"),
    ]
    found = sort_out(in_columns(log), windows())
    customers, guests = (
        facts_at(places, [0] * len(places), found.records, NOTHING_DECLARED, 2)
        for places in (found.places, found.guests)
    )
    assert shop_totals(found, customers, guests) == {
        "events": 3,
        "guest_events": 1,
        "duplicates": 1,
        "dead_letters": 1,
        "purchases": 1,
        "purchase_minor": 2_000,
        "refunds": 1,
        "refund_minor": 400,
        "guest_purchases": 1,
        "guest_purchase_minor": 200,
    }
