"""What `ebb ingest` costs beside Kafka: decode a chunk, map it and judge its events. `python -m benchmarks.ingest`."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from schemas.decode import DecodeRules
from stream.ingest.formats.json_values import read_json
from stream.ingest.mapping.declaration import read_map
from stream.ingest.mapping.mapper import Mapper
from stream.ingest.mapping.records import SourceRecord

MAP = """
[source.events]
format = "json"

[[event]]
type = "page_view"
when = { kind = "view" }
[event.fields]
event_id = "id"
customer_id = "user"
event_time_ms = { path = "at", time = "seconds" }

[[event]]
type = "purchase"
when = { kind = "order" }
[event.fields]
event_id = "id"
customer_id = "user"
event_time_ms = { path = "at", time = "seconds" }
currency = { constant = "GBP" }
[event.lines]
product_id = "items[].sku"
quantity = "items[].qty"
unit_price = { path = "items[].cents", money = "minor" }
"""
RECORDS, CUSTOMERS, NOW_MS, RUNS = 20_000, 5_000, 1_709_276_400_000, 7
CHUNK = 2_000  # as EBB_INGEST_CHUNK_RECORDS


def view(number: int) -> dict[str, object]:
    """A flat record."""
    return {
        "kind": "view",
        "id": f"v-{number}",
        "user": f"u-{number % CUSTOMERS}",
        "at": NOW_MS // 1000,
        "page": "/tea",
    }


def order(lines: int) -> Callable[[int], dict[str, object]]:
    """Orders of so many lines."""
    items = [{"sku": f"sku-{line}", "qty": 2, "cents": 490 + line} for line in range(lines)]
    return lambda number: view(number) | {"kind": "order", "items": items}


def microseconds(mapper: Mapper, values: list[bytes]) -> float:
    """CPU of a record, the best of some runs."""
    best = float("inf")
    for _ in range(RUNS):
        began_s = time.process_time()
        for start in range(0, len(values), CHUNK):
            raw = values[start : start + CHUNK]
            records = [SourceRecord("events", 0, start, NOW_MS, None, value) for value in raw]
            mapped = mapper.map(records, read_json(raw), NOW_MS)
            if len(mapped.events) != len(raw):
                raise AssertionError(mapped.refused[:1])
        best = min(best, time.process_time() - began_s)
    return best / len(values) * 1e6


def main() -> None:
    """Print a line for each kind of record."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "map.toml"
        file.write_text(MAP)
        mapper = Mapper(read_map(file, "GBP"), DecodeRules(currency="GBP"), 4)
    for name, made in (("flat", view), ("order of 1 line", order(1)), ("order of 10 lines", order(10))):
        cost_us = microseconds(mapper, [msgspec.json.encode(made(number)) for number in range(RECORDS)])
        print(f"{name:<18} {cost_us:6.1f} us of CPU a record  {1e6 / cost_us:9,.0f} records/s of one core")


if __name__ == "__main__":
    main()
