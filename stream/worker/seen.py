"""Duplicates: a record is dropped if its event id is among the preceding records of its topic-partition."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.ports import SeenBlock

WINDOW_RECORDS = 1_048_576
BLOCK_RECORDS = 512  # smaller stored blocks are joined: a window is a few thousand values; 4 kB rewritten a chunk
INDEX_EVERY = 65_536  # recent records are looked up in a dict, older ones in a sorted array they are merged into

HashArray = NDArray[np.uint64]
Hashes = HashArray | Sequence[int]
LOOKS_AT_MOST = 32  # for single ids in a loaded window, .7 ms each; to number all of them takes 60
NO_ID = 0  # stands for a record without an id of its own in the window


class SeenWindow:
    """The hashes of the last `WINDOW_RECORDS` records of one topic-partition.

    >>> window = SeenWindow([])
    >>> window.duplicates([5, 7, 5])
    [False, False, True]
    >>> window.advance([5, 7, 5], window.block_of([5, 7, 5]))
    >>> window.duplicates([7])
    [True]
    """

    def __init__(self, blocks: Sequence[bytes], window: int = WINDOW_RECORDS) -> None:
        self._window = window
        self._block_sizes = [len(block) // 8 for block in blocks]
        self._last_block = np.frombuffer(blocks[-1], "<u8") if blocks else np.zeros(0, np.uint64)
        hashes: HashArray = np.frombuffer(b"".join(blocks), "<u8").astype(np.uint64)
        self._next = len(hashes)  # number of the next record
        self._sorted: HashArray = np.sort(hashes)
        self._unnumbered: HashArray | None = hashes
        self._looks_left = LOOKS_AT_MOST
        self._of_sorted: NDArray[np.intp] = np.zeros(0, np.intp)
        self._recent: dict[int, int] = {}
        self._pending: list[HashArray] = []

    def duplicates(self, hashes: Hashes) -> list[bool]:
        """For records to come, in order: is the id of each among the preceding records, or earlier in `hashes`?"""
        wanted = np.asarray(hashes, np.uint64)
        listed: list[int] = wanted.tolist()
        older = self._older_numbers(wanted)
        if len(set(listed)) == len(listed) and self._recent.keys().isdisjoint(listed) and (older < 0).all():
            return [False] * len(listed)
        return self._one_by_one(listed, older.tolist())

    def _one_by_one(self, hashes: list[int], older: list[int]) -> list[bool]:
        found, earlier = [], dict[int, int]()
        for number, (value, old) in enumerate(zip(hashes, older, strict=True), start=self._next):
            last = max(earlier.get(value, -1), self._recent.get(value, old))
            found.append(value != NO_ID and last >= max(0, number - self._window))
            earlier[value] = number
        return found

    def _older_numbers(self, hashes: HashArray) -> NDArray[np.intp]:
        """The number of the last of the older records with each hash, -1 for none and for records without an id."""
        numbers = np.full(len(hashes), -1)
        if len(self._sorted):
            at = np.searchsorted(self._sorted, hashes, side="right") - 1
            known = np.flatnonzero((at >= 0) & (self._sorted[at] == hashes) & (hashes != NO_ID))
            if len(known):
                numbers[known] = self._numbers_at(at[known])
        return numbers

    def _numbers_at(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """The numbers of sorted hashes. Of a loaded window a few are looked for: the first chunk after a start does not
        wait for all numbers because a producer has repeated an event.
        """
        if self._unnumbered is None or len(places) > self._looks_left:
            return self._numbers()[places]
        self._looks_left -= len(places)
        return np.array([(self._unnumbered == value).nonzero()[0][-1] for value in self._sorted[places]], np.intp)

    def _numbers(self) -> NDArray[np.intp]:
        """Of the sorted hashes. Of a window that was loaded they are made when they are first asked for.

        That takes 60 ms, and to sort the hashes alone 20: a start does not wait for it.
        """
        if self._unnumbered is not None:
            self._of_sorted, self._unnumbered = _in_order(self._unnumbered), None
        return self._of_sorted

    def block_of(self, hashes: Hashes) -> SeenBlock:
        """What to store for records that are about to be applied. Nothing changes until `advance`."""
        joined = np.asarray(hashes, np.uint64)
        replaces = bool(self._block_sizes) and len(self._last_block) + len(joined) <= BLOCK_RECORDS
        if replaces:
            joined = np.concatenate([self._last_block, joined])
        sizes = [*(self._block_sizes[:-1] if replaces else self._block_sizes), len(joined)]
        stored, drop = sum(sizes), 0
        while stored - sizes[drop] >= self._window:
            stored, drop = stored - sizes[drop], drop + 1
        return SeenBlock(joined.astype("<u8").tobytes(), replaces, drop)

    def advance(self, hashes: Hashes, block: SeenBlock) -> None:
        """The records are applied and `block` is stored."""
        applied = np.array(hashes, np.uint64)
        self._recent.update(zip(applied.tolist(), range(self._next, self._next + len(applied)), strict=True))
        self._pending.append(applied)
        self._next += len(applied)
        self._last_block = np.frombuffer(block.packed, "<u8")
        if block.replaces_last:
            self._block_sizes.pop()
        self._block_sizes.append(len(self._last_block))
        del self._block_sizes[: block.drop_first]
        if len(self._recent) >= INDEX_EVERY:
            self._merge_recent()

    def _merge_recent(self) -> None:
        """Move the recent records into the sorted array, and what has left the window out of it.

        Sorting a million hashes anew takes 90 ms, this 15.
        """
        recent = np.concatenate(self._pending)
        numbers = np.arange(self._next - len(recent), self._next)
        order = np.argsort(recent, kind="stable")
        older_numbers = self._numbers()
        kept = older_numbers >= self._next - self._window
        older = self._sorted[kept]
        places = np.searchsorted(older, recent[order], side="right") + np.arange(len(recent))
        is_older = np.ones(len(older) + len(recent), np.bool_)
        is_older[places] = False
        merged, merged_numbers = np.empty(len(is_older), np.uint64), np.empty(len(is_older), np.intp)
        merged[is_older], merged[places] = older, recent[order]
        merged_numbers[is_older], merged_numbers[places] = older_numbers[kept], numbers[order]
        self._sorted, self._of_sorted = merged, merged_numbers
        self._recent, self._pending = {}, []


def _in_order(hashes: HashArray) -> NDArray[np.intp]:
    """Their places sorted by hash, those of equal hashes by place: half the time of a stable sort, since few are equal.

    >>> _in_order(np.array([7, 5, 7, 5], np.uint64))
    array([1, 3, 0, 2])
    """
    order = np.argsort(hashes)
    in_order = hashes[order]
    equal = np.flatnonzero(in_order[1:] == in_order[:-1])
    if len(equal):
        places = np.union1d(equal, equal + 1)
        of_equal = order[places]
        order[places] = of_equal[np.lexsort((of_equal, in_order[places]))]
    return order
