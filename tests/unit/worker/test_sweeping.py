"""After a change of models or rules every customer is decided anew, some in each commit."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest
from faust.types import TP

from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from stream.actions.alerts import ChurnRule
from stream.chunk import Models, Rules
from stream.features.layout import empty
from stream.memory_store import MemoryPartitionStore
from stream.ports import NOT_SWEPT
from stream.scoring.linear import LinearModel
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.lane import RENEW_EVERY_CHUNKS
from stream.worker.sweeping import in_force, make_due
from tests.live_lane import LIMITS, LiveLane, logs_of, recomputed
from tests.world import BEGIN_MS, CENTRES, PINNED, KeptOutbox, World, decode_view, purchase, silence_document

SURE = LinearModel(("log_since_last_purchase_days",), (2.0,), (1.0,), (1.5,), 4.0)
"""Expects everybody to leave."""

SURER = Models(
    {"churn_30d": msgspec.structs.replace(silence_document(version="v2"), candidates={"sure": SURE}, serving="sure")},
    CENTRES,
)


def shop(customers: int = 10) -> World:
    """Customers who bought twice within a week, fifteen days ago: long enough for an alert, were the model surer."""
    world = World()
    for day in (0, 7):
        for number in range(customers):
            world.purchase(f"customer-{number:03}", day)
    return world.silence_until(day=22)


def renew(
    world: World, models: Models = SURER, at_once: int = 3, applying: Applying | None = None, now_ms: int = 0
) -> int:
    """How many commits the sweep takes."""

    async def sweep() -> int:
        commits = 0
        while await (applying or world.applying).renew(models, at_once, now_ms):
            commits += 1
        return commits

    return asyncio.run(sweep())


def versions(world: World) -> set[str]:
    """Versions of the churn model that views were made with."""
    return {world.view(customer).scores["churn_30d"].version for customer in world.stored.states}


def restarted(world: World, rules: Rules | None = None) -> Applying:
    """Another worker that has claimed the partition."""
    partition = MemoryPartitionStore(world.stored)
    applying = Applying(
        0, "another", partition, KeptOutbox(), Assembly(0, 1, rules or world.rules, lockstep=False), 9, {}
    )
    asyncio.run(_claim(applying, partition))
    return applying


async def _claim(applying, partition) -> None:
    await applying.load(await partition.claim("another"))


def test_every_view_deadline_and_index_is_renewed_in_commits_of_a_few() -> None:
    world = shop()
    before = dict(world.stored.deadlines)
    assert versions(world) == {"v1"}
    assert renew(world, at_once=3) == 4
    assert versions(world) == {"v2"}
    assert {world.view(customer).as_of_ms for customer in world.stored.states} == {BEGIN_MS + 22 * DAY_MS}
    assert world.stored.deadlines != before
    assert set(world.stored.risks) == set(world.stored.states)
    assert len(world.stored.risks) == 10


def test_a_surer_model_raises_its_alerts_without_any_event() -> None:
    world = shop()
    assert not world.alerts("customer-003")
    renew(world)
    assert world.alerts("customer-003") == ["churn-alert.opened"]


def test_what_is_in_force_already_is_not_swept() -> None:
    world = shop()
    assert renew(world, PINNED) == 4  # nobody knows yet under what they were decided
    assert renew(world, PINNED) == 0
    version = world.stored.head.version
    assert renew(world, PINNED, applying=restarted(world)) == 0
    assert world.stored.head.version == version + 1  # the claim


def test_other_thresholds_are_a_change_too() -> None:
    world = shop()
    renew(world, PINNED)
    applying = restarted(world, replace(world.rules, churn=ChurnRule(open_probability=0.5, silence_at_least_days=1.0)))
    assert renew(world, PINNED, at_once=100, applying=applying) == 1


def test_a_sweep_goes_on_where_another_worker_left_it() -> None:
    world = shop()
    for _ in range(2):
        assert asyncio.run(world.applying.renew(SURER, 3, 0))
    assert renew(world, applying=restarted(world)) == 2
    assert versions(world) == {"v2"}


def test_models_that_change_faster_than_a_sweep_ends_do_not_begin_it_again() -> None:
    world = shop()
    asyncio.run(world.applying.renew(PINNED, 3, 0))
    commits = renew(world, SURER, at_once=3)
    assert commits == 3 + 4  # the rest of the first round, then one of its own
    assert world.stored.head.sweep.under == in_force(SURER, world.rules)
    assert versions(world) == {"v2"}


def test_a_redis_that_came_back_older_is_swept_again() -> None:
    world = shop()
    older = copy.deepcopy(vars(world.stored))
    assert renew(world) == 4
    assert renew(world) == 0
    vars(world.stored).update(older)
    world.silence_until(day=23)
    assert renew(world) == 4
    assert versions(world) == {"v2"}


def test_nobody_is_made_up_who_has_only_a_deadline() -> None:
    world = shop(customers=2)
    del world.stored.states["customer-001"]
    renew(world, applying=restarted(world))
    assert set(world.stored.states) == {"customer-000"}


def test_the_journal_says_who_was_renewed() -> None:
    world = shop(customers=2)
    renew(world)
    entry = msgspec.json.decode(world.stored.journal[-1])
    assert (entry["renewed"], entry["tick"]) == (["customer-000", "customer-001"], False)
    assert entry["models"]["churn_30d"] == "v2"


def test_the_clock_stands_still_meanwhile() -> None:
    world = shop()
    before = world.stored.head
    renew(world)
    after = world.stored.head
    assert (after.stream_time_ms, after.positions) == (before.stream_time_ms, before.positions)


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_the_size_of_a_step_does_not_show(at_once: int) -> None:
    world, other = shop(), shop()
    renew(world, at_once=2)
    renew(other, at_once=at_once)
    assert world.stored.states == other.stored.states
    assert world.stored.views == other.stored.views


@dataclass
class Swapped:
    """Models that are replaced while the lane runs."""

    models: Models = PINNED

    async def reached(self, day: int) -> None:
        return


def running_lane(count: int, at_once: int) -> LiveLane:
    """A lane whose log has a purchase of each of some customers."""
    events = [purchase(f"customer-{number:03}", 0, event_id=f"e{number}") for number in range(count)]
    logs = logs_of((PURCHASES, msgspec.json.encode(event), event["event_time_ms"]) for event in events)
    limits = replace(LIMITS, renewed_at_once=at_once, chunk_records=3, chunk_customers=3)
    return LiveLane(logs, limits=limits, models=Swapped(), wall_ms=BEGIN_MS + DAY_MS)


async def until(task: asyncio.Task[None], condition: Callable[[], bool]) -> None:
    """Let the lane run until then."""
    async with asyncio.timeout(20):
        while not condition():
            assert not task.done(), task.exception()
            await asyncio.sleep(0)


def lane_versions(lane: LiveLane) -> set[str]:
    return {decode_view(view).scores["churn_30d"].version for view in lane.stored.views.values()}


async def test_a_lane_with_nothing_to_do_renews_everybody_and_the_journal_tells_it() -> None:
    lane = await running_lane(20, at_once=4).claim()
    await lane.fetch(PURCHASES)
    task = asyncio.ensure_future(lane.lane.run())
    await until(task, lambda: len(lane.stored.views) == 20)
    lane.models.models = SURER
    await until(task, lambda: lane_versions(lane) == {"v2"})
    await lane.lane.stop()
    await task
    renewed = [set(msgspec.json.decode(entry).get("renewed", ())) for entry in lane.stored.journal]
    assert set.union(*renewed) == set(lane.stored.states)


async def swept(lane: LiveLane) -> set[int]:
    """The times at which everybody was decided, once a lane with nothing else to do has swept."""
    task = asyncio.ensure_future(lane.lane.run())
    await until(task, lambda: lane_versions(lane) == {"v2"})
    await lane.lane.stop()
    await task
    return {decode_view(view).as_of_ms for view in lane.stored.views.values()}


async def test_who_has_been_idle_is_decided_at_the_time_of_the_last_tick_though_that_changed_nothing() -> None:
    lane = await running_lane(5, at_once=4).claim()
    await lane.fetch(PURCHASES)
    await lane.work()
    lane.wall_ms += 2 * 3_600_000
    await lane.work()
    assert lane.stored.head.stream_time_ms < lane.wall_ms
    lane.models.models = SURER
    assert await swept(lane) == {lane.wall_ms}
    again = await recomputed(
        lane.stored.journal, lane.logs, lambda versions: SURER if "v2" in versions.values() else PINNED
    )
    assert again.stored.views == lane.stored.views


@dataclass
class Unanswered(LiveLane):
    """At first the broker has not said yet where the logs end."""

    has_answered: bool = False

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        return self.has_answered and super().is_read_to_end(tp, next_offset)


async def test_a_worker_that_was_away_sweeps_only_when_it_knows_what_time_it_is() -> None:
    before = await running_lane(5, at_once=4).claim()
    await before.fetch(PURCHASES)
    await before.work()
    wall_ms = before.wall_ms + 3 * DAY_MS
    later = Unanswered(before.logs, before.limits, wall_ms=wall_ms, models=Swapped(SURER), stored=before.stored)
    await later.claim()
    assert not await later.lane.step()
    assert not await later.lane._renew()
    later.has_answered = True
    assert await swept(later) == {wall_ms}


async def test_customers_are_renewed_while_records_keep_coming() -> None:
    lane = await running_lane(90, at_once=4).claim()
    await lane.fetch(PURCHASES)
    for _ in range(2 * RENEW_EVERY_CHUNKS):
        assert await lane.lane.step()
    renewed = [entry for entry in map(msgspec.json.decode, lane.stored.journal) if entry.get("renewed")]
    assert len(renewed) == 2


async def test_records_are_applied_while_another_lane_sweeps_and_the_sweep_goes_on_afterwards() -> None:
    lane = await running_lane(20, at_once=4).claim()
    assert lane.background.turn_now()  # as another lane would
    task = asyncio.ensure_future(lane.lane.run())
    await lane.fetch(PURCHASES, 10)
    await until(task, lambda: len(lane.stored.views) == 10)
    lane.models.models = SURER
    await asyncio.sleep(0)
    await lane.fetch(PURCHASES)
    await until(task, lambda: len(lane.stored.views) == 20)
    assert lane.stored.head.sweep == NOT_SWEPT
    lane.background.over()
    await until(task, lambda: lane_versions(lane) == {"v2"})
    await lane.lane.stop()
    await task


async def test_a_replay_sweeps_nobody() -> None:
    lane = await running_lane(20, at_once=0).claim()
    await lane.fetch(PURCHASES)
    await lane.work()
    assert not await lane.lane._renew()
    assert lane.stored.head.sweep == NOT_SWEPT


@pytest.mark.parametrize(
    ("decide_at_ms", "due_ms", "expected"),
    [
        (900, 100, (500, 100)),  # what is due before is something else, and fires first
        (900, 900, (500, 500)),
        (300, 300, (300, 300)),  # decided by then anyway
        (0, 0, (500, 500)),
    ],
)
def test_whoever_is_to_be_renewed_is_decided_also_where_something_else_is_due_before(decide_at_ms, due_ms, expected):
    states = empty(1)
    decision = states["decision"]
    decision["decide_at_ms"], decision["due_ms"] = decide_at_ms, due_ms
    make_due(states, np.array([0]), 500)
    assert (decision["decide_at_ms"][0], decision["due_ms"][0]) == expected
