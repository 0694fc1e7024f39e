"""A lane over the memory store: full queues hold single topics, a stop waits for the chunk in flight, seeks go back."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import msgspec
import pytest

from schemas.topics import CLOCK, ENGAGEMENT, PURCHASES
from schemas.units import DAY_MS
from stream.errors import StoreUnavailableError
from stream.memory_store import MemoryModelStore, MemoryPartitionStore, StoredPartition
from stream.ports import Commit, Head
from stream.signing import Keyring
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.lane import Lane
from stream.worker.model_watch import ModelWatch, model_names
from stream.worker.timing import LaneLimits, ReplayTiming
from stream.worker.turns import Turns
from tests.live_lane import LiveLane, Logged, logs_of
from tests.unit.worker.fetching import Consumer, clock, inbox, purchases
from tests.world import BEGIN_MS, TWO_OUTCOMES, KeptOutbox, engagement, purchase

PATIENCE_S = 60.0  # loops that are compiled within a test take seconds, more so beside others


class Outbox(KeptOutbox):
    """There is always room, and a commit may be refused: Redis comes back older."""

    async def room(self) -> None:
        return

    def give_back(self, sequences: list[int]) -> None:
        assert sequences == []


class Store(MemoryPartitionStore):
    """Answers and commits when it is let, and may be away."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.let = asyncio.Event()
        self.let.set()
        self.committing = asyncio.Event()
        self.away = self.begun = False
        self.refused = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def begin(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]]:
        if self.away:
            self.refused.set()
            raise StoreUnavailableError("Redis is away")
        self.begun = True
        await self.answers.wait()
        return await super().begin(due_until_ms, due_limit)

    async def commit(self, head: Head, changes: Commit) -> bool:
        self.committing.set()
        await self.let.wait()
        return await super().commit(head, changes)


class Running:
    """A lane of a replay that has claimed its partition, and the task that runs it."""

    def __init__(self, limits: LaneLimits, lockstep: bool = False, turns: Turns | None = None) -> None:
        self.stored = StoredPartition()
        self.store = Store(self.stored)
        self.consumer = Consumer()
        self.registry = MemoryModelStore()
        assembly = Assembly(0, 1, TWO_OUTCOMES, lockstep=lockstep)
        self.applying = Applying(0, "us", self.store, Outbox(), assembly, 5_000, {})
        self.lane = Lane(
            partition=0,
            inbox=inbox(),
            fetching=self.consumer,
            publisher=self.applying._publisher,
            applying=self.applying,
            models=ModelWatch(self.registry, Keyring.from_text("k:" + "5e" * 32), lockstep=lockstep),
            timing=ReplayTiming(BEGIN_MS, limits),
            limits=limits,
            turns=turns,
        )

    async def start(self) -> "Running":
        await self.applying.load(await self.store.claim("us"))
        self.task = asyncio.ensure_future(self.lane.run())
        return self

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                assert not self.task.done(), self.task.exception()
                await asyncio.sleep(0.001)

    async def is_kept_waiting(self) -> None:
        """A record is delivered, and its lane has not asked its store however often it might have."""
        await self.lane.deliver(purchases(0.1))
        await self.turn_often()
        assert not self.store.begun

    @staticmethod
    async def turn_often() -> None:
        """Let the lane do whatever it can do without anybody else."""
        for _ in range(100):
            await asyncio.sleep(0)

    def position(self, topic: str = PURCHASES) -> int:
        known = self.stored.head.positions.get(topic)
        return known.next_offset if known else 0


LIMITS = LaneLimits(chunk_records=3, chunk_bytes=10**9, queue_bytes=2_000, tick_ms=10)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = await Running(LIMITS).start()
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def test_a_lane_with_nothing_to_apply_notices_a_redis_that_came_back_older(running: Running) -> None:
    await running.lane.deliver(purchases(0.1, 0.2))
    await running.until(lambda: running.position() == 2)
    older = copy.deepcopy(vars(running.stored))
    await running.lane.deliver(purchases(0.3, 0.4, start=2))
    await running.until(lambda: running.position() == 4)
    vars(running.stored).update(older)
    await running.until(lambda: (PURCHASES, 2) in running.consumer.seeks)


async def test_it_applies_what_is_delivered(running: Running) -> None:
    await running.lane.deliver(purchases(0.1, 0.2, 0.3, 0.4))
    await running.until(lambda: running.position() == 4)


async def test_too_much_of_one_topic_holds_that_topic_until_half_of_it_is_gone(running: Running) -> None:
    await running.lane.deliver(purchases(*[1.5] * 12))
    assert running.consumer.held == {PURCHASES}
    await running.lane.deliver(clock(1, purchases=0))
    await running.until(lambda: running.position() == 12)
    await running.until(lambda: running.consumer.held == set())
    assert ENGAGEMENT not in running.consumer.held


