"""A replay's logs as an archive, without a broker: the same history in another form."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ebb.simulate import Shop, ShopSettings
from ebb.simulate.delivery import Slice
from ebb.simulate.parquet import saved
from ebb.simulate.publishing import records
from offline.addresses import key_of, partition_for, topic_of
from offline.archive.records import ArchivedRecord
from offline.archive.writing import LogArchive
from offline.days import days
from offline.history import History
from offline.replay import EventRecord
from schemas.clock import ClockRecord
from schemas.origin import Origin, headers_of
from schemas.partition import partition_of
from schemas.topics import CLOCK, REROUTED, SOURCE_TOPICS

PARTITIONS, NOW_MS = 2, 1_780_000_000_000
Moment = tuple[int, Iterable[EventRecord]]


class Logs:
    """What a replay writes, as an archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logs: dict[tuple[str, int], list[ArchivedRecord]] = {}

    def write(self, topic: str, partition: int, value: bytes, headers: Any = (), key: bytes = b"key") -> None:
        log = self._logs.setdefault((topic, partition), [])
        log.append(ArchivedRecord(len(log), NOW_MS, key, value, headers))

    def replay(self, moments: Iterable[Moment]) -> "Logs":
        """Events and clock records; a worker sends on what is on a wrong partition."""
        for time_ms, events in moments:
            for event in events:
                self.write(event.topic, event.partition, event.value, key=event.key)
                home = partition_of(event.key.decode(), PARTITIONS)
                if event.partition != home and b'"customer_id"' in event.value:
                    offset = len(self._logs[event.topic, event.partition]) - 1
                    origin = headers_of(Origin(event.topic, event.partition, offset, NOW_MS))
                    self.write(REROUTED, home, event.value, [(name, text.encode()) for name, text in origin.items()])
            for partition in range(PARTITIONS):
                ends = {topic: len(self._logs.get((topic, partition), ())) for topic in SOURCE_TOPICS}
                self.write(CLOCK, partition, msgspec.json.encode(ClockRecord(time_ms=time_ms, ends=ends)))
        return self

    def close(self) -> Path:
        for (topic, partition), written in self._logs.items():
            log = LogArchive(self.folder, topic, partition)
            log.add(written)
            log.flush()
        return self.folder


def simulated(folder: Path, **settings: Any) -> list[Slice]:
    shop = Shop(ShopSettings(**settings))
    return list(saved(shop.slices(), shop, folder))


def midnights(slices: list[Slice]) -> list[Moment]:
    """As `ebb simulate` publishes them."""
    return [(slices[0].begin_ms, ()), *((sent.end_ms, records(sent, PARTITIONS)) for sent in slices)]


def published(history: History) -> list[Moment]:
    """As `ebb replay` publishes it."""
    return [(time_ms, [_record(event) for event in events]) for time_ms, events in days(history.events)]


def _record(event: Any) -> EventRecord:
    value = msgspec.json.encode(event)
    return EventRecord(topic_of(event), partition_for(event, PARTITIONS), key_of(event).encode(), value, 0)
