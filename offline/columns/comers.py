"""Customers numbered in the order of their first events, among all whose ids were read."""

import numpy as np
from numpy.typing import NDArray

from offline.columns.names import Names
from offline.columns.reading import NOBODY

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
        new, first = np.unique(rows[self._place[rows] == NOBODY], return_index=True)
        new = new[np.argsort(first)]
        self._place[new] = np.arange(len(self._come), len(self._come) + len(new))
        self._come += new.tolist()
        return self._place[rows]

    def listed(self) -> list[str]:
        """The ids of all."""
        return self.names.listed(np.array(self._come, np.int64))
