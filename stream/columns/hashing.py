"""`stream.features.hashes.event_hash` of many ids at once.

BLAKE2b (RFC 7693) of at most 128 bytes is one block of sixteen words in twelve rounds. What a round does is the same
for every id, and none hangs on another: so the processor hashes some of them by each instruction.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.columns.words_of_bytes import BYTES, word_at
from stream.compiled import compiled, many_at_once, tight

BYTES_MAX = 128
_WORDS = 16
_AT_ONCE = 64  # their words are 8 kB, which stay in the cache

_INITIAL = tuple(np.array(
    [0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
     0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179], np.uint64
))  # fmt: skip
_PARAMETERS = np.uint64(0x01010000 ^ 8)  # no key, a digest of eight bytes
_LAST_BLOCK = np.uint64(0xFFFFFFFFFFFFFFFF)


def hashes_of(data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hash of each span of bytes.

    Raises:
        ValueError: one is longer than `BYTES_MAX`.

    >>> from stream.features.hashes import event_hash
    >>> found = hashes_of(np.frombuffer(b"order-1", np.uint8), np.array([0]), np.array([7]))
    >>> int(found[0]) == event_hash("order-1")
    True
    """
    found = np.empty(len(starts), np.uint64)
    _hash(data, starts, ends, np.empty((_WORDS, _AT_ONCE), np.uint64), np.empty(_AT_ONCE, np.uint64), found)
    return found


@compiled
def _hash(data: Any, starts: Any, ends: Any, words: Any, lengths: Any, found: Any) -> None:
    """Fill `found`; `words`, shape (words, ids), and `lengths` are overwritten."""
    for first in range(0, len(starts), _AT_ONCE):
        count = min(_AT_ONCE, len(starts) - first)
        words[:, :count] = 0
        for i in range(count):
            start, end = starts[first + i], ends[first + i]
            if end - start > BYTES_MAX:
                raise ValueError("an id has more than 128 bytes")
            lengths[i] = end - start
            for at in range(start, end, BYTES):
                words[(at - start) // BYTES, i] = word_at(data, at, end)
        _first_words(words, lengths, found[first : first + count])


@many_at_once
def _first_words(words: Any, lengths: Any, found: Any) -> None:
    """The first word of the digest of each block. `v`, `m` and their numbers are those of the RFC."""
    for i in range(len(found)):
        m0, m1, m2, m3 = words[0, i], words[1, i], words[2, i], words[3, i]
        m4, m5, m6, m7 = words[4, i], words[5, i], words[6, i], words[7, i]
        m8, m9, m10, m11 = words[8, i], words[9, i], words[10, i], words[11, i]
        m12, m13, m14, m15 = words[12, i], words[13, i], words[14, i], words[15, i]
        v = _begun(lengths[i])
        v = _round(v, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)
        v = _round(v, m14, m10, m4, m8, m9, m15, m13, m6, m1, m12, m0, m2, m11, m7, m5, m3)
        v = _round(v, m11, m8, m12, m0, m5, m2, m15, m13, m10, m14, m3, m6, m7, m1, m9, m4)
        v = _round(v, m7, m9, m3, m1, m13, m12, m11, m14, m2, m6, m5, m10, m4, m0, m15, m8)
        v = _round(v, m9, m0, m5, m7, m2, m4, m10, m15, m14, m1, m11, m12, m6, m8, m3, m13)
        v = _round(v, m2, m12, m6, m10, m0, m11, m8, m3, m4, m13, m7, m5, m15, m14, m1, m9)
        v = _round(v, m12, m5, m1, m15, m14, m13, m4, m10, m0, m7, m6, m3, m9, m2, m8, m11)
        v = _round(v, m13, m11, m7, m14, m12, m1, m3, m9, m5, m0, m15, m4, m8, m6, m2, m10)
        v = _round(v, m6, m15, m14, m9, m11, m3, m0, m8, m12, m2, m13, m7, m1, m4, m10, m5)
        v = _round(v, m10, m2, m8, m4, m7, m6, m1, m5, m15, m11, m9, m14, m3, m12, m13, m0)
        v = _round(v, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)
        v = _round(v, m14, m10, m4, m8, m9, m15, m13, m6, m1, m12, m0, m2, m11, m7, m5, m3)
        found[i] = _INITIAL[0] ^ _PARAMETERS ^ v[0] ^ v[8]


@tight
def _begun(length: Any) -> Any:
    """What the rounds begin with, of a last block."""
    i0, i1, i2, i3, i4, i5, i6, i7 = _INITIAL
    return i0 ^ _PARAMETERS, i1, i2, i3, i4, i5, i6, i7, i0, i1, i2, i3, i4 ^ length, i5, i6 ^ _LAST_BLOCK, i7


@tight
def _round(
    v: Any, x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any,
    x11: Any, x12: Any, x13: Any, x14: Any, x15: Any,
) -> Any:  # fmt: skip
    """A round, of the words of a message in the order of this round."""
    v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15 = v
    v0, v4, v8, v12 = _mix(v0, v4, v8, v12, x0, x1)
    v1, v5, v9, v13 = _mix(v1, v5, v9, v13, x2, x3)
    v2, v6, v10, v14 = _mix(v2, v6, v10, v14, x4, x5)
    v3, v7, v11, v15 = _mix(v3, v7, v11, v15, x6, x7)
    v0, v5, v10, v15 = _mix(v0, v5, v10, v15, x8, x9)
    v1, v6, v11, v12 = _mix(v1, v6, v11, v12, x10, x11)
    v2, v7, v8, v13 = _mix(v2, v7, v8, v13, x12, x13)
    v3, v4, v9, v14 = _mix(v3, v4, v9, v14, x14, x15)
    return v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15


@tight
def _mix(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    a = a + b + x
    d = _turned(d ^ a, np.uint64(32))
    c = c + d
    b = _turned(b ^ c, np.uint64(24))
    a = a + b + y
    d = _turned(d ^ a, np.uint64(16))
    c = c + d
    return a, _turned(b ^ c, np.uint64(63)), c, d


@tight
def _turned(word: Any, right: Any) -> Any:
    return (word >> right) | (word << (np.uint64(64) - right))
