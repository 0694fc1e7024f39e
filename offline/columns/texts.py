"""Texts that lie somewhere in the bytes of records: each distinct one once, and which of them each is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stream.compiled import tight

IntArray = NDArray[np.int64]


def distinct(data: NDArray[np.uint8], starts: IntArray, ends: IntArray) -> tuple[list[str], IntArray]:
    """The texts in the order in which they come first, and the place of each span's among them.

    >>> distinct(np.frombuffer(b"tea,cup,tea", np.uint8), np.array([0, 4, 8]), np.array([3, 7, 11]))
    (['tea', 'cup'], array([0, 1, 0]))
    """
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    letters = np.empty(int(offsets[-1]), np.uint8)
    _copy(data, starts, ends, letters)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(letters)]
    encoded = pa.Array.from_buffers(pa.large_string(), len(starts), buffers).dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


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
    starts, ends = spans[:, 0], spans[:, 1]
    texts, places = distinct(data, starts, ends)
    return np.array([codes.get(text or None, other) for text in texts], np.int64)[places]


@tight
def _copy(data: Any, starts: Any, ends: Any, letters: Any) -> None:
    past = 0
    for row in range(len(starts)):
        for at in range(starts[row], ends[row]):
            letters[past] = data[at]
            past += 1
