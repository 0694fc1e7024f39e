"""The ids seen lately, to drop what the log repeats."""

from array import array
from collections.abc import Iterable
from functools import lru_cache
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
        self._order, self._dropped = array("Q", hashes), 0
        self._known = set(self._order)

    def add(self, message_id: str) -> bool:
        """Remember an id. False if it is among the last `limit`.

        >>> recent = RecentIds(limit=2)
        >>> [recent.add(message_id) for message_id in ("a", "b", "a", "c", "a")]
        [True, True, False, True, True]
        """
        hashed = _hashed(message_id)
        if hashed in self._known:
            return False
        self._known.add(hashed)
        self._order.append(hashed)
        if len(self._known) > self._limit:
            self._known.remove(self._order[self._dropped])
            self._dropped += 1
        if self._dropped > self._limit:
            del self._order[: self._dropped]
            self._dropped = 0
        return True

    def to_bytes(self) -> bytes:
        """The hashes, oldest first, as little-endian u8."""
        return np.array(self._order[self._dropped :], "<u8").tobytes()

    @classmethod
    def from_bytes(cls, packed: bytes, limit: int = RECENT_IDS) -> "RecentIds":
        """What `to_bytes` packed."""
        return cls(limit, np.frombuffer(packed, "<u8").tolist())


@lru_cache(maxsize=1 << 14)  # several learners are shown the same labels, those of a day one after another
def _hashed(message_id: str) -> int:
    return int.from_bytes(blake2b(message_id.encode(), digest_size=8).digest(), "little")
