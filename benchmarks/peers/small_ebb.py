"""Like for like: Ebb's transport, one lane a partition and commits fenced by position, with the peers' feature set.

No views, models, deadlines, labels, outbox, journal or duplicate window; still effectively once: a commit compares the
version and writes states and positions together, where the peers promise at least once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from faust.types import TP
from numpy.typing import NDArray

from benchmarks.peers.features import HALF_LIFE_30D_MS
from benchmarks.peers.started import TOPIC, Arguments, arguments, report
from stream.features.facts import ENGAGEMENT_KINDS
from stream.redis_store.connection import PinnedConnection
from stream.worker.chunk_app import Membership, Subscription, chunk_app
from stream.worker.fetched import Fetched
from stream.worker.running import run_until_stopped

RECORD = np.dtype(
    [
        ("spend_minor", "<i8"),
        ("last_purchase_ms", "<i8"),
        ("decayed_30d", "<f8"),
        ("purchases", "<u4"),
        ("decayed_reference", "<i4"),
        ("engagement", "<u2", (len(ENGAGEMENT_KINDS) + 3,)),
    ]
)
"""88 bytes a customer. The decayed count is relative to a whole number of half-lives since 1970."""

CHUNK_RECORDS = 500
QUEUED_AT_MOST = 20_000
_KIND = {kind: place for place, kind in enumerate(ENGAGEMENT_KINDS)}


class SmallLine(msgspec.Struct, gc=False):
    """What the feature set needs of an order line."""

    quantity: int
    unit_price: str
    discount: str = ""


class SmallEvent(msgspec.Struct, gc=False):
    """What the feature set needs of an event."""

    type: str
    customer_id: str
    event_time_ms: int
    lines: list[SmallLine] = []  # empty for engagement


_decode = msgspec.json.Decoder(SmallEvent).decode


def record_key(partition: int, customer: str) -> bytes:
    """Where a customer's record is."""
    return b"small:{%d}:%b" % (partition, customer.encode())


def fold(states: NDArray[np.void], rows: Sequence[int], events: Sequence[SmallEvent]) -> None:
    """Let events take effect, in log order; a customer may come many times."""
    bought = [(row, event) for row, event in zip(rows, events, strict=True) if event.lines]
    seen = [(row, _KIND[event.type]) for row, event in zip(rows, events, strict=True) if not event.lines]
    if seen:
        of_row, kind = np.array(seen).T
        np.add.at(states["engagement"], (of_row, kind), 1)
    if bought:
        _fold_purchases(states, np.array([row for row, _ in bought]), [event for _, event in bought])


def _fold_purchases(states: NDArray[np.void], rows: NDArray[np.int64], events: Sequence[SmallEvent]) -> None:
    time_ms = np.array([event.event_time_ms for event in events])
    np.add.at(states["purchases"], rows, 1)
    np.add.at(states["spend_minor"], rows, [_minor(event) for event in events])
    np.maximum.at(states["last_purchase_ms"], rows, time_ms)
    age = time_ms / HALF_LIFE_30D_MS
    before = states["decayed_reference"].copy()
    np.maximum.at(states["decayed_reference"], rows, age.astype(np.int32))
    states["decayed_30d"] = np.ldexp(states["decayed_30d"], before - states["decayed_reference"])
    np.add.at(states["decayed_30d"], rows, np.exp2(age - states["decayed_reference"][rows]))


def _minor(event: SmallEvent) -> int:
    return sum(
        round(float(line.unit_price) * 100) * line.quantity
        - (round(float(line.discount) * 100) if line.discount else 0)
        for line in event.lines
    )


