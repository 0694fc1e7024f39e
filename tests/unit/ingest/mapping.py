"""Maps to try in tests, and what they make of values."""

from pathlib import Path
from typing import Any

import msgspec

from schemas.decode import DecodeRules
from stream.ingest.formats.json_values import read_json
from stream.ingest.mapping.declaration import read_map
from stream.ingest.mapping.mapper import Mapper
from stream.ingest.mapping.records import Mapped, SourceRecord

NOW_MS = 1_709_276_400_000
SOURCE = '[source."shop.orders"]\nformat = "json"\n'
ORDER = (
    SOURCE
    + """
[[event]]
type = "purchase"
[event.fields]
event_id = "number"
customer_id = "buyer.id"
event_time_ms = { path = "at", time = "milliseconds" }
currency = { constant = "GBP" }
[event.lines]
product_id = "items[].sku"
quantity = "items[].qty"
unit_price = "items[].price"
"""
)


def order(**more: Any) -> dict[str, Any]:
    """A record that `ORDER` makes a purchase of."""
    item = {"sku": "tea", "qty": 2, "price": "4.90"}
    return {"number": "1001", "buyer": {"id": "ada"}, "at": NOW_MS, "items": [item]} | more


def mapper(folder: Path, text: str, partitions: int = 4) -> Mapper:
    """A map at work."""
    file = folder / "map.toml"
    file.write_text(text)
    return Mapper(read_map(file, "GBP"), DecodeRules(currency="GBP"), partitions)


def mapped(folder: Path, text: str, *values: Any, **of_record: Any) -> Mapped:
    """What becomes of values: bytes as they are, others as JSON."""
    raw = [value if isinstance(value, bytes) or value is None else msgspec.json.encode(value) for value in values]
    records = [
        SourceRecord(
            **({"topic": "shop.orders", "partition": 2, "timestamp_ms": NOW_MS, "key": b"k"} | of_record),
            offset=place,
            value=value,
        )
        for place, value in enumerate(raw)
    ]
    return mapper(folder, text).map(records, read_json(raw), NOW_MS)


def events(folder: Path, text: str, *values: Any, **of_record: Any) -> list[dict[str, Any]]:
    """The events that values become; none is refused."""
    result = mapped(folder, text, *values, **of_record)
    assert not result.refused, result.refused
    return [msgspec.json.decode(event.value) for event in result.events]


def refusals(folder: Path, text: str, *values: Any, **of_record: Any) -> list[tuple[str, str | None, str]]:
    """Reason, field and detail of those that are refused."""
    result = mapped(folder, text, *values, **of_record)
    return [(each.rejection.reason, each.rejection.field, each.rejection.detail) for each in result.refused]
