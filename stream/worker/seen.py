"""Duplicates: a record is dropped if its event id is among the preceding records of its topic-partition."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.last_records import NO_ID, NOT_THERE, LastRecords
from stream.ports import SeenBlock

__all__ = ["BLOCK_RECORDS", "NO_ID", "WINDOW_RECORDS", "HashArray", "SeenWindow", "loaded_window"]

WINDOW_RECORDS = 1_048_576
BLOCKS_AT_ONCE = 64  # of a loaded window: memory touched for the first time takes longer than what is done in it
BLOCK_RECORDS = 512  # smaller stored blocks are joined: a window is a few thousand values; 4 kB rewritten a chunk

HashArray = NDArray[np.uint64]
Hashes = HashArray | Sequence[int]


class SeenWindow:
    """The hashes of the last `WINDOW_RECORDS` records of one topic-partition, `NO_ID` for one without an id of its own.

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
        self._stored = sum(self._block_sizes)  # a full window has thousands of blocks: too many to add up every chunk
        self._last_block = blocks[-1] if blocks else b""
        self._next = 0  # number of the next record
        self._last = LastRecords(self._stored)
        for first in range(0, len(blocks), BLOCKS_AT_ONCE):
            self._remember(np.frombuffer(b"".join(blocks[first : first + BLOCKS_AT_ONCE]), "<u8"))

    def duplicates(self, hashes: Hashes) -> list[bool]:
        """For records to come, in order: is the id of each among the preceding records, or earlier in `hashes`?"""
        wanted = np.asarray(hashes, np.uint64)
        older, listed = self._last.numbers_of(wanted), wanted.tolist()
        if len(set(listed)) < len(listed):
            return self._one_by_one(listed, older.tolist())
        if older.max(initial=NOT_THERE) < max(self._next - self._window, 0):
            return [False] * len(listed)
        first_in_window = np.maximum(np.arange(self._next, self._next + len(listed)) - self._window, 0)
        repeats: list[bool] = (older >= first_in_window).tolist()
        return repeats

    def _one_by_one(self, hashes: list[int], older: list[int]) -> list[bool]:
        found, earlier = [], dict[int, int]()
        for number, (value, old) in enumerate(zip(hashes, older, strict=True), start=self._next):
            last = earlier.get(value, old)
            found.append(value != NO_ID and last >= max(0, number - self._window))
            earlier[value] = number
        return found

    def block_of(self, hashes: Hashes) -> SeenBlock:
        """What to store for records that are about to be applied. Nothing changes until `advance`."""
        packed = np.asarray(hashes, "<u8").tobytes()
        replaces = bool(self._block_sizes) and self._block_sizes[-1] + len(hashes) <= BLOCK_RECORDS
        if replaces:
            packed = self._last_block + packed
        stored, drop = self._stored + len(hashes), 0
        whole = len(self._block_sizes) - replaces
        while drop < whole and stored - self._block_sizes[drop] >= self._window:
            stored, drop = stored - self._block_sizes[drop], drop + 1
        return SeenBlock(packed, replaces, drop)

    def advance(self, hashes: Hashes, block: SeenBlock) -> None:
        """The records are applied and `block` is stored."""
        self._remember(np.asarray(hashes, np.uint64))
        self._last_block = block.packed
        if block.replaces_last:
            self._block_sizes.pop()
        self._block_sizes.append(len(block.packed) // 8)
        self._stored += len(hashes)
        if block.drop_first:
            self._stored -= sum(self._block_sizes[: block.drop_first])
            del self._block_sizes[: block.drop_first]

    def _remember(self, hashes: HashArray) -> None:
        self._last.remember(hashes, self._next, self._next - self._window)
        self._next += len(hashes)


async def loaded_window(blocks: Sequence[bytes]) -> SeenWindow:
    """In a thread, since a full one takes 25 ms and more: other lanes go on in between."""
    return await asyncio.to_thread(SeenWindow, blocks) if blocks else SeenWindow(blocks)
