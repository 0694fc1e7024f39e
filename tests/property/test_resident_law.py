"""What a lane remembers of customers is what the store holds, whatever happens; nothing but reads depends on it."""

import asyncio
import copy
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, repeat
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.chunk import StreamTimes
from stream.errors import StoreUnavailableError
from stream.features.stored import pack, unpack
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.ports import Commit, Head
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.inbox import Batch
from stream.worker.log_records import LogRecord
from stream.worker.resident import BYTES_A_CUSTOMER, RESIDENT_BYTES, ResidentCustomers
from tests.property.chunk_histories import STORED, Step, histories, kept
from tests.world import PINNED, TWO_OUTCOMES, KeptOutbox, World, in_columns

SILENCE_MS = 90 * DAY_MS

ROOM = (0, 1, 2, 3)
"""Customers that may be resident; a history has up to four."""

TROUBLES = ("none",) * 6 + ("lost before", "lost after", "refused", "older")


class TroubledStore(MemoryPartitionStore):
    """Goes through `troubles`, one a commit; remembers who was asked for."""

    def __init__(self, stored: StoredPartition, troubles: Iterator[str]) -> None:
        super().__init__(stored)
        self._troubles = troubles
        self._older: list[dict[str, Any]] = []
        self.asked_for: list[str] = []

    async def load(self, customers: Any) -> tuple[list[bytes | None], list[bytes | None]]:
        self.asked_for += customers
        return await super().load(customers)

    async def commit(self, head: Head, changes: Commit) -> bool:
        trouble = next(self._troubles)
        if trouble == "refused":
            await MemoryPartitionStore(self._stored).claim("us")
        if trouble == "lost before":
            raise StoreUnavailableError("Redis is away")
        self._older.append(copy.deepcopy(vars(self._stored)))
        done = await super().commit(head, changes)
        if trouble == "older":
            vars(self._stored).update(copy.deepcopy(self._older[-2:][0]))
        if trouble == "lost after" or (trouble == "older" and len(self._older) % 2):
            raise StoreUnavailableError("Redis is away")
        return done


class Shop:
    """A log and a partition that works it off as a lane does: again when it does not know, and from where Redis is."""

    def __init__(self, history: list[Step], room: int, troubles: Iterable[str] = ()) -> None:
        world = World()
        self._log = [world.record(topic, value) for topic, value, _ in history]
        self._times_ms = list(accumulate((clock_ms for _, _, clock_ms in history), max))
        self.stored = StoredPartition()
        self.store = TroubledStore(self.stored, chain(troubles, repeat("none")))
        assembly = Assembly(0, 1, TWO_OUTCOMES, lockstep=False)
        outbox = Outbox()
        self._applying = Applying(
            0,
            "us",
            self.store,
            outbox,
            assembly,
            5_000,
            {},
            resident_bytes=room * BYTES_A_CUSTOMER,
            new_timeline=lambda: "the same in every run",
        )

    async def work_off(self, chunk: int) -> "Shop":
        await self._applying.load(await self.store.claim("us"))
        part, done = [0], False
        while part or not done:
            part = [at for at, record in enumerate(self._log) if not self._is_applied(record)][:chunk]
            times_ms = np.array([self._times_ms[at] for at in part], np.int64)
            end_ms = int(times_ms[-1]) if part else self._times_ms[-1] + SILENCE_MS
            done = await self._apply([self._log[at] for at in part], times_ms, end_ms)
        return self

    async def _apply(self, records: list[LogRecord], times_ms: NDArray[np.int64], end_ms: int) -> bool:
        previous: dict[str, int] = {}
        for record in records:
            previous.setdefault(record.topic, record.offset)
        try:
            await self._applying.apply(Batch(in_columns(records), previous), StreamTimes(times_ms, end_ms), PINNED)
        except StoreUnavailableError:
            return False
        if not self._applying._is_ours(self.stored.head):
            return False
        self.remembers_what_is_stored()
        return True

    def _is_applied(self, record: LogRecord) -> bool:
        position = self.stored.head.positions.get(record.topic)
        return position is not None and record.offset < position.next_offset

    def remembers_what_is_stored(self) -> None:
        residents = self.residents
        met = residents.meet(list(residents._places))
        assert met.resident.all()
        assert pack(met.states) == [self.stored.states[customer] for customer in residents._places]
        assert met.accumulators == [self.stored.labels.get(customer, b"") for customer in residents._places]
        assert not residents.complete or set(residents._places) == set(self.stored.states)

    @property
    def residents(self) -> ResidentCustomers:
        return self._applying._loading._residents


class Outbox(KeptOutbox):
    """Takes back what was not forgotten."""

    def give_back(self, sequences: list[int]) -> None:
        assert not sequences


def worked_off(history: list[Step], chunk: int, room: int, troubles: Iterable[str] = ()) -> Shop:
    return asyncio.run(Shop(history, room, troubles).work_off(chunk))


def assert_same(shop: Shop, other: Shop) -> None:
    for name in (*STORED, "outbox"):
        assert kept(shop.stored, name) == kept(other.stored, name), name


@settings(max_examples=12, deadline=None)
@given(histories(), st.sampled_from([1, 3, 50]))
def test_room_for_few_customers_or_none_gives_the_same_as_room_for_all(history: list[Step], chunk: int) -> None:
    everybody = worked_off(history, chunk, RESIDENT_BYTES // BYTES_A_CUSTOMER)
    assert everybody.store.asked_for == [], "the partition was empty when it was claimed: nobody need be read"
    for room in ROOM:
        assert_same(worked_off(history, chunk, room), everybody)


@settings(max_examples=25, deadline=None)
@given(histories(), st.sampled_from([1, 3, 50]), st.sampled_from([1, 2, 1_000]), st.lists(st.sampled_from(TROUBLES)))
def test_lost_answers_refused_commits_and_an_older_redis_change_nothing(
    history: list[Step], chunk: int, room: int, troubles: list[str]
) -> None:
    assert_same(worked_off(history, chunk, room, troubles), worked_off(history, chunk, 0))


@settings(max_examples=12, deadline=None)
@given(histories())
def test_who_awaits_no_close_has_nothing_open(history: list[Step]) -> None:
    stored = worked_off(history, 7, 0).stored
    states = unpack([*stored.states.values()])
    waiting = {
        customer for customer, state in zip(stored.states, states, strict=True) if state["decision"]["close_at_ms"]
    }
    assert waiting == set(stored.labels)
