"""Customers numbered in the order of their first events, among all whose ids were read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.columns.names import Names
from offline.columns.reading import NOBODY
from stream.compiled import tight

IntArray = NDArray[np.int64]


class Comers:
    """Those of some names who have come, numbered in the order in which they did.

    >>> names = Names()
    >>> comers, _ = Comers(names), names.places_of(["ada", "bo", "zoe"])
    >>> comers.places_of(np.array([2, 0, 2])).tolist(), comers.listed()
    ([0, 1, 0], ['zoe', 'ada'])
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self._place = np.zeros(0, np.int64)
        self._come: list[int] = []

    def __len__(self) -> int:
        """How many have come."""
        return len(self._come)

    def places_of(self, rows: IntArray) -> IntArray:
        """The place of each who comes next, by its place among the names."""
        unknown = np.full(len(self.names) - len(self._place), NOBODY)
        self._place = np.concatenate([self._place, unknown]) if len(unknown) else self._place
        places = np.empty(len(rows), np.int64)
        come = np.empty(len(rows), np.int64)
        count = _number(rows, self._place, len(self._come), places, come)
        self._come += come[:count].tolist()
        return places

    def listed(self) -> list[str]:
        """The ids of all."""
        return self.names.listed(np.array(self._come, np.int64))


@tight
def _number(rows: Any, place: Any, next_place: int, places: Any, come: Any) -> int:
    """Fill `places`, `come` with those who are new, and `place` with theirs; how many they are."""
    count = 0
    for at in range(len(rows)):
        row = rows[at]
        if place[row] < 0:
            place[row] = next_place + count
            come[count] = row
            count += 1
        places[at] = place[row]
    return count
