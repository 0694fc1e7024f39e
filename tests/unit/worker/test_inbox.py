"""What is queued, what may be taken, in which order, and what a seek does to it."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import PageView
from schemas.rejection import Rejection
from schemas.topics import CLOCK, ENGAGEMENT, PURCHASES
from schemas.units import DAY_MS
from stream.clock import ReplayClock
from stream.ports import LogPosition
from stream.worker.fetched import Fetched
from stream.worker.inbox import AT_ONCE, Inbox
from stream.worker.log_records import RECORD_OVERHEAD_BYTES
from tests.unit.worker.fetching import clock, fetched, inbox, offsets, purchases
from tests.world import BEGIN_MS, engagement, purchase

MANY = 1_000_000


def taken(box: Inbox, day: float = 0, at_most: int = MANY, bytes_at_most: int = 10**9) -> list[tuple[str, int]]:
    """What a replay takes when the last clock record was of `day`."""
    return offsets(box.take_replay(ReplayClock(BEGIN_MS + round(day * DAY_MS)), at_most, bytes_at_most))


class TestInAReplay:
    def test_the_record_of_a_day_that_has_not_begun_waits(self) -> None:
        box = inbox()
        box.put(purchases(0.5, 1.5, 0.7))
        assert taken(box) == [("purchases", 0)]
        assert taken(box) == []
        assert taken(box, day=1) == [("purchases", 1), ("purchases", 2)]

    def test_a_record_of_a_midnight_is_of_the_day_that_it_begins(self) -> None:
        box = inbox()
        box.put(purchases(1.0))
        assert taken(box) == []
        assert taken(box, day=1) == [("purchases", 0)]

    def test_one_topic_that_waits_does_not_hold_another(self) -> None:
        box = inbox()
        box.put(purchases(1.5))
        box.put(fetched(ENGAGEMENT, [{"type": "page_view", "event_id": "v", "event_time_ms": BEGIN_MS}]))
        assert taken(box) == [("engagement", 0)]

    def test_a_clock_record_follows_all_that_came_before_it(self) -> None:
        box = inbox()
        box.put(clock(1, purchases=3))
        box.put(purchases(0.1, 0.2))
        assert taken(box) == [("purchases", 0), ("purchases", 1)], "the third is still on its way"
        box.put(purchases(0.3, start=2))
        batch = box.take_replay(ReplayClock(BEGIN_MS), MANY, 10**9)
        assert offsets(batch) == [("purchases", 2), ("clock", 0)]
        assert (batch.previous, batch.clock_ms) == ({PURCHASES: 2, CLOCK: 0}, BEGIN_MS + DAY_MS)

    def test_a_late_day_within_the_ends_of_a_clock_record_does_not_hold_it_back(self) -> None:
        box = inbox()
        box.put(clock(1, purchases=2))
        box.put(purchases(7.5, 0.5))
        assert taken(box) == [("purchases", 0), ("purchases", 1), ("clock", 0)]

    def test_a_late_event_behind_a_clock_record_waits_for_it(self) -> None:
        box = inbox()
        box.put(clock(1, purchases=1))
        box.put(purchases(0.5, 0.4, 1.5))
        assert taken(box) == [("purchases", 0), ("clock", 0)]
        assert taken(box, day=1) == [("purchases", 1), ("purchases", 2)]

    def test_a_batch_ends_with_its_clock_record(self) -> None:
        box = inbox()
        box.put(clock(1))
        box.put(clock(2, start=1))
        box.put(purchases(1.5))
        assert taken(box) == [("clock", 0)]
        assert taken(box, day=1) == [("purchases", 0), ("clock", 1)]

    def test_garbage_never_waits_not_even_among_clock_records(self) -> None:
        box = inbox()
        box.put(fetched(CLOCK, [b"{"]))
        box.put(clock(1, start=1))
        box.put(fetched(PURCHASES, [None, b""]))
        assert taken(box) == [("purchases", 0), ("purchases", 1), ("clock", 0)]
        assert taken(box) == [("clock", 1)]

    def test_a_full_batch_leaves_the_clock_record_for_the_next(self) -> None:
        box = inbox()
        box.put(clock(1, purchases=2))
        box.put(purchases(0.1, 0.2))
        assert taken(box, at_most=2) == [("purchases", 0), ("purchases", 1)]
        assert taken(box) == [("clock", 0)]


def views(*days: float, start: int = 0) -> Fetched:
    """A page view on each of these days after the beginning."""
    events = [engagement("page_view", f"c{at}", day, event_id=f"v{start + at}") for at, day in enumerate(days)]
    return fetched(ENGAGEMENT, events, start)


class TestLive:
    def test_topics_are_merged_by_time_and_each_keeps_its_own_order(self) -> None:
        box = inbox()
        box.put(purchases(0.5, 400, 2))
        box.put(views(1, 3, 500))
        assert offsets(box.take_live(MANY, 10**9)) == [
            ("purchases", 0),
            ("engagement", 0),
            ("engagement", 1),
            ("purchases", 1),
            ("purchases", 2),
            ("engagement", 2),
        ]
        assert box.take_live(MANY, 10**9) is None

    def test_nothing_goes_before_a_topic_that_has_more_and_nothing_queued(self) -> None:
        box = inbox()
        box.put(purchases(1, 2, 4))
        assert box.take_live(MANY, 10**9, [ENGAGEMENT]) is None
        box.put(views(3))
        assert offsets(box.take_live(MANY, 10**9, [ENGAGEMENT])) == [
            ("purchases", 0),
            ("purchases", 1),
            ("engagement", 0),
        ]
        assert box.take_live(MANY, 10**9, [ENGAGEMENT]) is None, "the next view may be earlier than the fourth day"
        assert offsets(box.take_live(MANY, 10**9)) == [("purchases", 2)]

    def test_an_event_of_the_future_keeps_back_nobody_and_an_early_one_does_not_wait(self) -> None:
        box = inbox()
        written_ms = BEGIN_MS + 2 * DAY_MS
        events = [purchase("ada", day, event_id=f"e{day}") for day in (2.9, 0.1)]
        box.put(fetched(PURCHASES, events, timestamp_ms=written_ms))
        box.put(views(1.9, 2.1))
        assert offsets(box.take_live(MANY, 10**9)) == [
            ("engagement", 0),
            ("purchases", 0),
            ("purchases", 1),
            ("engagement", 1),
        ]

    def test_garbage_and_clock_records_go_with_what_came_before_them(self) -> None:
        box = inbox()
        box.put(clock(5))
        box.put(fetched(PURCHASES, [None, purchase("ada", 2, event_id="e"), b"{"]))
        box.put(views(1))
        batch = box.take_live(MANY, 10**9)
        assert offsets(batch) == [
            ("purchases", 0),
            ("clock", 0),
            ("engagement", 0),
            ("purchases", 1),
            ("purchases", 2),
        ]
        assert batch.clock_ms is None

    def test_a_full_batch_leaves_the_rest_in_order(self) -> None:
        box = inbox()
        box.put(purchases(1, 3, 5))
        box.put(views(2, 4, 6))
        taken = [offsets(box.take_live(2, 10**9, [PURCHASES, ENGAGEMENT])) for _ in range(3)]
        assert taken == [
            [("purchases", 0), ("engagement", 0)],
            [("purchases", 1), ("engagement", 1)],
            [("purchases", 2)],
        ]

    @given(st.lists(st.integers(0, 5), max_size=12), st.lists(st.integers(0, 5), max_size=12), st.data())
    def test_the_order_does_not_depend_on_what_was_fetched_first(
        self, bought: list[int], seen: list[int], data: st.DataObject
    ) -> None:
        whole = inbox()
        whole.put(purchases(*bought)) if bought else None
        whole.put(views(*seen)) if seen else None
        box, taken, left = inbox(), [], {PURCHASES: bought, ENGAGEMENT: seen}
        while any(left.values()):
            topic = data.draw(st.sampled_from([topic for topic, days in left.items() if days]))
            count = data.draw(st.integers(1, len(left[topic])))
            some, left[topic] = left[topic][:count], left[topic][count:]
            box.put((purchases if topic == PURCHASES else views)(*some, start=box.tail(topic)))
            growing = [topic for topic, days in left.items() if days]
            taken += offsets(box.take_live(data.draw(st.integers(1, 30)), 10**9, growing))
        taken += offsets(box.take_live(MANY, 10**9))
        assert taken == offsets(whole.take_live(MANY, 10**9))

    def test_a_batch_is_bounded_by_records_and_by_bytes_and_holds_one_at_least(self) -> None:
        box = inbox()
        box.put(fetched(PURCHASES, [b"x" * 1_000] * 5))
        one = RECORD_OVERHEAD_BYTES + 1_000
        assert len(box.take_live(2, 10**9).records) == 2
        assert len(box.take_live(MANY, one + 1).records) == 2
        assert len(box.take_live(MANY, 1).records) == 1
        assert box.queued_bytes(PURCHASES) == 0

    def test_a_batch_ends_with_its_last_customer_whatever_else_they_and_guests_have_sent(self) -> None:
        box = inbox(customers_at_most=2)
        customers = ["ada", "ada", None, "ada", "bob", "ada", "cy", "ada", "bob"]
        events = [purchase(customer, 0, event_id=f"e{at}") for at, customer in enumerate(customers)]
        box.put(fetched(PURCHASES, events))
        sizes = [len(batch.records) for batch in iter(lambda: box.take_live(MANY, 10**9), None)]
        assert sizes == [5, 2, 2]

    def test_a_long_fetch_is_decoded_as_it_is_taken(self) -> None:
        decoded: list[int] = []

        def decode(_topic: str, values: Sequence[bytes | None], _timestamps_ms: Sequence[int]) -> list[object]:
            decoded.append(len(values))
            return [PageView(event_id="v", event_time_ms=BEGIN_MS) for _ in values]

        box = Inbox({PURCHASES: 0}, decode)
        box.put(fetched(PURCHASES, [b"{"] * (3 * AT_ONCE)))
        assert decoded == []
        assert len(box.take_live(10, 10**9).records) == 10
        assert decoded == [AT_ONCE]

    def test_how_far_a_topic_is_fetched_is_that_of_its_last_event_whatever_follows_and_is_decoded_yet(self) -> None:
        decoded: list[int] = []

        def decode(_topic: str, values: Sequence[bytes | None], _timestamps_ms: Sequence[int]) -> list[object]:
            decoded.append(len(values))
            return [
                PageView(event_id="v", event_time_ms=int(value)) if value else Rejection("empty_value", "", "")
                for value in values
            ]

        box = Inbox({PURCHASES: 0}, decode)
        assert box.last_ms(PURCHASES) == 0
        box.put(fetched(PURCHASES, [b"7"] * AT_ONCE + [b"9"]))
        box.put(fetched(PURCHASES, [None, None], start=AT_ONCE + 1))
        assert [box.last_ms(PURCHASES), box.last_ms(PURCHASES)] == [9, 9]
        assert decoded == [1, 1, 1], "one by one from the end, and once"
        box.take_live(MANY, 10**9)
        assert box.last_ms(PURCHASES) == 9
        box.put(fetched(PURCHASES, [b"8", None], start=AT_ONCE + 3))
        box.take_live(MANY, 10**9)
        taken = len(decoded)
        assert box.last_ms(PURCHASES) == 8
        assert len(decoded) == taken, "what was taken has been decoded"


class TestSeeks:
    def test_what_was_fetched_before_a_seek_back_and_leaves_a_gap_is_dropped(self) -> None:
        box = inbox(purchases=10)
        box.seek(PURCHASES, 4)
        box.put(purchases(0, 0, start=10))
        assert taken(box) == []
        box.put(purchases(*[0] * 8, start=4))
        assert taken(box) == [("purchases", offset) for offset in range(4, 12)]

    def test_of_what_repeats_the_queue_only_the_rest_is_taken(self) -> None:
        box = inbox()
        box.put(purchases(0, 0, 0))
        box.put(purchases(*[0] * 5))
        assert taken(box) == [("purchases", offset) for offset in range(5)]

    def test_offsets_that_are_not_dense_leave_no_gap(self) -> None:
        box = inbox()
        box.put(fetched(PURCHASES, [b"{"], start=3, previous=0))
        box.put(fetched(PURCHASES, [b"{"], start=9, previous=4))
        assert taken(box) == [("purchases", 3), ("purchases", 9)]
        assert box.tail(PURCHASES) == 10

    @given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=20), st.integers(0, 6))
    def test_whatever_is_delivered_in_whatever_pieces_nothing_is_missed_and_nothing_comes_twice(
        self, pieces: list[tuple[int, int]], start: int
    ) -> None:
        box = inbox(purchases=start)
        for first, count in pieces:
            box.put(fetched(PURCHASES, [b"{"] * count, start=first))
        box.put(fetched(PURCHASES, [b"{"] * 20))
        assert taken(box) == [("purchases", offset) for offset in range(start, 20)]


def test_a_position_remembers_what_the_last_record_looked_like() -> None:
    box = inbox()
    box.put(fetched(PURCHASES, [b"123456789", None], start=7, previous=0))
    records = box.take_live(MANY, 10**9).records
    timestamp_ms = BEGIN_MS + 4_000 * DAY_MS
    assert records.position_after(0) == LogPosition(8, timestamp_ms, 0xCBF43926)
    assert records.position_after(1) == LogPosition(9, timestamp_ms, 0)
