"""What the position check and the journal cost of a chunk: the same commits with and without them, in turn.

Chunks of purchases and engagement, each record another customer's, are computed in this process, and their commits
stored on a Redis twice: as a worker does it, and without WATCH, head and journal entry. What of the two is computed in
the worker, the comparisons and the entry itself, is timed where it happens.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import redis
from msgspec.structs import replace

from benchmarks.in_process import HeapPartitionStore, InProcess
from benchmarks.loads import Record, written
from benchmarks.models import in_force, learned
from ebb.services.embedded_redis import EmbeddedRedis
from stream.ports import Commit, Head
from stream.redis_store.commit import transaction
from stream.redis_store.partition import DUE_AHEAD, RedisPartitionStore
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.running import look_for_garbage_rarely

CUSTOMERS = 25_000  # of the partition
WARM_UP_CHUNKS = 10
SPREAD_MS = 3_600_000
DUE_UNTIL_MS, DUE_LIMIT = 0, 250
WHOLE, BARE = 0, 1
"""Partitions on Redis: of the commits with everything, and of those without."""

COMPUTED = ((Assembly, "_journal"), (Applying, "_is_ours"), (Applying, "_continues"), (Applying, "_is_behind"))
"""What the worker computes for the check and the journal. Filtering by offsets is left out: nothing is compared twice
where positions agree."""


@dataclass(frozen=True)
class Spent:
    """Seconds."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)


@dataclass(frozen=True)
class Chunk:
    """What one chunk spent: computed in all, of that for check and journal, stored with them, stored without."""

    computed: Spent
    for_safety: Spent
    whole: Spent
    bare: Spent


class KeepingStore(HeapPartitionStore):
    """Keeps the last commit."""

    last: Commit

    async def commit(self, head: Head, changes: Commit) -> bool:
        """As ever."""
        self.last = changes
        return await super().commit(head, changes)


class BareStore(RedisPartitionStore):
    """Commits without comparing with anything, and without a journal."""

    async def write(self, changes: Commit) -> None:
        """One transaction without the head, and what is due next."""
        *commands, _, execute = transaction(self._partition, 0, replace(changes, journal=b""))
        await self._exchange(*commands, execute, self._ask_what_is_due(b"+inf", DUE_AHEAD))


def measure(customers: int, chunks: int, seed: int) -> dict[str, Any]:
    """Shares of a chunk of so many customers."""
    now_ms, models = time.time_ns() // 1_000_000, in_force(learned()).models
    world = InProcess(models, chunk_records=customers, wall_ms=now_ms, store_of=KeepingStore)
    records = log(customers, WARM_UP_CHUNKS + chunks, seed, now_ms)
    with TemporaryDirectory(prefix="ebb-benchmark-") as folder, EmbeddedRedis(Path(folder)) as server:
        found = asyncio.run(_measured(server.address, world, records))
    return {
        "customers": customers,
        "chunks": len(found),
        "share_of_cpu": round(share(found, lambda spent: spent.cpu_s), 4),
        "share_of_wall": round(share(found, lambda spent: spent.wall_s), 4),
        "chunk_ms": _ms(found, lambda chunk: chunk.computed + chunk.whole),
        "computed_ms": _ms(found, lambda chunk: chunk.computed),
        "computed_for_safety_ms": _ms(found, lambda chunk: chunk.for_safety),
        "stored_ms": _ms(found, lambda chunk: chunk.whole),
        "stored_without_ms": _ms(found, lambda chunk: chunk.bare),
    }


def share(chunks: Sequence[Chunk], of: Callable[[Spent], float]) -> float:
    """The median over the chunks: one that the machine held up says nothing."""
    shares = [
        (of(chunk.whole - chunk.bare) + of(chunk.for_safety)) / of(chunk.computed + chunk.whole) for chunk in chunks
    ]
    return median(shares)


