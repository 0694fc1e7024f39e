"""Bad input stops nothing, is not lost, and disturbs no neighbour in its chunk."""

import msgspec
import pytest

from schemas.topics import INVALID, PURCHASES
from tests.world import BEGIN_MS, World, purchase

GOOD = msgspec.json.encode(purchase("ada", 0, event_id="good"))


def _changed(**changes):
    return msgspec.json.encode(purchase("ada", 0, event_id="bad") | changes)


BAD = {
    "malformed JSON": (b'{"type": "purchase"', "malformed_json"),
    "wrong type": (_changed(event_time_ms="soon"), "invalid_field"),
    "no event_id": (GOOD.replace(b'"event_id":"good",', b""), "missing_field"),
    "NaN amount": (GOOD.replace(b'"12.50"', b'"NaN"'), "invalid_field"),
    "infinite amount": (GOOD.replace(b'"12.50"', b'"Infinity"'), "invalid_field"),
    "negative quantity": (GOOD.replace(b'"quantity":2', b'"quantity":-2'), "invalid_field"),
    "the year 1970": (_changed(event_time_ms=5), "event_time_too_early"),
    "the year 3000": (_changed(event_time_ms=32_503_680_000_000), "event_time_too_late"),
    "5 MB": (_changed(event_id="x" * 5_000_000), "too_large"),
    "unknown kind": (_changed(type="teleport"), "unknown_kind"),
    "another currency": (_changed(currency="USD"), "wrong_currency"),
    "another version": (_changed(schema_version=7), "unsupported_version"),
    "empty value": (b"", "empty_value"),
    "tombstone": (None, "tombstone"),
}


@pytest.mark.parametrize(("value", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_becomes_a_dead_letter_and_its_neighbours_count(value, reason):
    world = World()
    before = world.record(PURCHASES, msgspec.json.encode(purchase("ada", 0, event_id="before")))
    after = world.record(PURCHASES, msgspec.json.encode(purchase("ada", 1, event_id="after")))
    bad = world.record(PURCHASES, value)
    world.apply([before, bad, after], [BEGIN_MS] * 3)
    (letter,) = [m for m in world.outbox.outgoing() if m.topic == INVALID]
    headers = {name: text.decode() for name, text in letter.headers}
    assert (letter.value, letter.key, headers["reason"]) == (value, b"key", reason)
    assert (headers["source_topic"], headers["source_offset"]) == (PURCHASES, "2")
    assert world.view("ada").features["purchases"] == 2
    assert (world.total("events"), world.total("dead_letters")) == (2, 1)


def test_a_repeated_event_id_counts_once():
    world = World().purchase("ada", day=0, event_id="same").purchase("ada", day=1, event_id="same")
    assert world.view("ada").features["purchases"] == 1
    assert (world.total("events"), world.total("duplicates")) == (1, 1)


def test_the_id_of_a_dead_letter_is_free_for_the_corrected_event():
    world = World()
    world.send(purchase("ada", 0, event_id="same") | {"currency": "USD"}).send(purchase("ada", 0, event_id="same"))
    assert (world.total("events"), world.total("dead_letters"), world.total("duplicates")) == (1, 1, 0)


def test_guests_count_in_the_shop_only():
    world = World().purchase(None, day=0).purchase("ada", day=0)
    assert (world.total("events"), world.total("guest_events"), world.total("customers")) == (2, 1, 1)
    assert list(world.stored.states) == ["ada"]
    assert (world.total("purchase_minor"), world.total("guest_purchase_minor")) == (2_500, 2_500)


@pytest.mark.parametrize("customer", ["a b", "{3}", "ключ", "../../etc", "'; DROP"])
def test_ids_are_hostile_text_and_stay_what_they_are(customer):
    world = World().purchase(customer, day=0)
    assert world.view(customer).customer_id == customer
