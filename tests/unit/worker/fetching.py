"""Fetched chunks and a consumer that only remembers what it was asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from faust.types import TP

from schemas.decode import DecodeRules
from schemas.decode_many import decode_many
from schemas.topics import CLOCK, INPUT_TOPICS, PURCHASES
from schemas.units import DAY_MS
from stream.worker.fetched import Fetched
from stream.worker.inbox import Batch, Inbox
from tests.world import BEGIN_MS, Raw, purchase

RULES = DecodeRules(currency="GBP")


def inbox(customers_at_most: int = 10**9, **positions: int) -> Inbox:
    """An inbox of all topics; `purchases=7` begins that one at offset 7."""
    starts = {topic: positions.get(topic.partition(".")[2], 0) for topic in INPUT_TOPICS}
    return Inbox(starts, lambda topic, values, times: decode_many(topic, values, times, RULES), customers_at_most)


WRITTEN_MS = BEGIN_MS + 4_000 * DAY_MS


def fetched(
    topic: str,
    values: Sequence[Any],
    start: int = 0,
    previous: int | None = None,
    timestamp_ms: int = WRITTEN_MS,
) -> Fetched:
    """Records from offset `start` on, in a row."""
    encoded = [msgspec.json.encode(value) if isinstance(value, dict) else value for value in values]
    records = [Raw(topic, start + at, value, timestamp_ms) for at, value in enumerate(encoded)]
    return Fetched(TP(topic, 0), start if previous is None else previous, records)


def purchases(*days: float, start: int = 0) -> Fetched:
    """A purchase of a new customer on each of these days after the beginning."""
    events = [purchase(f"customer-{start + at}", day, event_id=f"e{start + at}") for at, day in enumerate(days)]
    return fetched(PURCHASES, events, start)


def clock(day: float, start: int = 0, **ends: int) -> Fetched:
    """A clock record; `purchases=3` says that three purchases come before it."""
    whole = {topic: ends[topic.partition(".")[2]] for topic in INPUT_TOPICS if topic.partition(".")[2] in ends}
    return fetched(CLOCK, [{"type": "clock", "time_ms": BEGIN_MS + round(day * DAY_MS), "ends": whole}], start)


def offsets(batch: Batch | None) -> list[tuple[str, int]]:
    """(topic without its prefix, offset) of what was taken."""
    return [(record.topic.partition(".")[2], record.offset) for record in batch.records] if batch else []


@dataclass
class Consumer:
    """Remembers seeks, and which partitions are held."""

    seeks: list[tuple[str, int]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)

    async def seek_to(self, tp: TP, offset: int) -> None:
        self.seeks.append((tp.topic, offset))

    async def hold(self, tp: TP) -> None:
        self.held.add(tp.topic)

    async def release(self, tp: TP) -> None:
        self.held.remove(tp.topic)
