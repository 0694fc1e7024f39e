"""The ids seen lately, to drop what the log repeats."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

RECENT_IDS = 65_536
"""Repeats come from an outbox that published again after a crash: at most one backlog apart, so thousands."""


class RecentIds:
    """The last `limit` distinct ids, as 8-byte hashes: half a megabyte when full.

    Two different ids share a hash with a chance of 2e-10 while the window is full.
    """

    def __init__(self, limit: int = RECENT_IDS, hashes: Iterable[int] = ()) -> None:
        self._limit = limit
        self._hashes = dict.fromkeys(hashes)

    def add(self, message_id: str) -> bool:
        """Remember an id. False if it is among the last `limit`.

        >>> recent = RecentIds(limit=2)
        >>> [recent.add(message_id) for message_id in ("a", "b", "a", "c", "a")]
        [True, True, False, True, True]
        """
        hashed = int.from_bytes(blake2b(message_id.encode(), digest_size=8).digest(), "little")
        if hashed in self._hashes:
            return False
        self._hashes[hashed] = None
        if len(self._hashes) > self._limit:
            del self._hashes[next(iter(self._hashes))]
        return True

    def to_bytes(self) -> bytes:
        """The hashes, oldest first, as little-endian u8."""
        return np.fromiter(self._hashes, "<u8", len(self._hashes)).tobytes()

    @classmethod
    def from_bytes(cls, packed: bytes, limit: int = RECENT_IDS) -> "RecentIds":
        """What `to_bytes` packed."""
        return cls(limit, np.frombuffer(packed, "<u8").tolist())
