"""Duplicates: a record is dropped if its event id is among the preceding records of its topic-partition."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.ports import SeenBlock

WINDOW_RECORDS = 1_048_576
BLOCK_RECORDS = 512  # smaller stored blocks are joined: a window is a few thousand values; 4 kB rewritten a chunk
INDEX_EVERY = 65_536  # recent records are looked up in a dict, older ones in a sorted array that is rebuilt this often

HashArray = NDArray[np.uint64]
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
        self._hashes: HashArray = np.frombuffer(b"".join(blocks), "<u8").astype(np.uint64)
        self._first = 0  # number of the record that `_hashes[0]` belongs to
        self._next = len(self._hashes)
        self._recent: dict[int, int] = {}
        self._pending: list[HashArray] = []
        self._index(self._hashes)

    def _index(self, hashes: HashArray) -> None:
        order = np.argsort(hashes, kind="stable")
        self._sorted, self._numbers = hashes[order], order + self._first
        self._recent, self._pending = {}, []

    def duplicates(self, hashes: Sequence[int]) -> list[bool]:
        """For records to come, in order: is the id of each among the preceding records, or earlier in `hashes`?"""
        found, earlier = [], dict[int, int]()
        for number, value in enumerate(hashes, start=self._next):
            last = max(earlier.get(value, -1), self._last_number(value))
            found.append(value != NO_ID and last >= max(0, number - self._window))
            earlier[value] = number
        return found

    def _last_number(self, value: int) -> int:
        recent = self._recent.get(value)
        if recent is not None:
            return recent
        at = int(np.searchsorted(self._sorted, np.uint64(value), side="right")) - 1
        return int(self._numbers[at]) if at >= 0 and self._sorted[at] == value else -1

    def block_of(self, hashes: Sequence[int]) -> SeenBlock:
        """What to store for records that are about to be applied. Nothing changes until `advance`."""
        joined = np.array(hashes, np.uint64)
        replaces = bool(self._block_sizes) and len(self._last_block) + len(joined) <= BLOCK_RECORDS
        if replaces:
            joined = np.concatenate([self._last_block, joined])
        sizes = [*(self._block_sizes[:-1] if replaces else self._block_sizes), len(joined)]
        stored, drop = sum(sizes), 0
        while stored - sizes[drop] >= self._window:
            stored, drop = stored - sizes[drop], drop + 1
        return SeenBlock(joined.astype("<u8").tobytes(), replaces, drop)

    def advance(self, hashes: Sequence[int], block: SeenBlock) -> None:
        """The records are applied and `block` is stored."""
        self._recent.update(zip(hashes, range(self._next, self._next + len(hashes)), strict=True))
        self._pending.append(np.array(hashes, np.uint64))
        self._next += len(hashes)
        self._last_block = np.frombuffer(block.packed, "<u8")
        if block.replaces_last:
            self._block_sizes.pop()
        self._block_sizes.append(len(self._last_block))
        del self._block_sizes[: block.drop_first]
        if len(self._recent) >= INDEX_EVERY:
            self._rebuild()

    def _rebuild(self) -> None:
        hashes = np.concatenate([self._hashes, *self._pending])[-self._window :]
        self._first, self._hashes = self._next - len(hashes), hashes
        self._index(hashes)
