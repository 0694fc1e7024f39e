"""Ids numbered in the order in which they come, each kept once: a customer has a place, without an object an event."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from stream.byte_rows import encoded
from stream.columns.texts import mixed_of, texts_of
from stream.columns.words_of_bytes import is_same
from stream.compiled import compiled, tight
from stream.instructions import prefetch

ByteArray = NDArray[np.uint8]
IntArray = NDArray[np.int64]

_LEAST_ROOM = 1 << 12
_NOBODY = np.int64(-1)
_AHEAD = 8  # rows
_PLACE, _TELLING = np.int64((1 << 32) - 1), np.int64(((1 << 31) - 1) << 32)
"""An entry of the table has a place in its lower bits, and above it bits of the text that tell most others apart."""


class Names(Sequence[str]):
    """Ids, and the place of each.

    >>> names = Names()
    >>> names.places_of(["ada", "bo", "ada"]).tolist(), names.places_of(["zoë", "bo"]).tolist()
    ([0, 1, 0], [2, 1])
    >>> names[2], len(names), list(names)
    ('zoë', 3, ['ada', 'bo', 'zoë'])
    """

    def __init__(self) -> None:
        self._count = 0
        self._data, self._ends = np.empty(_LEAST_ROOM, np.uint8), np.zeros(_LEAST_ROOM, np.int64)
        self._table = np.full(_LEAST_ROOM, _NOBODY)

    def __len__(self) -> int:
        """How many."""
        return self._count

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """The id at a place, or those at some."""
        if isinstance(place, slice):
            return self.listed(np.arange(*place.indices(self._count)))
        if not 0 <= place < self._count:
            raise IndexError(place)
        return self.listed(np.array([place]))[0]

    def listed(self, places: IntArray) -> list[str]:
        """The ids at these places."""
        data, starts, ends = self.spans
        return texts_of(data, starts[places], ends[places])

    @property
    def spans(self) -> tuple[ByteArray, IntArray, IntArray]:
        """The bytes of all in UTF-8, and where each begins and ends."""
        ends = self._ends[1 : self._count + 1]
        return self._data, self._ends[: self._count], ends

    def places_of(self, texts: Sequence[str]) -> IntArray:
        """The place of each; who is new gets the next one."""
        rows = encoded(texts)
        return self.places_in(np.frombuffer(rows.data, np.uint8), np.append(0, rows.ends)[:-1], rows.ends)

    def places_in(self, data: ByteArray, starts: IntArray, ends: IntArray) -> IntArray:
        """The same of spans of bytes in UTF-8."""
        starts, ends = np.ascontiguousarray(starts), np.ascontiguousarray(ends)
        self._make_room(len(starts), int((ends - starts).sum()))
        places = np.empty(len(starts), np.int64)
        self._count = _number(data, starts, ends, self._table, self._data, self._ends, self._count, places)
        return places

    def _make_room(self, texts: int, length: int) -> None:
        """For so many more texts, of so many bytes together. At most half of the table is full."""
        used = int(self._ends[self._count])
        self._data = _at_least(self._data, used, used + length)
        self._ends = _at_least(self._ends, self._count + 1, self._count + 1 + texts)
        if 2 * (self._count + texts) > len(self._table):
            table = np.full(1 << (4 * (self._count + texts)).bit_length(), _NOBODY)
            _number_anew(*self.spans, table)
            self._table = table


def _at_least(array: NDArray[Any], used: int, size: int) -> NDArray[Any]:
    """The array, or a longer one that begins alike."""
    if size <= len(array):
        return array
    longer = np.zeros(1 << size.bit_length(), array.dtype)
    longer[:used] = array[:used]
    return longer


@compiled
def _number(data: Any, starts: Any, ends: Any, table: Any, known: Any, known_ends: Any, count: int, places: Any) -> int:
    """Fill `places`; how many there are then."""
    last = len(table) - 1
    for row in range(len(starts)):
        places[row] = mixed_of(data, starts[row], ends[row])
    for row in range(len(starts)):
        _fetch_ahead(places, row, table, known, known_ends)
        mixed, start, length = places[row], starts[row], ends[row] - starts[row]
        at, telling = mixed & last, mixed & _TELLING
        while table[at] >= 0:
            place = table[at] & _PLACE
            is_like = table[at] & _TELLING == telling
            if is_like and is_same(data, start, start + length, known, known_ends[place], known_ends[place + 1]):
                break
            at = (at + 1) & last
        if table[at] < 0:
            table[at] = telling + count
            begin = known_ends[count]
            for byte in range(length):
                known[begin + byte] = data[start + byte]
            count += 1
            known_ends[count] = begin + length
        places[row] = table[at] & _PLACE
    return count


@tight
def _fetch_ahead(mixed: Any, row: int, table: Any, known: Any, known_ends: Any) -> None:
    """What later rows will look at comes from memory meanwhile, first what says where the next lies."""
    last = len(table) - 1
    if row + 3 * _AHEAD < len(mixed):
        prefetch(table, mixed[row + 3 * _AHEAD] & last)
        entry = table[mixed[row + 2 * _AHEAD] & last]
        if entry >= 0:
            prefetch(known_ends, entry & _PLACE)
        entry = table[mixed[row + _AHEAD] & last]
        if entry >= 0:
            prefetch(known, known_ends[entry & _PLACE])


@compiled
def _number_anew(known: Any, starts: Any, ends: Any, table: Any) -> None:
    """Enter all texts, each another one, into an empty table."""
    last = len(table) - 1
    for place in range(len(starts)):
        mixed = mixed_of(known, starts[place], ends[place])
        at = mixed & last
        while table[at] >= 0:
            at = (at + 1) & last
        table[at] = (mixed & _TELLING) + place
