"""A lane on the live clock over the memory store: logs that may grow, fetches in any order, and a wall to set."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from faust.types import TP

from ebb.history.archived_log import SET_ASIDE
from schemas.decode import decode
from schemas.decode_many import decode_many
from schemas.origin import origin_of
from schemas.topics import ENGAGEMENT, PROFILES, PURCHASES, REROUTED, SOURCE_TOPICS
from stream.alignment import order_ms
from stream.bugs import Decode
from stream.chunk import Models, StreamTimes
from stream.drafts import Outgoing
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.ports import LogPosition
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.background import Background
from stream.worker.fetched import Fetched
from stream.worker.inbox import Batch, Inbox
from stream.worker.lane import Lane
from stream.worker.log_records import LogRecord
from stream.worker.lost_commits import without
from stream.worker.quarantine import OnBug
from stream.worker.sweeping import Renewal
from stream.worker.timing import EVENT_TOPICS, LaneLimits, LiveTiming
from tests.world import BEGIN_MS, PINNED, RULES, TWO_OUTCOMES, KeptOutbox, Rules, in_columns

LIMITS = LaneLimits(chunk_records=100, chunk_bytes=10**9, queue_bytes=10**9, tick_ms=250)


@dataclass(frozen=True)
class Logged:
    """A record as aiokafka hands it over."""

    topic: str
    offset: int
    value: bytes | None
    timestamp: int
    key: bytes = b"key"
    headers: Sequence[tuple[str, bytes]] = ()


Logs = Mapping[str, list[Logged]]
ModelsOf = Callable[[Mapping[str, str]], Models]


def logs_of(records: Iterable[tuple[str, bytes | None, int]]) -> Logs:
    """Logs of (topic, value, Kafka timestamp)."""
    logs: dict[str, list[Logged]] = {topic: [] for topic in EVENT_TOPICS}
    for topic, value, timestamp_ms in records:
        logs[topic].append(Logged(topic, len(logs[topic]), value, timestamp_ms))
    return logs


def event_topic(kind: str) -> str:
    """Where events of a kind are written."""
    return {"purchase": PURCHASES, "refund": PURCHASES, "profile": PROFILES}.get(kind, ENGAGEMENT)


class Outbox(KeptOutbox):
    """There is always room."""

    async def room(self) -> None:
        return


@dataclass
class Pinned:
    """Stands where the watch over models does."""

    models: Models = PINNED

    async def reached(self, day: int) -> None:
        return


def decode_by_rules(topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> Sequence[Any]:
    """As a worker does."""
    return decode_many(topic, values, timestamps_ms, RULES)


@dataclass
class LiveLane:
    """One partition; what is fetched when, and what the wall shows, is the test's to say."""

    logs: Logs
    limits: LaneLimits = LIMITS
    due_at_once: int = 5_000
    wall_ms: int = BEGIN_MS
    partition: int = 0
    partitions: int = 1
    rules: Rules = TWO_OUTCOMES
    models: Pinned = field(default_factory=Pinned)
    held: set[str] = field(default_factory=set)
    background: Background = field(default_factory=Background)
    on_bug: OnBug | None = None
    decode: Decode = field(default=decode_by_rules)
    stored: StoredPartition = field(default_factory=StoredPartition)

    def __post_init__(self) -> None:
        self.outbox, store, head = Outbox(), MemoryPartitionStore(self.stored), self.stored.head
        positions = {topic: head.positions.get(topic, LogPosition(0)).next_offset for topic in EVENT_TOPICS}
        self.inbox = Inbox(positions, self.decode)
        assembly = Assembly(self.partition, self.partitions, self.rules, lockstep=False, live=True)
        self.applying = Applying(self.partition, "us", store, self.outbox, assembly, self.due_at_once, {})
        timing = LiveTiming(head.stream_time_ms, head.heard, self.limits, 0, self, lambda: self.wall_ms)
        self.lane = Lane(
            0,
            self.inbox,
            self,
            self.outbox,
            self.applying,
            self.models,
            timing,
            self.limits,
            self.background,
            on_bug=self.on_bug,
        )

    async def claim(self) -> "LiveLane":
        await self.applying.load(await self.applying._store.claim("us"))
        return self

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        return next_offset >= len(self.logs[tp.topic])

    async def hold(self, tp: TP) -> None:
        self.held.add(tp.topic)

    async def release(self, tp: TP) -> None:
        self.held.remove(tp.topic)

    async def seek_to(self, tp: TP, offset: int) -> None:
        raise AssertionError(f"{tp} is sought, and nothing has failed")

    async def fetch(self, topic: str, at_most: int = 10**9) -> bool:
        """Deliver the next records of a topic; False when there are none or it is paused."""
        start = self.inbox.tail(topic)
        records = self.logs[topic][start : start + at_most]
        if topic in self.held or not records:
            return False
        await self.lane.deliver(Fetched(TP(topic, 0), start, records))
        return True

    async def work(self) -> None:
        """Until nothing can be done."""
        while await self.lane.step():
            pass

    async def finish(self, wall_ms: int) -> "LiveLane":
        """Fetch and apply everything, then let the wall tick there until everything due has fired."""
        await self.work()
        while any([await self.fetch(topic) for topic in EVENT_TOPICS]):
            await self.work()
        self.wall_ms = wall_ms
        await self.work()
        assert self.applying.lags_at_ms is None
        return self

    def outgoing(self) -> list[Outgoing]:
        return self.outbox.outgoing()


