"""Customers kept between chunks: who makes room, what is read, and when all are forgotten."""

import copy
from collections.abc import Sequence

import numpy as np
import pytest

from schemas.topics import PURCHASES
from stream.chunk import StreamTimes
from stream.errors import StoreUnavailableError
from stream.features.layout import empty
from stream.features.stored import pack, unpack
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.metrics.worker import REGISTRY
from stream.ports import Commit, Head
from stream.worker.applying import Applying, Fenced
from stream.worker.assembly import Assembly
from stream.worker.resident import BYTES_A_CUSTOMER, ResidentCustomers
from tests.unit.worker.fetching import fetched, inbox
from tests.world import BEGIN_MS, PINNED, TWO_OUTCOMES, KeptOutbox, purchase


def states(*due_ms: int) -> np.ndarray:
    made = empty(len(due_ms))
    made["decision"]["due_ms"] = due_ms
    return made


def residents_for(customers: int) -> ResidentCustomers:
    made = ResidentCustomers(customers * BYTES_A_CUSTOMER)
    made.forget(stored_nobody=True)
    return made


def keep(residents: ResidentCustomers, customers: list[str], kept: np.ndarray, accumulators: list[bytes]) -> None:
    residents.keep(customers, residents.meet(customers).places, kept, accumulators)


def known(residents: ResidentCustomers, *customers: str) -> list[int | None]:
    """The deadlines of those who are resident."""
    met = residents.meet(customers)
    due_ms = met.states["decision"]["due_ms"].tolist()
    return [due if there else None for due, there in zip(due_ms, met.resident, strict=True)]


def test_what_is_met_is_a_copy() -> None:
    residents = residents_for(2)
    keep(residents, ["ada"], states(5), [b"open"])
    residents.meet(["ada"]).states["decision"]["due_ms"] = 9
    assert known(residents, "ada") == [5]


def test_of_whoever_is_not_resident_nothing_is_known() -> None:
    residents = residents_for(2)
    keep(residents, ["ada"], states(5), [b"open"])
    met = residents.meet(["bob", "ada", "cy"])
    assert met.resident.tolist() == [False, True, False]
    assert met.accumulators == [b"", b"open", b""]
    assert pack(met.states)[0] == pack(empty(1))[0]


def test_whoever_came_first_makes_room() -> None:
    residents = residents_for(2)
    for at, customer in enumerate(("ada", "bob", "cy")):
        keep(residents, [customer], states(at + 1), [b"of " + customer.encode()])
    assert known(residents, "ada", "bob", "cy") == [None, 2, 3]
    assert residents.meet(["cy"]).accumulators == [b"of cy"]
    assert len(residents) == 2


def test_a_customer_who_makes_room_within_a_chunk_leaves_nothing_behind() -> None:
    residents = residents_for(2)
    keep(residents, ["ada", "bob"], states(1, 2), [b"", b""])
    keep(residents, ["ada", "cy", "dan", "eve"], states(11, 3, 4, 5), [b"", b"", b"", b""])
    assert known(residents, "ada", "bob", "cy", "dan", "eve") == [None, None, None, 4, 5]
    assert pack(residents.meet(["ada"]).states) == pack(empty(1))


def test_it_is_complete_until_somebody_makes_room() -> None:
    residents = residents_for(2)
    keep(residents, ["ada", "bob"], states(1, 2), [b"", b""])
    assert residents.complete
    keep(residents, ["cy"], states(3), [b""])
    assert not residents.complete
    residents.forget(stored_nobody=True)
    assert residents.complete


def test_without_room_nobody_is_kept_and_everybody_is_asked_for() -> None:
    residents = residents_for(0)
    keep(residents, ["ada"], states(1), [b""])
    assert (len(residents), residents.complete, known(residents, "ada")) == (0, False, [None])


class Store(MemoryPartitionStore):
    """Remembers who was asked for. The next commit is `lost`, or refused since it is `overtaken_by` another claim."""

    def __init__(self, stored: StoredPartition) -> None:
        super().__init__(stored)
        self.asked: list[list[str]] = []
        self.lost = False
        self.overtaken_by = ""
        self.away_from_outbox = False

    async def outbox(self) -> list[tuple[int, bytes]]:
        if self.away_from_outbox:
            self.away_from_outbox = False
            raise StoreUnavailableError("Redis is away")
        return await super().outbox()

    async def load(self, customers: Sequence[str]) -> tuple[list[bytes | None], list[bytes | None]]:
        self.asked.append(list(customers))
        return await super().load(customers)

    async def commit(self, head: Head, changes: Commit) -> bool:
        if self.overtaken_by:
            await MemoryPartitionStore(self._stored).claim(self.overtaken_by)
            self.overtaken_by = ""
        if self.lost:
            self.lost = False
            raise StoreUnavailableError("Redis is away")
        return await super().commit(head, changes)


class Outbox(KeptOutbox):
    def give_back(self, sequences: list[int]) -> None:
        assert not sequences


