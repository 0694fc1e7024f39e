"""A shop whose logs and journals are archived, over the memory store: applied, moved to other partitions, rebuilt."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from faust.types import TP

from ebb.compose.worker import worker_plan
from ebb.history.through_eras import Recovery
from offline.addresses import key_of, partition_for, topic_of
from offline.archive.files import JOURNAL, write_durably
from offline.archive.records import ArchivedRecord
from offline.archive.standing import Era, Standing, model_path
from offline.archive.writing import LogArchive
from offline.days import days
from schemas.clock import ClockRecord
from schemas.decode_many import decode_many
from schemas.partition import partition_of
from schemas.topics import CLOCK, INPUT_TOPICS, PURCHASES, REROUTED, SOURCE_TOPICS
from schemas.units import DAY_MS
from stream.drafts import Outgoing
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
RESIDENT_BYTES = 1_000_000  # made anew for each day of each partition
SETTINGS = WorkerSettings(clock="replay", model_keys=KEYS, resident_bytes=RESIDENT_BYTES)
PLAN = worker_plan(SETTINGS)
LIMITS = LaneLimits(chunk_records=37, chunk_bytes=10**9, queue_bytes=10**9, tick_ms=250)
WRITTEN_MS = BEGIN_MS + 400 * DAY_MS
LOST = 1_000  # versions, as the store leaves out

Place = tuple[str, int]


@dataclass
class Shop:
    """Logs, and what workers have made of them.

    Attributes:
        folder: the archive.
        ends: of each log.
        stored: by partition.
        eras: that have ended.
    """

    folder: Path
    ends: dict[Place, int] = field(default_factory=dict)
    stored: dict[int, StoredPartition] = field(default_factory=dict)
    eras: list[Era] = field(default_factory=list)
    _logs: dict[Place, list[ArchivedRecord]] = field(default_factory=dict)
    _journals: dict[int, list[bytes]] = field(default_factory=dict)

    def open(self, events: Sequence[Any], partitions: int, *, misrouted: frozenset[str] = frozenset()) -> None:
        """Publish events and let them be applied, until nothing is on its way any more.

        Those whose ids are `misrouted` are put on the partition after their customer's.
        """
        for time_ms, some in days(events):
            for event in some:
                elsewhere = event.event_id in misrouted
                home = (partition_for(event, partitions) + elsewhere) % partitions
                self._write(topic_of(event), home, key_of(event).encode(), msgspec.json.encode(event))
            for partition in range(partitions):
                ends = {topic: self.ends.get((topic, partition), 0) for topic in SOURCE_TOPICS}
                self._write(CLOCK, partition, b"", msgspec.json.encode(ClockRecord(time_ms=time_ms, ends=ends)))
        self._settle(partitions)

    def garble(self, partition: int) -> None:
        """Write what is no event."""
        self._write(PURCHASES, partition, b"nobody", b"{")

    def _write(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Sequence[Any] = ()
    ) -> None:
        offset = self.ends.get((topic, partition), 0)
        self.ends[topic, partition] = offset + 1
        record = ArchivedRecord(offset, WRITTEN_MS, key, value, list(headers))
        self._logs.setdefault((topic, partition), []).append(record)

    def _settle(self, partitions: int) -> None:
        """Until nobody sends anything on to another partition."""
        while True:
            sent = [message for number in range(partitions) for message in asyncio.run(self._work(number, partitions))]
            on_their_way = [message for message in sent if message.topic == REROUTED]
            for message in on_their_way:
                home = partition_of((message.key or b"").decode(), partitions)
                self._write(REROUTED, home, message.key, message.value, message.headers)
            if not on_their_way:
                return

    async def _work(self, partition: int, partitions: int) -> list[Outgoing]:
        """What a worker's lane does; what it has to say."""
        stored = self.stored.setdefault(partition, StoredPartition())
        store, outbox = MemoryPartitionStore(stored), KeptOutbox()
        assembly = Assembly(partition, partitions, PLAN.rules, lockstep=False)
        applying = Applying(partition, "us", store, outbox, assembly, 5_000, {}, resident_bytes=RESIDENT_BYTES)
        head = await store.claim("us")
        stored.outbox.clear()  # it was sent
        await applying.load(head)
        positions = {topic: applying.resume_offset(head, topic) for topic in INPUT_TOPICS}
        inbox = Inbox(positions, lambda topic, values, times: decode_many(topic, values, times, PLAN.decoding))
        for topic in INPUT_TOPICS:
            if records := [r for r in self._logs.get((topic, partition), ()) if r.offset >= positions[topic]]:
                inbox.put(Fetched(TP(topic, partition), positions[topic], records))
        timing = ReplayTiming(head.stream_time_ms, LIMITS)
        stored.journal.clear()
        while (batch := timing.take(inbox)) is not None:
            await applying.apply(batch, timing.times(batch), PINNED)
        self._journals.setdefault(partition, []).extend(stored.journal)
        return outbox.outgoing()

    def archive(self) -> None:
        """Add what is new to the archive."""
        for (topic, partition), records in self._logs.items():
            _add(self.folder, topic, partition, records)
        for partition, packed in self._journals.items():
            noted = [(msgspec.json.decode(entry)["version"], entry) for entry in packed]
            entries = [SimpleNamespace(offset=n, timestamp=0, key=b"0-0", value=e, headers=()) for n, e in noted]
            _add(self.folder, JOURNAL, partition, entries)
        for name, document in (("churn_30d", silence_document()), ("segments", CENTRES)):
            sealed = seal(encode(document), Keyring.from_text(KEYS))
            write_durably(model_path(self.folder, LAYOUT, name, document.version), sealed)

    def move(self, before: int, after: int) -> None:
        """Do what `ebb repartition` does, but for topics: their logs go on where they ended."""
        self.archive()
        self.eras.append(self.ended(before))
        self.stored = self.rebuilt(after)
        versions = {number: self._last_version(number) for number in self.stored}
        for number, stored in self.stored.items():
            stored.head = replace(stored.head, version=versions[number] + LOST)

    def _last_version(self, partition: int) -> int:
        packed = self._journals.get(partition, ())
        return int(msgspec.json.decode(packed[-1])["version"]) if packed else 0

    def ended(self, partitions: int) -> Era:
        """The era that ends now."""
        heads = {number: self.stored[number].head for number in range(partitions)}
        ends = {topic: [self.ends.get((topic, number), 0) for number in range(partitions)] for topic in INPUT_TOPICS}
        versions = {number: head.version for number, head in heads.items()}
        return Era(partitions, versions, {number: head.sequence for number, head in heads.items()}, ends=ends)

    def rebuilt(self, partitions: int) -> dict[int, StoredPartition]:
        """What the archive comes to on so many partitions."""
        standing = Standing("replay", LAYOUT, [*self.eras, Era(partitions)])
        settings = msgspec.structs.replace(SETTINGS, partitions=partitions)

        async def rebuild() -> dict[int, StoredPartition]:
            return {part.partition: part.stored async for part in Recovery(settings, self.folder, standing).rebuilt()}

        return asyncio.run(rebuild())


def _add(folder: Path, topic: str, partition: int, records: Sequence[Any]) -> None:
    log = LogArchive(folder, topic, partition)
    log.add([record for record in records if record.offset >= log.position])
    log.flush()