def ids(outgoing: Iterable[Outgoing]) -> list[str]:
    """What the messages say they are, sorted; a dead letter is where it came from."""
    return sorted(_id_of(message) for message in outgoing)


def _id_of(message: Outgoing) -> str:
    named = dict(message.headers)
    if "source_offset" in named:
        return f"{named['source_topic']!r} {named['source_offset']!r}"
    return str(msgspec.json.decode(message.value or b"")["message_id"])


async def recomputed(
    journal: Iterable[bytes], logs: Logs, models_of: ModelsOf | None = None, **lane_options: Any
) -> LiveLane:
    """A lane's outputs from the logs and its journal alone: no wall, no fetches, no queues.

    `models_of` finds the documents of an entry's versions; the pinned ones without it.
    """
    lane = await LiveLane(logs, **lane_options).claim()
    lane.applying.may_lag = True  # a commit that did not make room for all deadlines says so by its stream time
    for packed in journal:
        entry = msgspec.json.decode(packed)
        batch, models = _batch(entry, logs), (models_of or _models)(entry["models"])
        times = _times(entry, len(batch.records))
        if entry["tick"] or batch.records:
            await lane.applying.apply(batch, times, models)
        elif "postponed" in entry:
            await lane.applying.postpone(entry["postponed"], models)
        else:
            await _renew(lane.applying, entry.get("renewed", []), times, models)
    return lane


async def _renew(applying: Applying, customers: list[str], times: StreamTimes, models: Models) -> None:
    """Decide the customers anew that a sweep had come to."""
    head, _ = await applying._store.begin(0, 0)
    assert await applying._commit(head, Batch(), times, [], models, Renewal(customers, head.sweep))


def _batch(entry: Mapping[str, Any], logs: Logs) -> Batch:
    """The records of a journal entry, in the order they took effect: the earliest head first, as at any time."""
    offsets, set_aside = entry["offsets"], list(map(tuple, entry.get("set_aside", [])))
    left = {
        topic: [_record(raw, is_set_aside=(topic, raw.offset) in set_aside) for raw in _between(logs[topic], *ends)]
        for topic, ends in offsets.items()
    }
    records: list[LogRecord] = []
    while any(left.values()):
        topic = min((t for t in EVENT_TOPICS if left.get(t)), key=lambda t: _order_ms(left[t][0]))
        records.append(left[topic].pop(0))
    lost = [at for at, each in enumerate(records) if each.topic == REROUTED and each.offset in entry.get("lost", [])]
    return Batch(without(in_columns(records), lost), {topic: first for topic, (first, _) in offsets.items()})


def _between(log: list[Logged], first: int, end: int) -> list[Logged]:
    """What has an offset from `first` to before `end`; there may be holes."""
    begin, behind = (bisect_left(log, offset, key=lambda raw: raw.offset) for offset in (first, end))
    return log[begin:behind]


def _record(raw: Logged, *, is_set_aside: bool) -> LogRecord:
    origin = origin_of(raw.headers, SOURCE_TOPICS) if raw.topic == REROUTED else None
    written_ms = origin.timestamp_ms if origin else raw.timestamp
    decoded = SET_ASIDE if is_set_aside else decode(raw.topic, raw.value, written_ms, RULES)
    return LogRecord(raw.topic, raw.offset, raw.timestamp, raw.key, raw.value, decoded, sent_from=origin)


def _order_ms(record: LogRecord) -> int:
    written_ms = record.origin_on(0).timestamp_ms
    return order_ms(getattr(record.decoded, "event_time_ms", None), written_ms)


def _times(entry: Mapping[str, Any], records: int) -> StreamTimes:
    times = np.zeros(records, np.int64)
    for first, time_ms in entry["stream_time_runs"]:
        times[first:] = time_ms
    return StreamTimes(times, entry["stream_time_ms"])


def _models(versions: Mapping[str, str]) -> Models:
    """The pinned documents under the versions that were in force."""
    outcomes = {
        name: msgspec.structs.replace(PINNED.outcomes[name], version=versions[name])
        for name in PINNED.outcomes
        if name in versions
    }
    segments = PINNED.segments if versions.get("segments") else None
    return replace(PINNED, outcomes=outcomes, segments=segments)


def run(coroutine: Any) -> Any:
    """On an event loop of its own."""
    return asyncio.run(coroutine)