def _ms(chunks: Sequence[Chunk], of: Callable[[Chunk], Spent]) -> dict[str, float]:
    spent = [of(chunk) for chunk in chunks]
    return {
        "wall": round(median(each.wall_s for each in spent) * 1000, 3),
        "cpu": round(median(each.cpu_s for each in spent) * 1000, 3),
    }


async def _measured(url: str, world: InProcess, log: Iterator[list[Record]]) -> list[Chunk]:
    await world.claim()
    whole, bare = RedisPartitionStore(url, WHOLE), BareStore(url, BARE)
    await whole.claim("benchmark")
    found = []
    with redis.Redis.from_url(url) as client, _timed() as for_safety:
        for number, records in enumerate(log):
            if number == WARM_UP_CHUNKS:
                look_for_garbage_rarely()
            before = for_safety[-1]
            computed = await _computed(world, records)
            of_safety = for_safety[-1] - before
            changes = _last(world)
            ways = (partial(store_whole, whole, changes), partial(store_bare, bare, changes))
            order = (WHOLE, BARE) if number % 2 else (BARE, WHOLE)
            stored = {which: await _stored(client, ways[which]) for which in order}
            found.append(Chunk(computed, of_safety, stored[WHOLE], stored[BARE]))
    await whole.close()
    await bare.close()
    return found[WARM_UP_CHUNKS:]


def log(customers: int, chunks: int, seed: int, now_ms: int) -> Iterator[list[Record]]:
    """A chunk after another, in each so many customers with a record."""
    random = np.random.default_rng([seed, 14])
    for _ in range(chunks):
        who = random.choice(CUSTOMERS, customers, replace=False)
        times = np.full(customers, now_ms) - random.integers(0, SPREAD_MS, customers)
        yield written(who, times, random)


async def _computed(world: InProcess, records: Sequence[Record]) -> Spent:
    """Everything a worker computes for a chunk, from the fetched values to the commit."""
    fetches = world.fetched(records)
    began = _now()
    for fetched in fetches:
        world.inbox.put(fetched)
    while batch := world.inbox.take_live(len(records), 10**9):
        await world.apply(batch)
    return _now() - began


async def store_whole(store: RedisPartitionStore, changes: Commit) -> None:
    """As a worker does."""
    head, _ = store.follow(DUE_UNTIL_MS, DUE_LIMIT) or await store.begin(DUE_UNTIL_MS, DUE_LIMIT)
    if not await store.commit(head, changes):
        raise RuntimeError("a commit was refused: somebody else writes to this Redis")


async def store_bare(store: BareStore, changes: Commit) -> None:
    """The same without head and journal."""
    await store.write(changes)


def _last(world: InProcess) -> Commit:
    store = world.store
    if not isinstance(store, KeepingStore):
        raise TypeError(f"{store} keeps no commit")
    return store.last


async def _stored(client: "redis.Redis", store: Callable[[], Any]) -> Spent:
    """Of this process and of Redis."""
    redis_before, began = _redis_cpu_s(client), _now()
    await store()
    spent = _now() - began
    return spent + Spent(0.0, _redis_cpu_s(client) - redis_before)


def _redis_cpu_s(client: "redis.Redis") -> float:
    """Of the thread that serves; asking costs the same before both ways."""
    said: Any = client.info("cpu")
    return float(said["used_cpu_sys_main_thread"]) + float(said["used_cpu_user_main_thread"])


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


@contextmanager
def _timed() -> Iterator[list[Spent]]:
    """The last item is what `COMPUTED` has spent so far."""
    total = [Spent()]
    with ExitStack() as stack:
        for owner, name in COMPUTED:
            kept, timed = vars(owner)[name], _timing(getattr(owner, name), total)
            setattr(owner, name, staticmethod(timed) if isinstance(kept, staticmethod) else timed)
            stack.callback(setattr, owner, name, kept)
        yield total


def _timing(original: Callable[..., Any], total: list[Spent]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        began = _now()
        try:
            return original(*arguments, **named)
        finally:
            total[-1] += _now() - began

    return timed
