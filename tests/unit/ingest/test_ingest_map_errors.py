"""A map with a mistake in it does not begin, and says which table, key and value, and what to write."""

from pathlib import Path

import pytest

from stream.ingest.mapping.declaration import read_map
from stream.ingest.mapping.toml import MapError
from tests.unit.ingest.mapping import ORDER, SOURCE

MISTAKES = [
    ("[[event]]", "[[evnt]]", ["evnt", "event"]),
    ('"shop.orders"', "shop.orders", ["shop", '[source."shop.orders"]']),
    ('"shop.orders"', '"events.purchases"', ["events.purchases", "Ebb's own"]),
    ('"json"', '"xml"', ["format", "'xml'", "json, avro"]),
    ('"purchase"', '"buy"', ["[[event]] 1", "type", "'buy'", "purchase"]),
    ('type = "purchase"', 'type = "purchase"\nfrom = "shop.order"', ["from", "shop.order"]),
    ("customer_id =", "custmer_id =", ["fields, custmer_id", "customer_id"]),
    ('event_time_ms = { path = "at", time = "milliseconds" }\n', "", ["fields, event_time_ms", "missing"]),
    (', time = "milliseconds"', "", ["event_time_ms, time", "iso, seconds"]),
    ('"milliseconds"', '"ms"', ["event_time_ms, time", "'ms'", "milliseconds"]),
    ('"buyer.id"', '"buyer..id"', ["customer_id, path", "'buyer..id'"]),
    ('"buyer.id"', '"buyers[].id"', ["'buyers[].id'", "each"]),
    ('"buyer.id"', '{ pth = "x" }', ["customer_id, pth", "path"]),
    ('"buyer.id"', '{ path = "x", constant = "y" }', ["customer_id", "exactly one of"]),
    ('"buyer.id"', '{ path = "x", time = "iso" }', ["customer_id, time", "no time"]),
    ('"GBP"', '"EUR"', ["currency, constant", "'EUR'", "GBP", "EBB_CURRENCY"]),
    ('"items[].qty"', '"goods[].qty"', ["lines", "'items[].sku'", "'goods[].qty'"]),
    ('"items[].qty"', "{ constant = 0 }", ["quantity, constant", "0 cannot be"]),
    ('"items[].price"', '{ path = "items[].price", money = "cents" }', ["money", "'cents'", "major, minor"]),
    ("[event.lines]", 'channel = { path = "c", values = { w = "web" } }\n[event.lines]', ["values, w", "'web'"]),
    ("[event.lines]", '[event.extra]\nevent_id = "x"\n[event.lines]', ["extra, event_id", "fields"]),
    ("[event.lines]", '"$topic" = "x"\n[event.lines]', ["$topic"]),
    ('"number"', '"$headers"', ["event_id, path", "$headers.NAME"]),
    ("[event.fields]", "[event.fields", ["not TOML", "line"]),
]


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES, ids=[wrong for _, wrong, _ in MISTAKES])
def test_a_mistake_is_found_at_the_start_and_named(tmp_path: Path, right: str, wrong: str, said: list[str]):
    file = tmp_path / "map.toml"
    assert right in ORDER
    file.write_text(ORDER.replace(right, wrong, 1))
    with pytest.raises(MapError) as error:
        read_map(file, "GBP")
    message = str(error.value)
    assert [word for word in [str(file), "docs/your-own-data.md", *said] if word not in message] == [], message


def test_a_map_that_reads_nothing_or_makes_nothing_is_refused(tmp_path: Path):
    file = tmp_path / "map.toml"
    for text in ("", SOURCE, ORDER + '[source.idle]\nformat = "json"\n'):
        file.write_text(text.replace('type = "purchase"', 'type = "purchase"\nfrom = "shop.orders"'))
        with pytest.raises(MapError):
            read_map(file, "GBP")
    with pytest.raises(MapError, match="cannot be read"):
        read_map(tmp_path / "none.toml", "GBP")
