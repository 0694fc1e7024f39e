"""A history as the clock of a replay goes through it: day by day, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from offline.columns.names import Names
from offline.days import moments
from offline.features.batches import Batch, Reading
from offline.features.waiting import Waiting, joined
from schemas.units import DAY_MS, NEVER_MS
from stream.chunk import IntArray
from stream.features.facts import FIRST_ENGAGEMENT, PROFILE, Envelopes, EventFacts, blank_facts

_NOTHING = blank_facts([], Envelopes(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.uint64)))


class Past:
    """Takes events in, gives days out. An event belongs to the day on which it was there, not to that of its time.

    Args:
        folder: for what does not fit into memory; the caller removes it.
        memory_bytes: of events that wait.

    Attributes:
        events: of customers, that have been added.
        guests: events of nobody.
        first_ms, last_ms: between when all these were, ms since 1970.
        clock_ms: how far the clock goes where that is beyond the last event, as of `Reading`.
    """

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self.events = self.guests = 0
        self.first_ms, self.last_ms, self.clock_ms = NEVER_MS, 0, 0
        self._waiting = Waiting(folder, memory_bytes)
        self._names = Names()
        self._come_day = np.zeros(0, np.int64)

    def add(self, batch: Batch) -> None:
        """Take in the next events of a log."""
        self._names = batch.customers
        for times_ms in (batch.facts.time_ms, batch.guests_ms):
            self.first_ms = min(self.first_ms, int(times_ms.min(initial=NEVER_MS)))
            self.last_ms = max(self.last_ms, int(times_ms.max(initial=0)))
        self.events += len(batch.facts)
        self.guests += len(batch.guests_ms)
        day = batch.came_ms // DAY_MS
        new = np.full(len(batch.customers) - len(self._come_day), NEVER_MS)
        self._come_day = np.concatenate([self._come_day, new])
        np.minimum.at(self._come_day, batch.facts.row, day)
        self._waiting.add(batch.facts, day)

    @property
    def customers(self) -> list[str]:
        """The ids of all who have an event, by the day on which they came, and of one day in alphabetical order."""
        return self._names.listed(self._come())

    def _come(self) -> IntArray:
        """The places of the same among the names."""
        come = np.flatnonzero(self._come_day < NEVER_MS)
        ids, day = self._names.listed(come), self._come_day[come].tolist()
        return come[sorted(range(len(come)), key=lambda at: (day[at], ids[at]))]

    def days(self) -> Iterator[tuple[int, EventFacts]]:
        """Each moment of the clock, and the events of customers since the moment before, in the order of a worker.

        The last moment has whatever is left. Rows are places among `customers`.
        """
        place, come = np.zeros(len(self._come_day), np.intp), self._come()
        place[come] = np.arange(len(come))
        times_ms = self._moments()
        begin_day = times_ms[0] // DAY_MS
        yield times_ms[0], _NOTHING
        for day, time_ms in enumerate(times_ms[1:-1], begin_day):
            yield time_ms, _in_turn(self._waiting.of(day), place)
        left = [day for day in self._waiting.turns if day >= begin_day + len(times_ms) - 2]
        yield times_ms[-1], _in_turn((part for day in left for part in self._waiting.of(day)), place)

    def _moments(self) -> list[int]:
        """Those of `offline.days`; a clock that goes on to a midnight ends with it, and all that comes is before it."""
        begin_ms = min(self.first_ms, int(self._come_day.min(initial=NEVER_MS // DAY_MS)) * DAY_MS)
        found = moments(begin_ms, max(self.last_ms, self.clock_ms))
        return found[:-1] if self.clock_ms > self.last_ms and self.clock_ms % DAY_MS == 0 else found


def _in_turn(parts: Iterable[EventFacts], place: IntArray) -> EventFacts:
    """Events topic by topic, with the places of their customers."""
    facts = joined([_NOTHING, *parts])
    topic = np.where(facts.kind == PROFILE, 2, facts.kind >= FIRST_ENGAGEMENT)
    return replace(facts, row=place[facts.row]).take(np.argsort(topic, kind="stable"))


def past_of(
    batches: Iterable[Batch],
    reading: Reading,
    folder: Path,
    memory_bytes: int,
    told: Callable[[int], None] | None = None,
) -> Past:
    """The past of a history that is being read; `told` hears how many events have been."""
    past = Past(folder, memory_bytes)
    for batch in batches:
        past.add(batch)
        if told:
            told(past.events)
    past.clock_ms = reading.clock_ms
    return past
