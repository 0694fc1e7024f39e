"""Where a record was first read: told in the headers of dead letters and of records sent on to their own partition."""

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

MERGED_MS = "merged_ms"
NUMBER = re.compile(rb"[0-9]{1,18}")


class Origin(Struct, frozen=True):
    """A place in an input log; `timestamp_ms` is Kafka's.

    `merged_ms` is when the id that the record was written with was merged into its customer; 0 where it is its own.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    merged_ms: int = 0


def headers_of(origin: Origin) -> dict[str, str]:
    """The headers that say where a record is from.

    >>> headers_of(Origin("events.purchases", 2, 7, 9))["source_offset"]
    '7'
    """
    merged = {MERGED_MS: str(origin.merged_ms)} if origin.merged_ms else {}
    return merged | {
        "source_topic": origin.topic,
        "source_partition": str(origin.partition),
        "source_offset": str(origin.offset),
        "source_timestamp_ms": str(origin.timestamp_ms),
    }


def origin_of(headers: Sequence[tuple[str, bytes]], topics: Collection[str]) -> Origin | None:
    """Where a record is from; None where its headers do not say so, or name none of `topics`.

    >>> made = [(name, text.encode()) for name, text in headers_of(Origin("events.purchases", 2, 7, 9)).items()]
    >>> origin_of(made, ["events.purchases"])
    Origin(topic='events.purchases', partition=2, offset=7, timestamp_ms=9, merged_ms=0)
    >>> origin_of([*made, ("source_offset", b"-1")], ["events.purchases"])
    """
    named = dict(headers)
    topic, *numbers = (named.get(f"source_{name}") or b"" for name in ("topic", "partition", "offset", "timestamp_ms"))
    known = next((each for each in topics if each.encode() == topic), None)
    if known is None or not all(map(NUMBER.fullmatch, numbers)):
        return None
    merged_ms = named.get(MERGED_MS) or b"0"
    partition, offset, timestamp_ms = map(int, numbers)
    return Origin(known, partition, offset, timestamp_ms, int(merged_ms) if NUMBER.fullmatch(merged_ms) else 0)
