from offline.days import days
from schemas.events import PageView
from schemas.units import DAY_MS


def seen_at(*times_ms):
    return [PageView(event_id=str(time_ms), event_time_ms=time_ms) for time_ms in times_ms]


def times(events):
    return [(time_ms, [event.event_time_ms for event in between]) for time_ms, between in days(events)]


def test_no_events_have_no_days():
    assert times([]) == []


def test_the_clock_begins_at_the_first_midnight_and_ends_at_the_last_event():
    assert times(seen_at(5, 9)) == [(0, []), (9, [5, 9])]


def test_a_day_without_events_has_its_midnight():
    assert times(seen_at(5, 2 * DAY_MS + 1)) == [
        (0, []),
        (DAY_MS, [5]),
        (2 * DAY_MS, []),
        (2 * DAY_MS + 1, [2 * DAY_MS + 1]),
    ]


def test_events_at_times_that_do_not_count_move_no_clock_and_are_there():
    events = seen_at(-300 * DAY_MS, 5, DAY_MS + 5, 2_900_000 * DAY_MS)
    assert [
        (time_ms, [event.event_time_ms for event in some]) for time_ms, some in days(events, range(2 * DAY_MS))
    ] == [
        (0, [-300 * DAY_MS]),
        (DAY_MS, [5]),
        (DAY_MS + 5, [DAY_MS + 5, 2_900_000 * DAY_MS]),
    ]


def test_where_no_time_counts_there_is_one_moment():
    events = seen_at(5 * DAY_MS, 2_900_000 * DAY_MS)
    assert list(days(events, range(DAY_MS))) == [(2_900_000 * DAY_MS, events)]


def test_an_event_at_midnight_belongs_to_the_day_that_begins():
    assert times(seen_at(5, DAY_MS)) == [(0, []), (DAY_MS, [5]), (DAY_MS, [DAY_MS])]


def test_days_before_1970_begin_at_midnight_too():
    assert times(seen_at(-5)) == [(-DAY_MS, []), (-5, [-5])]
