"""The store is not where we thought: an answer is lost, Redis came back older, another owner is there."""

import copy
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
import pytest

from schemas.topics import LABELS, PURCHASES
from schemas.units import DAY_MS
from stream.chunk import StreamTimes
from stream.drafts import unpack_outgoing
from stream.errors import StoreEmptiedError, StoreUnavailableError
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.ports import Commit, Head
from stream.worker.applying import Applying, Fenced
from stream.worker.assembly import Assembly
from stream.worker.inbox import Batch
from tests.unit.worker.fetching import clock, inbox, purchases
from tests.world import BEGIN_MS, PINNED, TWO_OUTCOMES, KeptOutbox, World, sampled_days


class UnsureStore(MemoryPartitionStore):
    """Loses the answers to the next commits: `lose_before` before they are applied, `lose_after` once they are."""

    lose_before = lose_after = begun = 0

    async def begin(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]]:
        self.begun += 1
        return await super().begin(due_until_ms, due_limit)

    async def commit(self, head: Head, changes: Commit) -> bool:
        if self.lose_before:
            self.lose_before -= 1
            raise StoreUnavailableError("Redis is away")
        done = await super().commit(head, changes)
        if self.lose_after:
            self.lose_after -= 1
            raise StoreUnavailableError("Redis is away")
        return done


class Outbox(KeptOutbox):
    """Has acknowledged `acknowledged`, and remembers what it got back."""

    def __init__(self, acknowledged: Sequence[int] = ()) -> None:
        super().__init__()
        self.acknowledged = list(acknowledged)

    def take_acknowledged(self) -> list[int]:
        taken, self.acknowledged = self.acknowledged, []
        return taken

    def give_back(self, sequences: list[int]) -> None:
        self.acknowledged += sequences


class Partition:
    """One partition, its store, and batches cut out of one log of purchases."""

    def __init__(self, lockstep: bool = False) -> None:
        self.stored = StoredPartition()
        self.store = UnsureStore(self.stored)
        self.outbox = Outbox()
        assembly = Assembly(0, 1, TWO_OUTCOMES, lockstep=lockstep)
        self.applying = Applying(0, "us", self.store, self.outbox, assembly, 5_000, {})
        self.inbox = inbox()
        self.inbox.put(purchases(*range(10)))

    async def claimed(self) -> "Partition":
        await self.applying.load(await self.store.claim("us"))
        return self

    def batch(self, count: int) -> Batch:
        taken = self.inbox.take_live(count, 10**9)
        assert taken is not None
        return taken

    async def apply(self, batch: Batch) -> Head | None:
        times = np.arange(len(batch.records), dtype=np.int64) + BEGIN_MS
        return await self.applying.apply(batch, StreamTimes(times, BEGIN_MS + 10), PINNED)

    async def apply_until_answered(self, batch: Batch) -> Head | None:
        """As a lane does: again, whenever the outcome is not known."""
        while True:
            try:
                return await self.apply(batch)
            except StoreUnavailableError:
                continue

    @property
    def position(self) -> int:
        return self.stored.head.positions[PURCHASES].next_offset


@pytest.fixture
async def partition() -> Partition:
    return await Partition().claimed()


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (2, 1), (1, 2)])
async def test_a_commit_whose_answer_is_lost_is_applied_once(partition: Partition, before: int, after: int) -> None:
    partition.store.lose_before, partition.store.lose_after = before, after
    for _ in range(3):
        assert await partition.apply_until_answered(partition.batch(3)) is None
    assert (partition.position, partition.stored.totals["events"], len(partition.stored.states)) == (9, 9, 9)


async def test_records_behind_a_commit_are_applied_without_asking_where_the_partition_stands(
    partition: Partition,
) -> None:
    for _ in range(3):
        await partition.apply(partition.batch(2))
    assert (partition.store.begun, partition.position) == (1, 6)


async def test_a_tick_asks_since_it_may_have_nothing_to_commit(partition: Partition) -> None:
    await partition.apply(partition.batch(2))
    await MemoryPartitionStore(partition.stored).claim("them")
    with pytest.raises(Fenced, match="them"):
        await partition.applying.apply(Batch(), StreamTimes(np.zeros(0, np.int64), BEGIN_MS + 10), PINNED)


async def test_messages_acknowledged_are_not_forgotten_by_a_commit_that_did_not_happen(partition: Partition) -> None:
    partition.outbox.acknowledged = [1, 2]
    partition.store.lose_before = 1
    with pytest.raises(StoreUnavailableError):
        await partition.apply(partition.batch(1))
    assert partition.outbox.acknowledged == [1, 2]


async def test_redis_that_came_back_older_is_told_from_a_lost_answer(partition: Partition) -> None:
    await partition.apply(partition.batch(2))
    older = copy.deepcopy(vars(partition.stored))
    await partition.apply(partition.batch(3))
    vars(partition.stored).update(older)
    behind = await partition.apply(partition.batch(1))
    assert behind is not None
    assert partition.applying.resume_offset(behind, PURCHASES) == 2
    partition.inbox.seek(PURCHASES, 2)
    partition.inbox.put(purchases(*range(10)))
    assert await partition.apply(partition.batch(8)) is None
    assert (partition.position, partition.stored.totals["events"]) == (10, 10)


