"""Events that wait for their turn, in bounded memory: what is too much waits in files."""

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
class Waiting:
    """Events by the number of their turn, those of one turn in the order they were added.

    Args:
        folder: for what does not fit into memory; the caller removes it.
        memory_bytes: of events that wait.
    """

    folder: Path
    memory_bytes: int
    _parts: dict[int, list[EventFacts]] = field(default_factory=dict)
    _files: dict[int, list[Path]] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, facts: EventFacts, turn: IntArray) -> None:
        """Add events that follow, for their customers, on those added before; `turn` is of each."""
        order = np.argsort(turn, kind="stable")
        firsts = np.flatnonzero(np.diff(turn[order], prepend=-1))
        for rows in np.split(order, firsts[1:]) if len(order) else ():
            part = facts if len(rows) == len(facts) else facts.take(rows)
            self._parts.setdefault(int(turn[rows[0]]), []).append(part)
            self._bytes += sum(column.nbytes for column in vars(part).values())
        if self._bytes > self.memory_bytes:
            self._write()

    def _write(self) -> None:
        for turn, parts in self._parts.items():
            paths = self._files.setdefault(turn, [])
            paths.append(self.folder / f"{turn}-{len(paths)}.npz")
            np.savez(paths[-1], **vars(joined(parts)))
        self._parts, self._bytes = {}, 0

    @property
    def turns(self) -> list[int]:
        """Those that have events, ascending."""
        return sorted({*self._files, *self._parts})

    def of(self, turn: int) -> Iterator[EventFacts]:
        """The events of a turn, part after part."""
        for path in self._files.get(turn, ()):
            with np.load(path) as stored:
                yield EventFacts(*(stored[name] for name in _COLUMNS))
        yield from self._parts.get(turn, ())


def joined(parts: Sequence[EventFacts]) -> EventFacts:
    """Events of several parts, of one at least, after one another."""
    columns: Iterator[tuple[NDArray[Any], ...]] = zip(*(vars(part).values() for part in parts), strict=True)
    return EventFacts(*map(np.concatenate, columns))
