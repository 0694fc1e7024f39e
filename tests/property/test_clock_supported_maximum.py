"""The live clock against a naive reading of its rule: three distinct customers within the last 1,000 records."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream.clock import WINDOW_RECORDS, LiveClock, LoggedTimes, SupportedMaximum

Said = tuple[int, int]
"""(customer, time in ms)."""

CUSTOMERS = st.integers(0, 4)
TIMES_MS = st.integers(1, 9) | st.sampled_from([10**13, 10**13 + 5])
RECORDS = st.lists(st.tuples(CUSTOMERS, TIMES_MS), min_size=1, max_size=60)
PURCHASES, VIEWS = 0, 1


def supported_ms(records: list[Said], window: int = WINDOW_RECORDS) -> int:
    """The latest time that three customers have reached in some window of 1,000 records."""
    best = 0
    for end in range(1, len(records) + 1):
        latest: dict[int, int] = {}
        for customer, time_ms in records[max(end - window, 0) : end]:
            latest[customer] = max(latest.get(customer, 0), time_ms)
        best = max([best, *sorted(latest.values())[-3 : len(latest) - 2]])
    return best


def observed_ms(records: list[Said], chunk: int = 10**6) -> list[int]:
    """What the product says after each record, in chunks."""
    topic, said = SupportedMaximum(), np.array(records, np.int64).reshape(-1, 2)
    chunks = [said[start : start + chunk] for start in range(0, len(said), chunk)]
    return [time_ms for part in chunks for time_ms in topic.observe(part[:, 0], part[:, 1]).tolist()]


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.sampled_from([1, 2, 7, 1_000]))
def test_a_topic_has_reached_what_three_customers_have(records: list[Said], chunk: int) -> None:
    expected = [supported_ms(records[:count]) for count in range(1, len(records) + 1)]
    assert observed_ms(records, chunk) == expected


@settings(max_examples=300, deadline=None)
@given(RECORDS, st.sampled_from([1, 2, 7, 1_000]), st.integers(1, 8))
@example([(0, 9), (1, 8), (2, 1), (0, 5), (3, 6), (2, 7)], 1_000, 3)
def test_what_lies_further_back_than_the_window_supports_nothing(records: list[Said], chunk: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream.clock.WINDOW_RECORDS", window)
        observed = observed_ms(records, chunk)
    assert observed == [supported_ms(records[:count], window) for count in range(1, len(records) + 1)]


@settings(max_examples=300, deadline=None)
@given(RECORDS, st.lists(st.integers(1, 12), max_size=12), st.integers(1, 8), st.integers(0, 9))
def test_who_goes_on_from_what_is_kept_says_the_same_of_all_that_is_later(
    records: list[Said], cuts: list[int], window: int, since_ms: int
) -> None:
    found: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("stream.clock.WINDOW_RECORDS", window)
        said, packed = np.array(records, np.int64).reshape(-1, 2), b""
        for part in np.split(said, sorted({sum(cuts[:count]) for count in range(len(cuts))})):
            topic = SupportedMaximum(packed)
            found += topic.observe(part[:, 0], part[:, 1]).tolist()
            packed = topic.packed(since_ms)
            assert len(packed) <= 24 * (1 + window)
    expected = [supported_ms(records[:count], window) for count in range(1, len(records) + 1)]
    assert np.maximum(found, since_ms).tolist() == np.maximum(expected, since_ms).tolist()


def test_nothing_is_kept_of_what_time_has_passed() -> None:
    topic = SupportedMaximum()
    topic.observe(np.arange(5), np.array([5, 6, 7, 8, 9]))
    assert [len(topic.packed(since_ms)) for since_ms in (6, 7, 8, 9)] == [72, 72, 48, 0]


def test_the_1000th_record_back_still_counts_and_the_1001st_does_not() -> None:
    def last_ms(busy: int) -> int:
        return observed_ms([(0, 50), *[(3, 7)] * busy, (1, 50), (2, 50)])[-1]

    assert last_ms(busy=997) == 50
    assert last_ms(busy=998) == 7


def test_two_customers_and_one_far_future_event_do_not_move_time() -> None:
    assert observed_ms([(0, 10), (1, 20), (0, 30), (1, 40), (0, 10**13), (2, 5)]) == [0, 0, 0, 0, 0, 5]


Logged = tuple[int, int | None, int]
"""(topic, customer or None, time in ms) of a record."""


def logged(records: list[Logged]) -> LoggedTimes:
    columns = [(topic, time_ms, customer or 0, time_ms) for topic, customer, time_ms in records]
    return LoggedTimes(
        *np.array(columns, np.int64).reshape(-1, 4).T, np.array([who is not None for _, who, _ in records], bool)
    )


def stream_times_ms(records: list[Logged], next_ms: dict[int, int], begin_ms: int) -> list[int]:
    """The rule, record by record: of the topics with more to come the slowest bounds the time."""
    times = []
    for at, (own, _, _) in enumerate(records):
        bounds = []
        for topic in (PURCHASES, VIEWS):
            said = [(who, ms) for name, who, ms in records[: at + 1] if name == topic and who is not None]
            coming = [ms for name, _, ms in records[at + 1 :] if name == topic]
            coming += [next_ms[topic]] if topic in next_ms else []
            if topic == own:
                bounds.append(supported_ms(said))
            elif coming:
                bounds.append(max(supported_ms(said), coming[0]))
        times.append(max([begin_ms, *times[-1:], min(bounds)]))
    return times


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([PURCHASES, VIEWS]), CUSTOMERS | st.none(), TIMES_MS), max_size=40),
    st.dictionaries(st.sampled_from([PURCHASES, VIEWS]), st.integers(0, 12)),
    st.integers(0, 12),
)
def test_the_slowest_topic_that_is_not_read_to_its_end_bounds_stream_time(
    records: list[Logged], next_ms: dict[int, int], begin_ms: int
) -> None:
    clock = LiveClock(begin_ms)
    assert clock.advance(logged(records), next_ms).tolist() == stream_times_ms(records, next_ms, begin_ms)
    assert clock.stream_time_ms == max([begin_ms, *stream_times_ms(records, next_ms, begin_ms)])


def three(topic: int, time_ms: int) -> list[Logged]:
    return [(topic, customer, time_ms) for customer in range(3)]


def test_a_topic_whose_next_record_is_unknown_bounds_time_by_what_it_supports() -> None:
    clock = LiveClock(0)
    assert clock.advance(logged([*three(VIEWS, 3), *three(PURCHASES, 9)]), {VIEWS: 0}).tolist() == [0, 0, 3, 3, 3, 3]


def test_a_topic_of_few_customers_does_not_stop_time_while_its_next_record_lies_ahead() -> None:
    clock = LiveClock(0)
    assert clock.advance(logged([(VIEWS, 1, 2), *three(PURCHASES, 7)]), {VIEWS: 8}).tolist() == [0, 0, 0, 7]


def test_a_topic_read_to_its_end_bounds_nothing_and_ticks_go_on_from_there() -> None:
    clock = LiveClock(100)
    assert clock.advance(logged([(VIEWS, 1, 50), *three(PURCHASES, 500)]), {}).tolist() == [100, 100, 100, 500]
    assert clock.tick(700) == 700
    assert clock.tick(600) == 700


def test_records_of_no_topic_and_no_customer_leave_time_where_it_is() -> None:
    clock = LiveClock(5)
    assert clock.advance(logged([(-1, None, 10), (PURCHASES, None, 10)]), {}).tolist() == [5, 5]
    assert clock.advance(logged([]), {PURCHASES: 3}).tolist() == []


def test_deadlines_that_wait_hold_time_until_the_next_tick() -> None:
    clock = LiveClock(0)
    clock.tick(1_000)
    clock.lag(400)
    assert clock.stream_time_ms == 400
    assert clock.tick(1_001) == 1_001
