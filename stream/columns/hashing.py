"""`stream.features.hashes.event_hash` of many ids at once.

BLAKE2b (RFC 7693) of at most 128 bytes is one block of sixteen words in twelve rounds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.compiled import tight

BYTES_MAX = 128
_WORDS, _ROUNDS = 16, 12

_INITIAL = tuple(np.array(
    [0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
     0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179], np.uint64
))  # fmt: skip
_PARAMETERS = np.uint64(0x01010000 ^ 8)  # no key, a digest of eight bytes
_LAST_BLOCK = np.uint64(0xFFFFFFFFFFFFFFFF)
_ORDER = np.array([
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
], np.uint64).ravel()  # fmt: skip
"""The word of the message that comes next, round after round; unsigned, since numba has to ask of a signed place."""


def hashes_of(data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hash of each span of bytes, none longer than `BYTES_MAX`.

    >>> from stream.features.hashes import event_hash
    >>> found = hashes_of(np.frombuffer(b"order-1", np.uint8), np.array([0]), np.array([7]))
    >>> int(found[0]) == event_hash("order-1")
    True
    """
    found = np.empty(len(starts), np.uint64)
    _hash(data, starts, ends, np.empty(_WORDS, np.uint64), found)
    return found


@tight
def _hash(data: Any, starts: Any, ends: Any, message: Any, found: Any) -> None:
    for place in range(len(starts)):
        start, end = starts[place], ends[place]
        message[:] = 0
        for at in range(end - start):  # the first byte of a word is in its lowest bits
            message[at >> 3] |= np.uint64(data[start + at]) << np.uint64((at & 7) << 3)
        found[place] = _first_word(message, np.uint64(end - start))


@tight
def _first_word(m: Any, length: Any) -> Any:
    """The first word of the digest of one block. `v`, `m` and their numbers are those of the RFC."""
    v0, v1, v2, v3, v4, v5, v6, v7 = _INITIAL
    v0 ^= _PARAMETERS
    v8, v9, v10, v11, v12, v13, v14, v15 = _INITIAL
    v12, v14 = v12 ^ length, v14 ^ _LAST_BLOCK
    for first in range(0, _ROUNDS * _WORDS, _WORDS):
        s = np.uint64(first)
        v0, v4, v8, v12 = _mix(v0, v4, v8, v12, _next(m, s, 0), _next(m, s, 1))
        v1, v5, v9, v13 = _mix(v1, v5, v9, v13, _next(m, s, 2), _next(m, s, 3))
        v2, v6, v10, v14 = _mix(v2, v6, v10, v14, _next(m, s, 4), _next(m, s, 5))
        v3, v7, v11, v15 = _mix(v3, v7, v11, v15, _next(m, s, 6), _next(m, s, 7))
        v0, v5, v10, v15 = _mix(v0, v5, v10, v15, _next(m, s, 8), _next(m, s, 9))
        v1, v6, v11, v12 = _mix(v1, v6, v11, v12, _next(m, s, 10), _next(m, s, 11))
        v2, v7, v8, v13 = _mix(v2, v7, v8, v13, _next(m, s, 12), _next(m, s, 13))
        v3, v4, v9, v14 = _mix(v3, v4, v9, v14, _next(m, s, 14), _next(m, s, 15))
    return _INITIAL[0] ^ _PARAMETERS ^ v0 ^ v8


@tight
def _next(m: Any, first: Any, place: int) -> Any:
    return m[_ORDER[first + np.uint64(place)]]


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