@pytest.fixture
async def two(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Running, Running]]:
    """Lanes of one process. What the first one asks of its store, the test lets be answered."""
    turns = Turns(at_most_s=60, **getattr(request, "param", {}))
    limits = replace(LIMITS, tick_ms=60_000)  # nobody asks its store while it has nothing to do
    first, second = await Running(limits, turns=turns).start(), await Running(limits, turns=turns).start()
    first.store.answers.clear()
    yield first, second
    for each in (first, second):
        each.task.cancel()
    await asyncio.gather(first.task, second.task, return_exceptions=True)


async def test_a_lane_has_its_turn_when_another_commits_and_not_while_that_one_reads(
    two: tuple[Running, Running],
) -> None:
    first, second = two
    first.store.let.clear()
    await first.lane.deliver(purchases(0.1))
    await first.until(lambda: first.store.begun)
    await second.is_kept_waiting()
    first.store.answers.set()
    await second.until(lambda: second.position() == 1)
    assert first.position() == 0


async def test_lanes_that_have_records_at_once_read_beside_each_other_and_none_steps_before_all_have_read(
    two: tuple[Running, Running],
) -> None:
    first, second = two
    for each in two:
        await each.lane.deliver(purchases(0.1))
    await second.until(lambda: first.store.begun and second.store.begun)
    await second.turn_often()
    assert not second.store.committing.is_set()
    first.store.answers.set()
    await second.until(lambda: first.position() == second.position() == 1)


@pytest.mark.parametrize("two", [{"answered_within_s": 60}], indirect=True)
async def test_a_lane_that_keeps_up_steps_when_the_commit_before_it_has_been_answered(
    two: tuple[Running, Running],
) -> None:
    first, second = two
    first.store.answers.set()
    first.store.let.clear()
    await first.lane.deliver(purchases(0.1))
    await asyncio.wait_for(first.store.committing.wait(), PATIENCE_S)
    await second.is_kept_waiting()
    first.store.let.set()
    await second.until(lambda: second.position() == 1)


async def test_a_lane_that_leaves_records_in_its_queue_keeps_no_other_waiting(two: tuple[Running, Running]) -> None:
    first, second = two
    await first.lane.deliver(purchases(*[0.1] * 4))
    await first.until(lambda: first.store.begun)
    await second.lane.deliver(purchases(0.1))
    await second.until(lambda: second.position() == 1)
    assert first.position() == 0


async def test_a_lane_whose_store_is_away_keeps_no_other_waiting(two: tuple[Running, Running]) -> None:
    first, second = two
    first.store.away = True
    await first.lane.deliver(purchases(0.1))
    await second.lane.deliver(purchases(0.1))
    await second.until(lambda: second.position() == 1)
    assert first.position() == 0


