"""Whose word the time of a partition is: clock records, customers, or the wall."""

import numpy as np
from faust.types import TP

from schemas.topics import ENGAGEMENT, PROFILES, PURCHASES
from stream.worker.inbox import Inbox
from stream.worker.timing import EVENT_TOPICS, LaneLimits, LiveTiming, ReplayTiming
from tests.unit.worker.fetching import clock, fetched, inbox, purchases
from tests.world import BEGIN_MS, DAY_MS, purchase

LIMITS = LaneLimits(chunk_records=100, chunk_bytes=10**9, queue_bytes=10**9, tick_ms=250)


class World:
    """A wall clock to set, and logs that are read to their ends, or not."""

    def __init__(self, stream_time_ms: int = 0) -> None:
        self.wall_ms = BEGIN_MS + 100 * DAY_MS
        self.unread: set[str] = set()
        self.inbox: Inbox = inbox()
        self.timing = LiveTiming(stream_time_ms, LIMITS, 0, self, lambda: self.wall_ms)

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        assert next_offset == self.inbox.position(tp.topic)
        return tp.topic not in self.unread

    def times(self) -> list[int] | None:
        """Stream time, in ms after the beginning, of each record of the next batch, and of its end."""
        batch = self.timing.take(self.inbox)
        if batch is None:
            return None
        times = self.timing.times(batch)
        return [int(at) - BEGIN_MS for at in (*times.of_record, times.end_ms)]


class TestLive:
    def test_three_customers_vouch_for_a_time_and_one_in_the_future_does_not(self) -> None:
        world = World()
        world.inbox.put(purchases(10, 900, 30, 20))
        world.unread = {PURCHASES}
        assert world.times() == [-BEGIN_MS, -BEGIN_MS, 10 * DAY_MS, 20 * DAY_MS, 20 * DAY_MS]

    def test_one_customer_vouches_once_however_often_it_comes(self) -> None:
        world = World()
        events = [purchase("ada", day, event_id=str(day)) for day in (1, 2, 3)]
        world.inbox.put(fetched(PURCHASES, events))
        assert world.times() == [-BEGIN_MS] * 4

    def test_the_slowest_topic_that_is_not_read_to_its_end_bounds_the_time(self) -> None:
        world = World()
        views = [
            {"type": "page_view", "event_id": f"v{n}", "customer_id": f"c{n}", "event_time_ms": BEGIN_MS + n}
            for n in (1, 2, 3)
        ]
        world.inbox.put(fetched(ENGAGEMENT, views))
        world.inbox.put(purchases(10, 10, 10))
        world.unread = {PURCHASES, ENGAGEMENT}
        assert world.times() == [-BEGIN_MS] * 5 + [1, 1]

    def test_the_wall_ticks_when_everything_is_read_and_not_before(self) -> None:
        world = World()
        world.unread = {PROFILES}
        assert world.times() is None
        world.unread = set()
        assert world.times() == [100 * DAY_MS]
        assert world.times() is None, "it has just ticked"
        world.wall_ms += LIMITS.tick_ms
        assert world.times() == [100 * DAY_MS + 250]

    def test_a_wall_that_is_set_back_does_not_set_time_back_nor_stop_the_ticks(self) -> None:
        world = World()
        world.times()
        world.wall_ms -= DAY_MS
        assert world.times() == [100 * DAY_MS]

    def test_a_clock_record_means_nothing(self) -> None:
        world = World()
        world.inbox.put(clock(5))
        assert world.times() == [-BEGIN_MS, -BEGIN_MS]

    def test_after_a_restart_it_is_as_late_as_the_store_says(self) -> None:
        world = World()
        world.times()
        world.timing.restart(BEGIN_MS + 5)
        world.inbox.put(purchases(0))
        assert world.times() == [5, 5]
        assert list(EVENT_TOPICS) == [PURCHASES, ENGAGEMENT, PROFILES]


class TestReplay:
    def test_records_have_the_time_of_the_last_clock_record_and_the_next_has_its_own(self) -> None:
        timing, box = ReplayTiming(BEGIN_MS, LIMITS), inbox()
        box.put(purchases(0.2, 0.9))
        box.put(clock(1, purchases=2))
        times = timing.times(timing.take(box))
        assert (times.of_record - BEGIN_MS).tolist() == [0, 0, DAY_MS]
        assert times.end_ms == BEGIN_MS + DAY_MS

    def test_time_never_falls(self) -> None:
        timing, box = ReplayTiming(BEGIN_MS + 9 * DAY_MS, LIMITS), inbox()
        box.put(clock(1))
        assert np.array_equal(timing.times(timing.take(box)).of_record, [BEGIN_MS + 9 * DAY_MS])

    def test_there_are_no_ticks(self) -> None:
        assert ReplayTiming(BEGIN_MS, LIMITS).take(inbox()) is None
