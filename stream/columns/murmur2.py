"""`schemas.partition.murmur2` of many keys at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.partition import MULTIPLIER, SEED
from stream.columns.words_of_bytes import word_at
from stream.compiled import compiled, tight

_MULTIPLIER, _SEED = np.uint32(MULTIPLIER), np.uint32(SEED)
_POSITIVE = np.uint32(0x7FFFFFFF)
_WORD = 4  # bytes


def murmur2_of(data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The hash of each span of bytes.

    >>> from schemas.partition import murmur2
    >>> found = murmur2_of(np.frombuffer(b"17850", np.uint8), np.array([0]), np.array([5]))
    >>> int(found[0]) == murmur2(b"17850")
    True
    """
    found = np.empty(len(starts), np.uint32)
    _hash(data, starts, ends, found)
    return found


def homes_by(hashes: NDArray[np.uint32], partitions: int) -> NDArray[np.int64]:
    """The partition of each customer whose id has this hash, as `schemas.partition.partition_of` says.

    >>> homes_by(np.array([0x80000005, 6], np.uint32), partitions=4).tolist()
    [1, 2]
    """
    return (hashes & _POSITIVE).astype(np.int64) % partitions


@compiled
def _hash(data: Any, starts: Any, ends: Any, found: Any) -> None:
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        mixed = _SEED ^ np.uint32(end - at)
        while end - at >= _WORD:
            word = np.uint32(_word(data, at, at + _WORD) * _MULTIPLIER)
            word = np.uint32((word ^ (word >> np.uint32(24))) * _MULTIPLIER)
            mixed = np.uint32(np.uint32(mixed * _MULTIPLIER) ^ word)
            at += _WORD
        if at < end:
            mixed = np.uint32((mixed ^ _word(data, at, end)) * _MULTIPLIER)
        mixed = np.uint32((mixed ^ (mixed >> np.uint32(13))) * _MULTIPLIER)
        found[row] = mixed ^ (mixed >> np.uint32(15))


@tight
def _word(data: Any, at: int, end: int) -> Any:
    return np.uint32(word_at(data, at, end))
