"""Which partition each of many customers lives on: `schemas.partition.partition_of`, compiled."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.columns.names import Names
from schemas.partition import MULTIPLIER, SEED
from stream.compiled import tight

_MULTIPLIER, _SEED = np.uint32(MULTIPLIER), np.uint32(SEED)


@dataclass
class Homes:
    """Partitions of customers, each computed once.

    Args:
        partitions: how many there are.

    >>> names = Names()
    >>> names.places_of(["17850", "visitor-7"]).tolist(), Homes(partitions=4).of(names).tolist()
    ([0, 1], [3, 2])
    """

    partitions: int
    _known: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def of(self, customers: Names) -> NDArray[np.int64]:
        """The partition of each; of the same customers every time, or of more of them."""
        data, starts, ends = customers.spans
        begin = len(self._known)
        hashes = np.empty(len(customers) - begin, np.uint32)
        if len(hashes):
            _murmur2(data, starts[begin:], ends[begin:], hashes)
            homes = (hashes & np.uint32(0x7FFFFFFF)).astype(np.int64) % self.partitions
            self._known = np.concatenate([self._known, homes])
        return self._known


def homes_of(keys: Sequence[str], partitions: int) -> NDArray[np.int64]:
    """The partition of each, of keys that are looked at once.

    >>> homes_of(["17850", "visitor-7", "17850"], partitions=4).tolist()
    [3, 2, 3]
    """
    names = Names()
    places = names.places_of(keys)
    return Homes(partitions).of(names)[places]


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
