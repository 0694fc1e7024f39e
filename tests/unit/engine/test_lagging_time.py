"""A long silence of many delays no live event: records go through while stream time catches up."""

import msgspec

from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from tests.world import BEGIN_MS, World, purchase


def crowded(**options) -> World:
    world = World(**options)
    for number in range(10):
        world.purchase(f"c{number}", day=0.01 * number).purchase(f"c{number}", day=10 + 0.01 * number)
    return world


def test_a_record_takes_effect_in_the_first_commit_however_many_deadlines_wait():
    world = crowded(may_lag=True, due_at_once=3)
    event = purchase("new", 100, event_id="live")
    world.apply([world.record(PURCHASES, msgspec.json.encode(event))], [BEGIN_MS + 100 * DAY_MS])
    assert world.view("new").features["purchases"] == 1
    assert world.applying.lags_at_ms < BEGIN_MS + 100 * DAY_MS
    assert world.stored.head.stream_time_ms == world.applying.lags_at_ms


def test_stream_time_catches_up_tick_by_tick_and_then_everything_has_fired():
    lagging, whole = crowded(may_lag=True, due_at_once=3), crowded()
    ticks = 0
    while lagging.silence_until(day=60).applying.lags_at_ms is not None:
        ticks += 1
    whole.silence_until(day=60)
    assert ticks > 5
    assert lagging.stored.states == whole.stored.states
    for number in range(10):
        assert lagging.alerts(f"c{number}") == whole.alerts(f"c{number}") == ["churn-alert.opened"]
