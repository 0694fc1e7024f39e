"""Whoever lives where: a history applied on four partitions and moved to six is one that has always had six."""

import asyncio
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
from faust.types import TP

from ebb.compose.worker import worker_plan
from ebb.history.recovering import Recovery
from offline.addresses import key_of, partition_for, topic_of
from offline.archive.files import JOURNAL, write_durably
from offline.archive.records import ArchivedRecord
from offline.archive.standing import Era, Standing, model_path
from offline.archive.writing import LogArchive
from offline.days import days
from schemas.clock import ClockRecord
from schemas.decode_many import decode_many
from schemas.events import Event, OrderLine, PageView, Purchase
from schemas.topics import CLOCK, INPUT_TOPICS, SOURCE_TOPICS
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.scoring.documents import encode
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring, seal
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.fetched import Fetched
from stream.worker.inbox import Inbox
from stream.worker.timing import LaneLimits, ReplayTiming
from tests.world import BEGIN_MS, CENTRES, PINNED, KeptOutbox, silence_document

KEYS = "test:" + "5e" * 32
PLAN = worker_plan(WorkerSettings(clock="replay", model_keys=KEYS))
LIMITS = LaneLimits(chunk_records=37, chunk_bytes=10**9, queue_bytes=10**9, tick_ms=250)
SAME = ("states", "views", "deadlines", "segments", "risks", "labels", "snapshots", "totals")


def shopping(first_day: int, last_day: int) -> list[Event]:
    """Fifty customers who come as they like, some of whom stay away, and guests."""
    dice, events = random.Random(first_day), []
    for number in range(50):
        for day in range(first_day, last_day if number % 3 else first_day + 20):
            time_ms = BEGIN_MS + day * DAY_MS + dice.randrange(DAY_MS)
            common = {"event_id": f"{number}-{day}", "event_time_ms": time_ms}
            customer = None if number == 49 else f"customer-{number}"
            if dice.random() < 0.2:
                lines = [OrderLine(product_id="85048", quantity=2, unit_price="12.50")]
                events.append(Purchase(customer_id=customer, currency="GBP", lines=lines, **common))
            elif dice.random() < 0.2:
                events.append(PageView(customer_id=customer, **common))
    return sorted(events, key=lambda event: event.event_time_ms)


@dataclass
class Shop:
    """Logs in an archive, and what workers have made of them."""

    folder: Path
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    stored: dict[int, StoredPartition] = field(default_factory=dict)
    fetched: dict[tuple[str, int], list[ArchivedRecord]] = field(default_factory=dict)

    def open(self, events: list[Event], partitions: int) -> None:
        """Publish and apply: what is applied is in the journal of the archive."""
        self.fetched = {}
        for time_ms, some in days(events):
            for event in some:
                self._write(topic_of(event), partition_for(event, partitions), key_of(event), event)
            for partition in range(partitions):
                ends = {topic: self.ends.get((topic, partition), 0) for topic in SOURCE_TOPICS}
                self._write(CLOCK, partition, "", ClockRecord(time_ms=time_ms, ends=ends))
        for (topic, partition), records in self.fetched.items():
            log = LogArchive(self.folder, topic, partition)
            log.add(records)
            log.flush()
        for partition in range(partitions):
            asyncio.run(self._work(partition, partitions))

    def _write(self, topic: str, partition: int, key: str, what: object) -> None:
        offset = self.ends.get((topic, partition), 0)
        self.ends[topic, partition] = offset + 1
        record = ArchivedRecord(offset, BEGIN_MS + 400 * DAY_MS, key.encode(), msgspec.json.encode(what))
        self.fetched.setdefault((topic, partition), []).append(record)

    async def _work(self, partition: int, partitions: int) -> None:
        """What a worker's lane does."""
        stored = self.stored.setdefault(partition, StoredPartition())
        store, outbox = MemoryPartitionStore(stored), KeptOutbox()
        assembly = Assembly(partition, partitions, PLAN.rules, lockstep=False)
        applying = Applying(partition, "us", store, outbox, assembly, 5_000, {})
        head = await store.claim("us")
        await applying.load(head)
        positions = {topic: applying.resume_offset(head, topic) for topic in INPUT_TOPICS}
        inbox = Inbox(positions, lambda topic, values, times: decode_many(topic, values, times, PLAN.decoding))
        for topic in INPUT_TOPICS:
            if records := self.fetched.get((topic, partition)):
                inbox.put(Fetched(TP(topic, partition), positions[topic], records))
        timing = ReplayTiming(head.stream_time_ms, LIMITS)
        stored.journal.clear()
        while (batch := timing.take(inbox)) is not None:
            await applying.apply(batch, timing.times(batch), PINNED)
        log = LogArchive(self.folder, JOURNAL, partition)
        entries = [(msgspec.json.decode(packed)["version"], packed) for packed in stored.journal]
        log.add([SimpleNamespace(offset=n, timestamp=0, key=b"0-0", value=packed, headers=()) for n, packed in entries])
        log.flush()

    def ended(self, partitions: int) -> Era:
        heads = {number: self.stored[number].head for number in range(partitions)}
        versions = {number: head.version for number, head in heads.items()}
        return Era(partitions, versions, {number: head.sequence for number, head in heads.items()})


def rebuilt(folder: Path, eras: list[Era]) -> dict[int, StoredPartition]:
    for name, document in (("churn_30d", silence_document()), ("segments", CENTRES)):
        sealed = seal(encode(document), Keyring.from_text(KEYS))
        write_durably(model_path(folder, LAYOUT, name, document.version), sealed)
    standing = Standing("replay", LAYOUT, eras)
    settings = WorkerSettings(clock="replay", model_keys=KEYS, partitions=standing.partitions)

    async def rebuild() -> dict[int, StoredPartition]:
        return {part.partition: part.stored async for part in Recovery(settings, folder, standing).rebuilt()}

    return asyncio.run(rebuild())


def assert_same(found: dict[int, StoredPartition], expected: dict[int, StoredPartition]) -> None:
    assert found.keys() == expected.keys()
    for partition, stored in expected.items():
        for name in SAME:
            assert getattr(found[partition], name) == getattr(stored, name), (partition, name)
        assert found[partition].head.stream_time_ms == stored.head.stream_time_ms


def test_a_history_moved_to_more_partitions_is_as_if_it_had_always_had_them(tmp_path: Path) -> None:
    first, then = shopping(0, 60), shopping(60, 90)
    always, moved = Shop(tmp_path / "always"), Shop(tmp_path / "moved")
    always.open(first, 6)
    moved.open(first, 4)
    assert any(stored.segments.get("At Risk") for stored in always.stored.values())
    assert any(stored.labels for stored in always.stored.values())

    era = moved.ended(4)
    versions = {number: stored.head for number, stored in moved.stored.items()}
    moved.stored = rebuilt(moved.folder, [era, Era(6)])
    assert_same(moved.stored, always.stored)
    for number, head in versions.items():
        assert moved.stored[number].head.positions == head.positions

    for number, stored in moved.stored.items():  # as the store does: no version means two things
        stored.head = replace(stored.head, version=era.last_versions.get(number, 0) + 1_000)
    always.open(then, 6)
    moved.open(then, 6)
    assert_same(moved.stored, always.stored)
    assert_same(rebuilt(moved.folder, [era, Era(6)]), always.stored)  # lost after it was moved
