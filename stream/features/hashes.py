"""What stands for ids in records of fixed size."""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def event_hashes(event_ids: Iterable[str]) -> NDArray[np.uint64]:
    """`event_hash` of each id.

    >>> event_hashes(["order-1"]).tolist() == [event_hash("order-1")]
    True
    """
    digests = b"".join([blake2b(event_id.encode(), digest_size=8).digest() for event_id in event_ids])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def event_hash(event_id: str) -> int:
    """Eight bytes of blake2b that stand for an event id; also what duplicates are known by.

    >>> event_hash("order-1") == event_hash("order-1") != event_hash("order-2")
    True
    """
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little")


@lru_cache(maxsize=65_536)  # products come again and again: 50 ns instead of 1 us; at most 15 MB of the longest ids
def product_hash(product_id: str) -> int:
    """Eight bytes of blake2b that stand for a product id, never 0."""
    return event_hash(product_id) or 1
