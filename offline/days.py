"""A history cut at its UTC midnights, and the midnights themselves."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date
from operator import attrgetter

from schemas.events import Event
from schemas.units import DAY_MS

EVER = range(-(1 << 62), 1 << 62)

_TIME_MS = attrgetter("event_time_ms")


def days(events: Sequence[Event], counted: range = EVER) -> Iterator[tuple[int, Sequence[Event]]]:
    """Each moment at which a replay writes clock records, and the events since the moment before it.

    The moments are the midnight that begins the first day, every following midnight, also of days without events, and
    the time of the last event. An event at midnight belongs to the day that begins.

    Args:
        events: in order of time.
        counted: the times, in ms, at which a worker takes an event. One outside, as of a misspelt year, moves no clock:
            those before go with the first moment, those after with the last.

    Yields:
        (time in ms since 1970, the events before it that have not been yielded).

    >>> from schemas.events import PageView
    >>> hours = [PageView(event_id=str(hour), event_time_ms=hour * 3_600_000) for hour in (7, 8, 49)]
    >>> [(time_ms // 3_600_000, [event.event_id for event in between]) for time_ms, between in days(hours)]
    [(0, []), (24, ['7', '8']), (48, []), (49, ['49'])]
    """
    if not events:
        return
    first, after = (bisect_left(events, time_ms, key=_TIME_MS) for time_ms in (counted.start, counted.stop))
    if first == after:
        yield events[-1].event_time_ms, events
        return
    start, last_ms = 0, events[after - 1].event_time_ms
    for time_ms in moments(events[first].event_time_ms, last_ms)[:-1]:
        end = bisect_left(events, time_ms, lo=start, key=_TIME_MS)
        yield time_ms, events[start:end]
        start = end
    yield last_ms, events[start:]


def moments(first_ms: int, last_ms: int) -> list[int]:
    """The moments of `days`, of a first and a last event; all in ms since 1970."""
    return [*range(first_ms - first_ms % DAY_MS, last_ms + 1, DAY_MS), last_ms]


def midnight_ms(day: date) -> int:
    """The midnight that begins a day, in ms since 1970, UTC.

    >>> midnight_ms(date(1970, 1, 8)) // DAY_MS
    7
    """
    return (day - date(1970, 1, 1)).days * DAY_MS
