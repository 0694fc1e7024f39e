"""Which partition each of many customers lives on: `schemas.partition.partition_of` of them all."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offline.columns.names import Names
from stream.columns.murmur2 import homes_by, murmur2_of


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
        if begin < len(customers):
            hashes = murmur2_of(data, starts[begin:], ends[begin:])
            self._known = np.concatenate([self._known, homes_by(hashes, self.partitions)])
        return self._known


def homes_of(keys: Sequence[str], partitions: int) -> NDArray[np.int64]:
    """The partition of each, of keys that are looked at once.

    >>> homes_of(["17850", "visitor-7", "17850"], partitions=4).tolist()
    [3, 2, 3]
    """
    names = Names()
    places = names.places_of(keys)
    return Homes(partitions).of(names)[places]
