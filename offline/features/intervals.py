"""Events sorted into the intervals between instants, in bounded memory: what is too much waits in files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.features.facts import EventFacts

IntArray = NDArray[np.int64]
_COLUMNS = [column.name for column in fields(EventFacts)]


@dataclass
class Intervals:
    """The events before the first instant, between each two, in the order they were added; later ones are passed over.

    Args:
        instants_ms: ascending; an event at an instant is after it, as at a midnight of a replay.
        folder: for what does not fit into memory; the caller removes it.
        memory_bytes: of events that wait.
    """

    instants_ms: IntArray
    folder: Path
    memory_bytes: int
    _waiting: list[tuple[int, EventFacts]] = field(default_factory=list)
    _bytes: int = 0
    _files: dict[int, list[Path]] = field(default_factory=dict)

    def add(self, facts: EventFacts) -> None:
        """Add events that follow, for their customers, on those added before."""
        places = np.searchsorted(self.instants_ms, facts.time_ms, "right")
        counts = np.bincount(places)[: len(self.instants_ms)]
        for interval in np.flatnonzero(counts).tolist():
            part = facts if counts[interval] == len(facts) else facts.take(np.flatnonzero(places == interval))
            self._waiting.append((interval, part))
            self._bytes += sum(column.nbytes for column in vars(part).values())
        if self._bytes > self.memory_bytes:
            self._write()

    def _write(self) -> None:
        for interval in sorted({interval for interval, _ in self._waiting}):
            paths = self._files.setdefault(interval, [])
            paths.append(self.folder / f"{interval}-{len(paths)}.npz")
            np.savez(paths[-1], **vars(_joined([part for at, part in self._waiting if at == interval])))
        self._waiting, self._bytes = [], 0

    def until(self, interval: int) -> Iterator[EventFacts]:
        """The events of an interval, part after part."""
        for path in self._files.get(interval, ()):
            with np.load(path) as stored:
                yield EventFacts(*(stored[name] for name in _COLUMNS))
        for at, part in self._waiting:
            if at == interval:
                yield part


def _joined(parts: Sequence[EventFacts]) -> EventFacts:
    columns: Iterator[tuple[NDArray[Any], ...]] = zip(*(vars(part).values() for part in parts), strict=True)
    return EventFacts(*map(np.concatenate, columns))
