"""Events sorted into the intervals between instants, in bounded memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from offline.features.waiting import IntArray, Waiting
from stream.features.facts import EventFacts


class Intervals:
    """The events before the first instant, between each two, in the order they were added; later ones are passed over.

    Args:
        instants_ms: ascending; an event at an instant is after it, as at a midnight of a replay.
        folder: for what does not fit into memory; the caller removes it.
        memory_bytes: of events that wait.
    """

    def __init__(self, instants_ms: IntArray, folder: Path, memory_bytes: int) -> None:
        self._instants_ms, self._waiting = instants_ms, Waiting(folder, memory_bytes)

    def add(self, facts: EventFacts) -> None:
        """Add events that follow, for their customers, on those added before."""
        places = np.searchsorted(self._instants_ms, facts.time_ms, "right")
        wanted = np.flatnonzero(places < len(self._instants_ms))
        if len(wanted):
            self._waiting.add(facts if len(wanted) == len(facts) else facts.take(wanted), places[wanted])

    def until(self, interval: int) -> Iterator[EventFacts]:
        """The events of an interval, part after part."""
        return self._waiting.of(interval)
