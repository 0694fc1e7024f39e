"""Where a record was first read: told in the headers of dead letters and of records sent on to other partitions."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

HOPS, TIMELINE = "hops", "timeline"
NUMBER = re.compile(rb"[0-9]{1,18}")

Link = tuple[str, int]
"""A merge: the id that went, and when."""

Path = tuple[Link, ...]
"""The merges that a record has followed, the last one into the customer that it is for now."""


class Origin(Struct, frozen=True):
    """A place in an input log; `timestamp_ms` is Kafka's.

    `path` is by which merges the record came to the customer it is for, and `hops` how often erasures and merges have
    sent it from one customer to another; 0 where it is for the one it was written with.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    hops: int = 0
    path: Path = ()

    def sent_on(self, path: Path) -> "Origin":
        """The same of what is sent on to another customer."""
        return msgspec.structs.replace(self, hops=self.hops + 1, path=path)


class Sender(NamedTuple):
    """Whose commit a record was sent by: what it says holds as long as Redis knows of that commit.

    Attributes:
        partition: that sent it.
        timeline: names what the partition has committed since it was last read from Redis.
        sequence: the record's number among its messages.
    """

    partition: int
    timeline: str
    sequence: int


def headers_of(origin: Origin) -> dict[str, str]:
    """The headers that say where a record is from.

    >>> headers_of(Origin("events.purchases", 2, 7, 9))["source_offset"]
    '7'
    >>> headers_of(Origin("events.purchases", 2, 7, 9, 1, (("visitor-8f2", 5),)))["path"]
    '[["visitor-8f2", 5]]'
    """
    sent = {HOPS: str(origin.hops), "path": json.dumps(origin.path)} if origin.hops else {}
    return sent | {
        "source_topic": origin.topic,
        "source_partition": str(origin.partition),
        "source_offset": str(origin.offset),
        "source_timestamp_ms": str(origin.timestamp_ms),
    }


def origin_of(headers: Sequence[tuple[str, bytes]], topics: Collection[str]) -> Origin | None:
    """Where a record is from; None where its headers do not say so, or name none of `topics`.

    >>> made = [(name, text.encode()) for name, text in headers_of(Origin("events.purchases", 2, 7, 9)).items()]
    >>> origin_of(made, ["events.purchases"])
    Origin(topic='events.purchases', partition=2, offset=7, timestamp_ms=9, hops=0, path=())
    >>> origin_of([*made, ("source_offset", b"-1")], ["events.purchases"])
    """
    named = dict(headers)
    topic, *numbers = (named.get(f"source_{name}") or b"" for name in ("topic", "partition", "offset", "timestamp_ms"))
    known = next((each for each in topics if each.encode() == topic), None)
    if known is None or not all(map(NUMBER.fullmatch, numbers)):
        return None
    partition, offset, timestamp_ms = map(int, numbers)
    return Origin(known, partition, offset, timestamp_ms, *_sent(named))


def sender_of(headers: Sequence[tuple[str, bytes]]) -> Sender | None:
    """Whose commit a record was sent by; None where its headers do not say so.

    >>> sender_of([("partition", b"2"), ("sequence", b"17"), ("timeline", b"5f0c")])
    Sender(partition=2, timeline='5f0c', sequence=17)
    >>> sender_of([("partition", b"2"), ("sequence", b"17")])
    """
    named = dict(headers)
    timeline, *numbers = (named.get(name) or b"" for name in (TIMELINE, "partition", "sequence"))
    if not timeline or not all(map(NUMBER.fullmatch, numbers)):
        return None
    partition, sequence = map(int, numbers)
    return Sender(partition, timeline.decode(errors="replace"), sequence)


def _sent(named: Mapping[str, bytes]) -> tuple[int, Path]:
    """Hops and path; none where nobody of ours has written them."""
    hops = named.get(HOPS) or b""
    if not NUMBER.fullmatch(hops):
        return 0, ()
    try:
        path = msgspec.json.decode(named.get("path") or b"", type=Path)
    except msgspec.DecodeError:
        return 0, ()
    return int(hops), path
