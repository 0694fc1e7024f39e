"""The live clock against a naive reading of its rule: three distinct customers within the last 1,000 records."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.clock import SUPPORTERS, WINDOW_RECORDS, LiveClock, SupportedMaximum

CUSTOMERS = st.sampled_from("abcde")
TIMES_MS = st.integers(1, 9) | st.sampled_from([10**13, 10**13 + 5])
RECORDS = st.lists(st.tuples(CUSTOMERS, TIMES_MS), min_size=1, max_size=60)


def supported_ms(records: list[tuple[str, int]]) -> int:
    """The latest time that three customers have reached in some window of 1,000 records."""
    best = 0
    for end in range(1, len(records) + 1):
        latest: dict[str, int] = {}
        for customer, time_ms in records[max(end - WINDOW_RECORDS, 0) : end]:
            latest[customer] = max(latest.get(customer, 0), time_ms)
        best = max([best, *sorted(latest.values())[-SUPPORTERS : len(latest) - SUPPORTERS + 1]])
    return best


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_a_topic_has_reached_what_three_customers_have(records: list[tuple[str, int]]) -> None:
    topic = SupportedMaximum()
    for count, (customer, time_ms) in enumerate(records, start=1):
        topic.observe(customer, time_ms)
        assert topic.time_ms == supported_ms(records[:count])


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(CUSTOMERS, TIMES_MS), min_size=1, max_size=12), st.integers(980, 1_010), st.sampled_from("ab")
)
def test_what_lies_more_than_1000_records_back_supports_nothing(
    records: list[tuple[str, int]], apart: int, busy: str
) -> None:
    log = [*records, *[(busy, 7)] * apart, *records[::-1]]
    topic = SupportedMaximum()
    for customer, time_ms in log:
        topic.observe(customer, time_ms)
    assert topic.time_ms == supported_ms(log)


def test_the_1000th_record_back_still_counts_and_the_1001st_does_not() -> None:
    def time_ms(busy: int) -> int:
        topic = SupportedMaximum()
        for customer, reached_ms in [("a", 50), *[("d", 7)] * busy, ("b", 50), ("c", 50)]:
            topic.observe(customer, reached_ms)
        return topic.time_ms

    assert time_ms(busy=997) == 50
    assert time_ms(busy=998) == 7


def test_two_customers_and_one_far_future_event_do_not_move_time() -> None:
    topic = SupportedMaximum()
    for customer, time_ms in [("a", 10), ("b", 20), ("a", 30), ("b", 40), ("a", 10**13)]:
        topic.observe(customer, time_ms)
    assert topic.time_ms == 0
    topic.observe("c", 5)
    assert topic.time_ms == 5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["purchases", "views"]), CUSTOMERS, TIMES_MS), max_size=40), st.integers(0, 40)
)
def test_the_slowest_lagging_topic_bounds_stream_time(records: list[tuple[str, str, int]], begin_ms: int) -> None:
    times = LiveClock(begin_ms).advance(records, ["purchases", "views"])
    for count, time_ms in enumerate(times.tolist(), start=1):
        seen = [
            supported_ms([(who, time) for name, who, time in records[:count] if name == topic])
            for topic in ("purchases", "views")
        ]
        assert time_ms == max(begin_ms, min(seen))


def test_a_topic_read_to_its_end_bounds_nothing_and_none_lagging_leaves_time_to_the_ticks() -> None:
    clock = LiveClock(100)
    records = [("purchases", customer, 500) for customer in "abc"]
    assert clock.advance(records, ["purchases"]).tolist() == [100, 100, 500]
    assert clock.advance([("purchases", customer, 900) for customer in "abc"], []).tolist() == [500, 500, 500]
    assert clock.tick(700) == 700
    assert clock.tick(600) == 700


def test_records_without_customer_or_time_vouch_for_nothing() -> None:
    clock = LiveClock(0)
    records = [("purchases", None, 10), ("purchases", None, 10), ("purchases", "a", None), ("purchases", "b", 10)]
    assert clock.advance(records, ["purchases"]).tolist() == [0, 0, 0, 0]


def test_deadlines_that_wait_hold_time_until_the_next_tick() -> None:
    clock = LiveClock(0)
    clock.tick(1_000)
    clock.lag(400)
    assert clock.stream_time_ms == 400
    assert clock.tick(1_001) == 1_001