async def test_a_stop_waits_for_the_chunk_in_flight_and_takes_no_other(running: Running) -> None:
    running.store.let.clear()
    await running.lane.deliver(purchases(*[0.1] * 6))
    await asyncio.wait_for(running.store.committing.wait(), PATIENCE_S)
    stopping = asyncio.ensure_future(running.lane.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    running.store.let.set()
    await asyncio.wait_for(stopping, PATIENCE_S)
    await asyncio.wait_for(running.task, PATIENCE_S)
    assert running.position() == 3


async def test_a_stop_does_not_wait_for_a_redis_that_is_away(running: Running) -> None:
    running.store.away = True
    await running.lane.deliver(purchases(0.1))
    await asyncio.wait_for(running.store.refused.wait(), PATIENCE_S)
    await asyncio.wait_for(running.lane.stop(), 3)
    assert running.position() == 0


async def test_redis_away_is_waited_for(running: Running) -> None:
    running.store.away = True
    await running.lane.deliver(purchases(0.1))
    await asyncio.wait_for(running.store.refused.wait(), PATIENCE_S)
    assert running.position() == 0
    running.store.away = False
    await running.until(lambda: running.position() == 1)


async def test_behind_an_older_redis_every_topic_and_the_clock_go_back(running: Running) -> None:
    await running.lane.deliver(purchases(0.1, 0.2))
    await running.lane.deliver(clock(1, purchases=2))
    await running.until(lambda: running.position(CLOCK) == 1)
    older = copy.deepcopy(vars(running.stored))
    await running.lane.deliver(purchases(1.1, 1.2, start=2))
    await running.lane.deliver(clock(2, start=1, purchases=4))
    await running.until(lambda: running.position(CLOCK) == 2)
    vars(running.stored).update(older)
    await running.lane.deliver(purchases(2.1, start=4))
    await running.until(lambda: (PURCHASES, 2) in running.consumer.seeks and (CLOCK, 1) in running.consumer.seeks)
    assert (ENGAGEMENT, 0) in running.consumer.seeks
    await running.lane.deliver(purchases(1.1, 1.2, 2.1, start=2))
    await running.until(lambda: running.position() == 4)
    await running.turn_often()
    assert running.position() == 4, "the third day has not begun again"
    await running.lane.deliver(clock(2, start=1, purchases=4))
    await running.until(lambda: running.position() == 5)
    assert running.stored.totals["events"] == 5


async def test_in_lockstep_the_next_day_waits_for_its_models() -> None:
    running = await Running(LIMITS, lockstep=True).start()
    await running.lane.deliver(clock(1))
    await running.lane.deliver(purchases(1.5))
    await running.until(lambda: running.position(CLOCK) == 1)
    await running.turn_often()
    assert running.position() == 0
    for name in model_names():
        await running.registry.publish(name, "none", b"", BEGIN_MS // DAY_MS + 1)
    await running.until(lambda: running.position() == 1)
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)


async def test_on_the_live_clock_a_topic_that_leads_is_held_until_the_slow_one_has_come_near() -> None:
    bought = [purchase("ada", day, event_id=f"p{day}") for day in (1, 2, 9)]
    seen = [engagement("page_view", "ada", day, event_id=f"v{day}") for day in (1.5, 8.99, 10)]
    written = [(PURCHASES, event) for event in bought] + [(ENGAGEMENT, event) for event in seen]
    logs = logs_of((topic, msgspec.json.encode(event), BEGIN_MS + 20 * DAY_MS) for topic, event in written)
    live = await LiveLane(logs, wall_ms=BEGIN_MS + 20 * DAY_MS).claim()
    await live.fetch(PURCHASES)
    await live.work()
    assert (live.held, live.applying.applied) == ({PURCHASES}, {})
    await live.fetch(ENGAGEMENT, 1)
    await live.work()
    assert (live.held, live.applying.applied) == ({PURCHASES}, {PURCHASES: 1, ENGAGEMENT: 1})
    await live.fetch(ENGAGEMENT, 1)
    await live.work()
    assert (live.held, live.applying.applied) == (set(), {PURCHASES: 2, ENGAGEMENT: 2})
    await live.fetch(ENGAGEMENT)
    await live.work()
    assert live.applying.applied == {PURCHASES: 3, ENGAGEMENT: 3}


async def test_on_the_live_clock_a_long_silence_delays_no_event_of_now() -> None:
    old = [(f"c{number}", day) for number in range(10) for day in (0.01 * number, 10 + 0.01 * number)]
    events = [purchase(who, day, event_id=f"{who} {day}") for who, day in sorted(old, key=lambda item: item[1])]
    logs = {**logs_of((PURCHASES, msgspec.json.encode(event), event["event_time_ms"]) for event in events)}
    live = await LiveLane(logs, due_at_once=3, wall_ms=BEGIN_MS + 11 * DAY_MS).claim()
    await live.fetch(PURCHASES)
    await live.work()
    live.wall_ms = now_ms = BEGIN_MS + 60 * DAY_MS
    for number in range(3):
        event = purchase(f"new-{number}", 60, event_id=f"new-{number}")
        logs[PURCHASES].append(Logged(PURCHASES, len(events) + number, msgspec.json.encode(event), now_ms))
    await live.fetch(PURCHASES)
    assert await live.lane.step()
    assert live.applying.applied == {PURCHASES: 23}, "in the first commit, though more deadlines wait than it fires"
    assert live.applying.lags_at_ms < now_ms
    await live.finish(now_ms)
    kinds = [msgspec.json.decode(message.value)["type"] for message in live.outgoing()]
    assert kinds.count("churn-alert.opened") == 10


async def test_deadlines_of_a_long_silence_wait_for_their_turn_and_records_do_not() -> None:
    events = [purchase(f"c{number}", day, event_id=f"{number} {day}") for day in (0, 10) for number in range(100)]
    logs = {**logs_of((PURCHASES, msgspec.json.encode(event), event["event_time_ms"]) for event in events)}
    live = await LiveLane(logs, wall_ms=BEGIN_MS + 11 * DAY_MS).claim()
    await live.fetch(PURCHASES)
    await live.work()
    live.wall_ms = now_ms = BEGIN_MS + 60 * DAY_MS
    assert live.background.turn_now()  # another lane has the turn
    tick = asyncio.ensure_future(live.lane.step())
    while not live.background._waiting:
        await asyncio.sleep(0)
    event = purchase("new", 60, event_id="new")
    logs[PURCHASES].append(Logged(PURCHASES, len(events), msgspec.json.encode(event), now_ms))
    await live.fetch(PURCHASES)
    async with asyncio.timeout(20):
        assert await tick
    assert live.stored.head.stream_time_ms < BEGIN_MS + 12 * DAY_MS, "nothing has fired"
    assert await live.lane.step()
    assert live.applying.applied == {PURCHASES: 201}
    assert live.applying.lags_at_ms < now_ms, "some deadlines fired with the record, not all"
    live.background.over()
    await live.finish(now_ms)
    kinds = [msgspec.json.decode(message.value)["type"] for message in live.outgoing()]
    assert kinds.count("churn-alert.opened") == 100