async def test_a_tick_notices_it_too(partition: Partition) -> None:
    await partition.apply(partition.batch(2))
    older = copy.deepcopy(vars(partition.stored))
    await partition.apply(partition.batch(3))
    vars(partition.stored).update(older)
    behind = await partition.apply(Batch())
    assert behind is not None
    assert behind.positions[PURCHASES].next_offset == 2


def lose_everything(partition: Partition) -> None:
    vars(partition.stored).update(vars(StoredPartition()))


@pytest.mark.parametrize(
    "meets",
    [
        lambda partition: partition.apply(partition.batch(1)),
        lambda partition: partition.apply(Batch()),
        lambda partition: partition.applying.look(),
        lambda partition: partition.applying.postpone({"ada": BEGIN_MS}, PINNED),
    ],
    ids=["records", "tick", "look", "postpone"],
)
async def test_a_redis_that_has_lost_everything_is_refused_and_what_was_applied_is_named(
    partition: Partition, meets: Callable[[Partition], Awaitable[object]]
) -> None:
    await partition.apply(partition.batch(2))
    lose_everything(partition)
    with pytest.raises(StoreEmptiedError, match=r"^Partition 0 in Redis is empty, .* version 2 of it: .*recover"):
        await meets(partition)
    assert partition.stored.head.version == 0


async def test_a_sweep_leaves_it_to_whoever_looks_next(partition: Partition) -> None:
    await partition.apply(partition.batch(2))
    lose_everything(partition)
    assert not await partition.applying.renew(PINNED, 10, 0)
    with pytest.raises(StoreEmptiedError):
        await partition.applying.look()


async def test_of_a_partition_to_which_nothing_was_applied_nothing_is_lost(partition: Partition) -> None:
    lose_everything(partition)
    with pytest.raises(Fenced):
        await partition.apply(partition.batch(1))


async def test_another_owner_fences_and_gets_nothing_of_ours(partition: Partition) -> None:
    await partition.apply(partition.batch(2))
    other = MemoryPartitionStore(partition.stored)
    head = await other.claim("them")
    with pytest.raises(Fenced, match="them"):
        await partition.apply(partition.batch(1))
    assert partition.stored.head == head


async def test_a_hole_before_the_batch_is_never_stepped_over(partition: Partition) -> None:
    partition.batch(4)
    behind = await partition.apply(partition.batch(1))
    assert behind is not None
    assert partition.applying.resume_offset(behind, PURCHASES) == 0
    assert partition.stored.states == {}


async def test_what_retention_took_is_not_waited_for() -> None:
    partition = await Partition().claimed()
    partition.applying._log_starts = {PURCHASES: 4}
    partition.batch(4)
    assert await partition.apply(partition.batch(1)) is None
    assert partition.position == 5


async def test_an_epoch_is_announced_once_however_often_its_commit_is_tried() -> None:
    partition = await Partition(lockstep=True).claimed()
    partition.inbox = inbox()
    partition.inbox.put(clock(1))
    taken = partition.inbox.take_live(10, 10**9)
    assert taken is not None
    partition.store.lose_before, partition.store.lose_after = 1, 1
    batch = Batch(taken.records, taken.previous, BEGIN_MS + DAY_MS)
    times = StreamTimes(np.array([BEGIN_MS + DAY_MS]), BEGIN_MS + DAY_MS)
    for _ in range(3):
        try:
            await partition.applying.apply(batch, times, PINNED)
        except StoreUnavailableError:
            continue
    assert [unpack_outgoing(packed).topic for packed in partition.stored.outbox.values()] == [LABELS]


@pytest.mark.parametrize("due_at_once", [1, 2, 3])
def test_an_epoch_is_announced_also_when_its_midnight_has_more_deadlines_than_one_commit_fires(
    due_at_once: int,
) -> None:
    """Snapshots are due at the very midnight whose clock record says that the day has passed."""
    customers = [name for name in map("customer-{}".format, range(500)) if sampled_days(name, np.arange(6)) == [3]][:4]

    def midnight(limit: int) -> World:
        world = World(lockstep=True, due_at_once=limit)
        for customer in customers:
            world.purchase(customer, 0.5)
        for day in (1, 2, 3, 4):
            value = clock(day).records[0].value
            world.apply([world.record("events.clock", value)], [BEGIN_MS + day * DAY_MS])
        return world

    few, whole = midnight(due_at_once), midnight(5_000)
    days = [
        message["day"] - BEGIN_MS // DAY_MS for message in few.messages(LABELS) if message["type"] == "epoch-passed"
    ]
    assert days == [1, 2, 3, 4]
    assert few.outbox.messages == whole.outbox.messages
    assert few.stored.states == whole.stored.states
    assert len(few.stored.snapshots) >= len(customers)