class SmallLane:
    """One partition: queue, read, fold, commit; one chunk in flight."""

    def __init__(self, partition: int, url: str, count: Callable[[int], None]) -> None:
        self.partition, self.queued, self._count = partition, 0, count
        self._connection = PinnedConnection(url, f"small:{partition}")
        self._head = b"small-partition:{%d}" % partition
        self._queue: asyncio.Queue[Sequence[Any]] = asyncio.Queue()
        self._stopping = asyncio.Event()

    async def resume_offset(self) -> int:
        """Where Redis is."""
        number = await self._connection.open()
        stored = (await self._connection.exchange([(b"HGET", self._head, b"position")], number))[0]
        return int(stored or 0)

    def put(self, records: Sequence[Any]) -> None:
        """Queue what was fetched."""
        self.queued += len(records)
        self._queue.put_nowait(records)

    def stop(self) -> None:
        """End after the chunk in flight: one that is cancelled may be applied and not be counted."""
        self._stopping.set()
        self._queue.put_nowait(())

    async def run(self, release: Any) -> None:
        """Apply chunk after chunk."""
        while not self._stopping.is_set():
            records = await self._queue.get()
            for start in range(0, len(records), CHUNK_RECORDS):
                if self._stopping.is_set():
                    return
                await self._apply(records[start : start + CHUNK_RECORDS])
            self.queued -= len(records)
            if self.queued < QUEUED_AT_MOST // 2:
                await release(self.partition)

    async def _apply(self, records: Sequence[Any]) -> None:
        """One chunk. What another process has applied in between, before a rebalance, is passed over."""
        while records:
            number = await self._connection.open()
            _, stored = await self._connection.exchange(
                [(b"WATCH", self._head), (b"HGET", self._head, b"position")], number
            )
            position = int(stored or 0)
            if position < records[0].offset:
                raise RuntimeError(f"partition {self.partition} is at {position}, before {records[0].offset}")
            records = [record for record in records if record.offset >= position]
            if records and await self._commit(records, number):
                self._count(len(records))
                return

    async def _commit(self, records: Sequence[Any], number: int) -> bool:
        """Read, fold and write; False when another was faster."""
        events = [_decode(record.value) for record in records]
        places: dict[str, int] = {}
        rows = [places.setdefault(event.customer_id, len(places)) for event in events]
        names = [record_key(self.partition, customer) for customer in places]
        [stored] = await self._connection.exchange([[b"MGET", *names]], number)
        packed = b"".join(value or bytes(RECORD.itemsize) for value in stored)
        states = np.frombuffer(bytearray(packed), RECORD)
        fold(states, rows, events)
        whole, size = states.tobytes(), RECORD.itemsize
        values = [part for at, name in enumerate(names) for part in (name, whole[at * size : (at + 1) * size])]
        after = records[-1].offset + 1
        commands = [(b"MULTI",), [b"MSET", *values], (b"HSET", self._head, b"position", b"%d" % after), (b"EXEC",)]
        return (await self._connection.exchange(commands, number))[-1] is not None


class SmallProcess:
    """The lanes of a process, on Ebb's chunked transport."""

    def __init__(self, given: Arguments, loop: asyncio.AbstractEventLoop) -> None:
        self._given = given
        self._lanes: dict[int, SmallLane] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._held: set[int] = set()
        self.failure: BaseException | None = None
        self._done = 0
        report(given.progress, lambda: self._done)
        membership = Membership(given.group, (given.servers,), session_timeout_ms=10_000)
        self.app = chunk_app(
            Subscription(membership, (TOPIC,), self._assigned, self._deliver, self._revoked, self._stop), loop
        )

    async def _assigned(self, assigned: set[TP]) -> Mapping[TP, int]:
        await self._stop()
        self._lanes = {tp.partition: SmallLane(tp.partition, self._given.redis, self._count) for tp in assigned}
        positions = {TP(TOPIC, p): await lane.resume_offset() for p, lane in self._lanes.items()}
        self._tasks = [asyncio.ensure_future(lane.run(self._release)) for lane in self._lanes.values()]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        return positions

    def _count(self, records: int) -> None:
        self._done += records

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None and self.failure is None:
            self.failure = task.exception()
            self._crash = asyncio.ensure_future(self.app.crash(self.failure))

    async def _deliver(self, fetched: Fetched) -> None:
        lane = self._lanes[fetched.tp.partition]
        lane.put(fetched.records)
        if lane.queued > QUEUED_AT_MOST and lane.partition not in self._held:
            self._held.add(lane.partition)
            await self.app.chunk_consumer.hold(fetched.tp)

    async def _release(self, partition: int) -> None:
        if partition in self._held:
            self._held.discard(partition)
            await self.app.chunk_consumer.release(TP(TOPIC, partition))

    async def _revoked(self, _: set[TP]) -> None:
        await self._stop()

    async def _stop(self) -> None:
        for lane in self._lanes.values():
            lane.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()


if __name__ == "__main__":
    run_until_stopped(lambda loop: SmallProcess(arguments(), loop))