class Shop:
    """One partition: each call of `buy` is a chunk in which these customers buy."""

    def __init__(self, stored: StoredPartition | None = None) -> None:
        self.stored = stored or StoredPartition()
        self.store = Store(self.stored)
        self.applying = Applying(0, "us", self.store, Outbox(), Assembly(0, 1, TWO_OUTCOMES, lockstep=False), 5_000, {})

    async def claimed(self) -> "Shop":
        await self.applying.load(await self.store.claim("us"))
        return self

    async def buy(self, *customers: str) -> Head | None:
        position = self.stored.head.positions.get(PURCHASES)
        start = position.next_offset if position else 0
        events = [purchase(customer, 0.0, event_id=f"{start + at}") for at, customer in enumerate(customers)]
        queue = inbox(purchases=start)
        queue.put(fetched(PURCHASES, events, start))
        batch = queue.take_live(10**6, 10**9)
        assert batch is not None
        times = StreamTimes(np.full(len(customers), BEGIN_MS, np.int64), BEGIN_MS)
        return await self.applying.apply(batch, times, PINNED)

    def bought(self, customer: str) -> int:
        """How many purchases are stored of a customer."""
        state = unpack([self.stored.states[customer]])
        return int(state["features"]["channel_purchases"].sum())


@pytest.fixture
async def shop() -> Shop:
    return await Shop().claimed()


async def test_of_a_partition_that_was_empty_nobody_is_ever_asked_for(shop: Shop) -> None:
    await shop.buy("ada", "bob")
    await shop.buy("ada", "cy")
    assert shop.store.asked == []
    assert [shop.bought(customer) for customer in ("ada", "bob", "cy")] == [2, 1, 1]


async def test_of_another_partition_everybody_is_asked_for_once(shop: Shop) -> None:
    await shop.buy("ada", "bob")
    restarted = await Shop(shop.stored).claimed()
    await restarted.buy("ada", "cy")
    await restarted.buy("ada", "bob", "cy")
    assert restarted.store.asked == [["ada", "cy"], ["bob"]]
    assert [shop.bought(customer) for customer in ("ada", "bob", "cy")] == [3, 2, 2]


async def test_a_commit_that_did_not_happen_leaves_customers_as_they_were(shop: Shop) -> None:
    await shop.buy("ada")
    shop.store.lost = True
    with pytest.raises(StoreUnavailableError):
        await shop.buy("ada")
    await shop.buy("ada")
    assert shop.store.asked == []
    assert shop.bought("ada") == 2


async def test_a_refused_commit_has_them_read_again(shop: Shop) -> None:
    await shop.buy("ada")
    shop.store.overtaken_by = "us"
    await shop.buy("ada")
    assert shop.store.asked == [["ada"]]
    assert shop.bought("ada") == 2


async def test_another_owners_commits_in_between_are_not_overwritten(shop: Shop) -> None:
    await shop.buy("ada")
    other = Shop(shop.stored)
    other.applying = Applying(0, "they", other.store, Outbox(), Assembly(0, 1, TWO_OUTCOMES, lockstep=False), 5_000, {})
    await other.applying.load(await other.store.claim("they"))
    await other.buy("ada")
    with pytest.raises(Fenced):
        await shop.buy("ada")
    assert shop.bought("ada") == 2


async def test_after_a_loss_others_may_have_counted_up_to_our_version(shop: Shop) -> None:
    await shop.buy("ada")
    older = copy.deepcopy(vars(shop.stored))
    await shop.buy("ada")
    ours = shop.stored.head.version
    vars(shop.stored).update(older)
    assert (await MemoryPartitionStore(shop.stored).claim("they")).version == ours
    with pytest.raises(Fenced):
        await shop.buy("bob")
    assert shop.bought("ada") == 1


async def test_redis_that_came_back_older_has_them_read_again(shop: Shop) -> None:
    await shop.buy("ada")
    older = copy.deepcopy(vars(shop.stored))
    await shop.buy("ada")
    vars(shop.stored).update(older)
    assert await shop.buy("ada") is not None
    await shop.buy("ada")
    assert shop.store.asked == [["ada"]]
    assert shop.bought("ada") == 2


async def test_a_redis_that_came_back_and_went_again_while_it_was_read_is_read_again(shop: Shop) -> None:
    """The second time it may be where we left it."""
    claimed = copy.deepcopy(vars(shop.stored))
    await shop.buy("ada")
    left = copy.deepcopy(vars(shop.stored))
    vars(shop.stored).update(claimed)
    shop.store.away_from_outbox = True
    with pytest.raises(StoreUnavailableError):
        await shop.buy("ada")
    vars(shop.stored).update(left)
    await shop.buy("ada")
    assert shop.bought("ada") == 2


async def test_it_is_counted_where_customers_came_from(shop: Shop) -> None:
    before = {source: loaded(source) for source in ("new", "store", "resident")}
    await shop.buy("ada", "bob")
    await shop.buy("ada", "cy")
    restarted = await Shop(shop.stored).claimed()
    await restarted.buy("bob")
    now = {source: loaded(source) - before[source] for source in before}
    assert now == {"new": 3, "store": 1, "resident": 1}
    assert REGISTRY.get_sample_value("ebb_resident_customers", {"partition": "0"}) == 1


def loaded(source: str) -> float:
    return REGISTRY.get_sample_value("ebb_customers_loaded_total", {"source": source}) or 0.0
