"""Which records repeat an earlier one of their log, as they are read: a table of hashes for each log."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.duplicates import WINDOW_RECORDS
from stream.compiled import tight
from stream.instructions import prefetch

_LEAST_PLACES = 1 << 12
_AHEAD = 8  # records: their places come from memory while those before are looked at


@dataclass
class Repeats:
    """Which events repeat one of the records before them, log after log, as a worker finds it.

    Args:
        window: how far back an id is remembered, in records of its log.

    >>> repeats = Repeats(window=2)
    >>> ids = np.frombuffer(b"abacca", np.uint8).astype(np.uint64)
    >>> repeats.among(ids, np.zeros(6, np.int64)).tolist()
    [False, False, True, False, True, False]
    """

    window: int = WINDOW_RECORDS
    _tables: dict[int, "_Table"] = field(default_factory=dict)

    def among(self, id_hash: NDArray[np.uint64], log: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these records are repeats. All are remembered.

        Args:
            id_hash: shape (records,), in the order of the logs; `NO_ID` for what is in the window and repeats nothing.
            log: a number for each record's log.
        """
        found = np.zeros(len(id_hash), np.bool_)
        for number in np.flatnonzero(np.bincount(log)).tolist():
            at = np.flatnonzero(log == number)
            found[at] = self._tables.setdefault(number, _Table(self.window)).among(id_hash[at])
        return found


class _Table:
    """The ids of one log, and the place of the last record with each; 0 is no id. At most half of it is full."""

    def __init__(self, window: int) -> None:
        self._window, self._read, self._used = window, 0, 0
        self._ids = np.zeros(_LEAST_PLACES, np.uint64)
        self._places = np.zeros(_LEAST_PLACES, np.int64)

    def among(self, id_hash: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of the log's next records are repeats."""
        if 2 * (self._used + len(id_hash)) > len(self._ids):
            self._make_room(len(id_hash))
        found = np.zeros(len(id_hash), np.bool_)
        self._used += _look_up(self._ids, self._places, id_hash, self._read, self._window, found)
        self._read += len(id_hash)
        return found

    def _make_room(self, records: int) -> None:
        """Forget what is before the window of the next record, and have room for so many."""
        kept = (self._ids != 0) & (self._places >= self._read - self._window)
        ids, places = self._ids[kept], self._places[kept]
        room = 1 << (4 * (len(ids) + records)).bit_length()
        self._ids, self._places, self._used = np.zeros(room, np.uint64), np.zeros(room, np.int64), len(ids)
        _put(self._ids, self._places, ids, places)


@tight
def _look_up(ids: Any, places: Any, id_hash: Any, read: int, window: int, found: Any) -> int:
    """How many ids are new to the table."""
    new, last = 0, np.uint64(len(ids) - 1)
    for row in range(len(id_hash)):
        if row + _AHEAD < len(id_hash):
            soon = np.int64(id_hash[row + _AHEAD] & last)
            prefetch(ids, soon)
            prefetch(places, soon)
        at = id_hash[row] & last
        while ids[at] != 0 and ids[at] != id_hash[row]:
            at = (at + np.uint64(1)) & last
        if ids[at] == 0:
            ids[at] = id_hash[row]
            new += 1
        else:
            found[row] = read + row - places[at] <= window
        places[at] = read + row
    return new


@tight
def _put(ids: Any, places: Any, kept: Any, kept_places: Any) -> None:
    last = np.uint64(len(ids) - 1)
    for row in range(len(kept)):
        at = kept[row] & last
        while ids[at] != 0:
            at = (at + np.uint64(1)) & last
        ids[at], places[at] = kept[row], kept_places[row]
