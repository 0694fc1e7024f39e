"""Whose word the time of a partition is: clock records, customers, or the wall."""

from dataclasses import replace

import numpy as np
from faust.types import TP

from schemas.topics import CLOCK, ENGAGEMENT, PROFILES, PURCHASES, REROUTED
from schemas.units import DAY_MS
from stream.worker.fetched import Fetched
from stream.worker.inbox import Batch, Inbox
from stream.worker.timing import EVENT_TOPICS, LaneLimits, LiveTiming, ReplayTiming
from tests.unit.worker.fetching import clock, fetched, inbox, purchases
from tests.world import BEGIN_MS, engagement, purchase

LIMITS = LaneLimits(chunk_records=100, chunk_bytes=10**9, queue_bytes=10**9, tick_ms=250)


class World:
    """A wall clock to set, and logs that are read to their ends, or not."""

    def __init__(self, stream_time_ms: int = 0) -> None:
        self.wall_ms = BEGIN_MS + 100 * DAY_MS
        self.unread: set[str] = set()
        self.inbox: Inbox = inbox()
        self.timing = LiveTiming(stream_time_ms, {}, LIMITS, 0, self, lambda: self.wall_ms)

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        assert next_offset == self.inbox.tail(tp.topic)
        return tp.topic not in self.unread

    def times(self) -> list[int] | None:
        """Stream time, in ms after the beginning, of each record of the next batch, and of its end."""
        batch = self.timing.take(self.inbox)
        if batch is None:
            return None
        times = self.timing.times(batch)
        return [int(at) - BEGIN_MS for at in (*times.of_record, times.end_ms)]

    def leading(self) -> set[str]:
        return set(self.timing.leading(self.inbox))


def views(*days: float, start: int = 0) -> Fetched:
    """A page view of a new customer on each of these days."""
    events = [engagement("page_view", f"c{start + at}", day, event_id=f"v{start + at}") for at, day in enumerate(days)]
    return fetched(ENGAGEMENT, events, start)


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

    def test_a_topic_that_is_starved_stops_time_and_the_others_until_it_is_fetched(self) -> None:
        world = World()
        world.unread = {ENGAGEMENT}
        world.inbox.put(purchases(10, 10, 10, 30))
        assert world.times() is None, "and there is no tick either"
        world.inbox.put(views(1, 2, 3, 20))
        assert [time_ms // DAY_MS for time_ms in world.times()[2:]] == [1, 1, 1, 10, 10, 10]

    def test_garbage_on_the_clock_topic_has_no_say(self) -> None:
        box = inbox()
        box.put(purchases(10, 10, 10))
        box.put(fetched(CLOCK, [b"{"]))
        taken = box.take_live(100, 10**9)
        garbage_last = Batch(taken.records.take(np.array([1, 2, 3, 0])), taken.previous)
        assert World().timing.times(garbage_last).end_ms == BEGIN_MS + 10 * DAY_MS

    def test_a_topic_without_records_does_not_stop_time(self) -> None:
        world = World()
        world.inbox.put(views(1, 1, 1, 2, 2, 2))
        assert world.times()[-1] == 2 * DAY_MS

    def test_a_topic_that_has_been_silent_for_long_does_not_stop_time(self) -> None:
        world = World()
        world.inbox.put(purchases(1, 1, 1))
        assert world.times()[-1] == 1 * DAY_MS
        world.inbox.put(views(50, 50, 50))
        assert world.times()[-1] == 50 * DAY_MS

    def test_a_topic_of_one_customer_does_not_stop_time_while_it_is_read(self) -> None:
        world = World()
        world.unread = {PURCHASES, ENGAGEMENT}
        world.inbox.put(fetched(PURCHASES, [purchase("ada", day, event_id=str(day)) for day in (1, 90)]))
        world.inbox.put(views(2, 3, 4, 95))
        assert world.times() == [-BEGIN_MS, -BEGIN_MS, -BEGIN_MS, 2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS]

    def test_how_the_records_are_cut_into_batches_does_not_show_in_their_times(self) -> None:
        cut, whole = World(), World()
        times: list[int] = []
        for world in (cut, whole):
            world.inbox.put(purchases(1, 1, 1, 5, 6, 7))
            world.inbox.put(views(2, 3, 4, 5, 8, 9, 10, 11))
        cut.timing._limits = replace(LIMITS, chunk_records=2)
        while len(times) < 14:
            times += cut.times()[:-1]
        assert times == whole.times()[:-1]

    def test_records_of_an_old_log_wait_for_deadlines_and_those_of_now_do_not(self) -> None:
        world = World()
        world.inbox.put(purchases(1, 1, 1))
        world.times()
        assert not world.timing.may_lag
        world.inbox.put(purchases(100, 100, 100, start=3))
        world.times()
        assert world.timing.may_lag

    def test_while_time_lags_no_record_waits(self) -> None:
        world = World()
        world.times()
        world.timing.lag(BEGIN_MS + DAY_MS)
        world.inbox.put(purchases(2))
        assert world.times() == [DAY_MS, DAY_MS]
        assert world.timing.may_lag
        assert world.times() == [100 * DAY_MS], "the next tick comes at once"

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
        world.timing.restart(BEGIN_MS + 5, {})
        world.inbox.put(purchases(0))
        assert world.times() == [5, 5]
        assert list(EVENT_TOPICS) == [PURCHASES, ENGAGEMENT, PROFILES, REROUTED]


class TestAlignment:
    """LIMITS.alignment_ms is an hour."""

    def test_a_topic_that_leads_a_starved_one_by_more_than_the_alignment_is_paused(self) -> None:
        world = World(stream_time_ms=BEGIN_MS)
        world.unread = {ENGAGEMENT, PURCHASES}
        world.inbox.put(purchases(0.01, 0.04))
        assert world.leading() == set()
        world.inbox.put(purchases(0.05, start=2))
        assert world.leading() == {PURCHASES}

    def test_it_goes_on_when_the_slow_one_has_come_near(self) -> None:
        world = World(stream_time_ms=BEGIN_MS)
        world.unread = {ENGAGEMENT, PURCHASES}
        world.inbox.put(purchases(0.01, 0.2))
        world.inbox.put(views(0.1))
        assert world.leading() == {PURCHASES}
        world.inbox.put(views(0.16, start=1))
        assert world.leading() == set()

    def test_the_slowest_is_never_paused_nor_is_anybody_when_nobody_is_slow(self) -> None:
        world = World(stream_time_ms=BEGIN_MS)
        world.inbox.put(purchases(1, 2))
        assert world.leading() == set()
        world.unread = {PURCHASES}
        assert world.leading() == set()

    def test_a_topic_with_nothing_queued_is_not_paused_so_that_no_two_wait_for_each_other(self) -> None:
        world = World(stream_time_ms=BEGIN_MS)
        world.unread = {ENGAGEMENT}
        world.inbox.put(purchases(2))
        world.inbox.put(views(3))
        world.times()
        world.unread = {PURCHASES, ENGAGEMENT, PROFILES}
        assert world.inbox.queued_bytes(PURCHASES) == 0
        assert PURCHASES not in world.leading()

    def test_a_first_event_after_a_quiet_hour_is_no_lead(self) -> None:
        world = World()
        world.times()
        world.unread = {ENGAGEMENT}
        world.inbox.put(purchases(100.01))
        assert world.leading() == set()


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
