"""Which partition each of many customers lives on: `schemas.partition.partition_of`, compiled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from offline.columns.values import Values
from schemas.partition import MULTIPLIER, SEED
from stream.compiled import tight

_MULTIPLIER, _SEED = np.uint32(MULTIPLIER), np.uint32(SEED)


def homes_of(customers: Sequence[str], partitions: int) -> NDArray[np.int64]:
    """The partition of each.

    >>> homes_of(["17850", "visitor-7"], partitions=4).tolist()
    [3, 2]
    """
    names = Values(pa.array(customers, pa.string()))
    hashes = np.empty(len(customers), np.uint32)
    _murmur2(names.data, names.starts, names.ends, hashes)
    return (hashes & np.uint32(0x7FFFFFFF)).astype(np.int64) % partitions


@tight
def _murmur2(data: Any, starts: Any, ends: Any, hashes: Any) -> None:
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        mixed = _SEED ^ np.uint32(end - at)
        while end - at >= 4:
            word = np.uint32(0)
            for byte in range(4):
                word |= np.uint32(data[at + byte]) << np.uint32(8 * byte)
            word = np.uint32(word * _MULTIPLIER)
            word = np.uint32((word ^ (word >> np.uint32(24))) * _MULTIPLIER)
            mixed = np.uint32(np.uint32(mixed * _MULTIPLIER) ^ word)
            at += 4
        if at < end:
            for byte in range(end - at):
                mixed ^= np.uint32(data[at + byte]) << np.uint32(8 * byte)
            mixed = np.uint32(mixed * _MULTIPLIER)
        mixed = np.uint32((mixed ^ (mixed >> np.uint32(13))) * _MULTIPLIER)
        hashes[row] = mixed ^ (mixed >> np.uint32(15))
