"""Texts that lie somewhere in the bytes of records: each distinct one once, and which of them each is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.columns.words_of_bytes import BYTES, is_same, word_at
from stream.compiled import compiled, tight

IntArray = NDArray[np.int64]
_LINE_END = 10
_GOLDEN, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)  # of 2**64, odd


def distinct(data: NDArray[np.uint8], starts: IntArray, ends: IntArray) -> tuple[list[str], IntArray]:
    """The texts in the order in which they come first, and the place of each span's among them.

    >>> distinct(np.frombuffer(b"tea,cup,tea", np.uint8), np.array([0, 4, 8]), np.array([3, 7, 11]))
    (['tea', 'cup'], array([0, 1, 0]))
    """
    first, place = first_of(data, starts, ends)
    return texts_of(data, starts[first], ends[first]), place


def texts_of(data: NDArray[np.uint8], starts: IntArray, ends: IntArray) -> list[str]:
    """The text of each span of UTF-8.

    >>> texts_of(np.frombuffer(b"tea,cup,tea", np.uint8), np.array([0, 4]), np.array([3, 7]))
    ['tea', 'cup']
    """
    lines = np.empty(int((ends - starts + 1).sum()), np.uint8)
    _write_lines(data, starts, ends, lines)
    texts = lines.tobytes().decode().split("\n")[:-1]  # a third of what it takes to cut them out one by one
    if len(texts) == len(starts):
        return texts
    spans = zip(starts.tolist(), ends.tolist(), strict=True)  # there are line ends in them
    return [data[start:end].tobytes().decode() for start, end in spans]


def first_of(data: NDArray[np.uint8], starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """Which spans have a text that none before them has, and the place of each span's text among those.

    >>> first_of(np.frombuffer(b"tea,cup,tea", np.uint8), np.array([0, 4, 8]), np.array([3, 7, 11]))
    (array([0, 1]), array([0, 1, 0]))
    """
    starts, ends = np.ascontiguousarray(starts), np.ascontiguousarray(ends)  # of strides nothing is compiled apart
    count = len(starts)
    table = np.full(1 << (2 * count).bit_length(), -1, np.int64)
    first, place = np.empty(count, np.int64), np.empty(count, np.int64)
    return first[: _number(data, starts, ends, table, first, place)], place


def codes_in(
    data: NDArray[np.uint8], spans: IntArray, codes: Mapping[str | None, int], other: int
) -> NDArray[np.int64]:
    """The code of each text; that of None for a span from 0 to 0, which is none.

    Args:
        data: the bytes.
        spans: shape (texts, 2), where each begins and ends.
        codes: of known texts, and of None.
        other: the code of all others.
    """
    texts, places = distinct(data, spans[:, 0], spans[:, 1])
    return np.array([codes.get(text or None, other) for text in texts], np.int64)[places]


@compiled
def _write_lines(data: Any, starts: Any, ends: Any, lines: Any) -> None:
    """One span after another, each with the end of a line."""
    past = 0
    for row in range(len(starts)):
        for at in range(starts[row], ends[row]):
            lines[past] = data[at]
            past += 1
        lines[past] = _LINE_END
        past += 1


@compiled
def _number(data: Any, starts: Any, ends: Any, table: Any, first: Any, place: Any) -> int:
    """Number the texts by a table of them, empty places of which are -1 and at least half; how many there are."""
    count, last = 0, len(table) - 1
    for row in range(len(starts)):
        at = mixed_of(data, starts[row], ends[row]) & last
        while table[at] >= 0 and not _same(data, starts, ends, first[table[at]], row):
            at = (at + 1) & last
        if table[at] < 0:
            table[at], first[count] = count, row
            count += 1
        place[row] = table[at]
    return count


@tight
def mixed_of(data: Any, start: int, end: int) -> Any:
    """A number of a span of bytes, for compiled code: of 64 bits that differ for most others (Fibonacci hashing)."""
    mixed = np.uint64(end - start)
    for at in range(start, end, BYTES):
        mixed = (mixed ^ word_at(data, at, end)) * _GOLDEN
        mixed ^= mixed >> _HALF
    return np.int64(mixed)


@tight
def _same(data: Any, starts: Any, ends: Any, one: int, other: int) -> Any:
    """Whether two spans have the same text."""
    return is_same(data, starts[one], ends[one], data, starts[other], ends[other])
