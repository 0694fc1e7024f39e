"""Records as bytes of which words of zeros take none: most customers have few kinds of events on few days.

A record of n words of 8 bytes is stored as one bit for each word, whether it is not all zero, in whole bytes, and then
the words that are not. So its length is 1 more than a multiple of 8 for 70 words, and never that of a record as it is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.byte_rows import ByteRows
from stream.compiled import compiled

_WORD = 8
ByteArray = NDArray[np.uint8]
IntArray = NDArray[np.int64]


def marks_of(width: int) -> int:
    """Bytes that say which of the words of a record of so many bytes are there.

    >>> marks_of(560)
    9
    """
    return (width // _WORD + 7) // 8


def squeezed(records: ByteArray) -> ByteRows:
    """Records without their words of zeros.

    Args:
        records: shape (records, width), contiguous; width a multiple of 8.

    >>> squeezed(np.array([[7] + [0] * 15], np.uint8))
    ByteRows(data=b'\\x01\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00', ends=array([9]))
    """
    count, width = records.shape
    out, ends = np.empty(count * (width + marks_of(width)), np.uint8), np.empty(count, np.int64)
    _squeeze(out, ends, records, records.view(np.uint64))
    return ByteRows(out[: ends[-1] if count else 0].tobytes(), ends)


def widened(stored: Sequence[bytes], width: int) -> ByteArray | None:
    """Records as they were before `squeezed`; a string without bytes is a record of zeros.

    Returns:
        Shape (records, width); None if one of the strings is no such record.

    >>> squeezed(widened([b"", b"\\x02" + b"12345678"], 16)).ends.tolist()
    [1, 10]
    >>> widened([b"\\x02" + b"1234"], 16), widened([b"\\x04" + b"12345678"], 16)
    (None, None)
    """
    records = np.zeros((len(stored), width), np.uint8)
    ends = np.cumsum(np.fromiter(map(len, stored), np.int64, len(stored)))
    return records if _widen(records, np.frombuffer(b"".join(stored), np.uint8), ends) else None


@compiled
def _squeeze(out: ByteArray, ends: IntArray, records: ByteArray, words: NDArray[np.uint64]) -> None:
    count, width = words.shape
    marks, at = (width + 7) // 8, 0
    for record in range(count):
        marked = at
        out[marked : marked + marks] = 0
        at += marks
        for word in range(width):
            if words[record, word] != 0:
                out[marked + word // 8] |= np.uint8(1 << word % 8)
                for byte in range(8):
                    out[at + byte] = records[record, word * 8 + byte]
                at += 8
        ends[record] = at


@compiled
def _widen(records: ByteArray, stored: ByteArray, ends: IntArray) -> bool:
    """Fill in the records; False if what is stored of one is shorter or longer than its marks say, or has others."""
    words, begin = records.shape[1] // 8, 0
    marks = (words + 7) // 8
    for record in range(len(records)):
        end = ends[record]
        at = begin + marks
        if begin < end < at:
            return False
        if at <= end:
            for word in range(marks * 8):
                if not (stored[begin + word // 8] >> (word % 8)) & 1:
                    continue
                if word >= words or at + 8 > end:
                    return False
                for byte in range(8):
                    records[record, word * 8 + byte] = stored[at + byte]
                at += 8
            if at != end:
                return False
        begin = end
    return True
