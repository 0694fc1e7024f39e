"""Which customer-days become snapshots: a fixed 1 in 28 by a hash, so that no process has to agree with another."""

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream.outcomes.declaration import DAY_MS, SAMPLE_ONE_IN_DAYS

IntArray = NDArray[np.int64]
HashArray = NDArray[np.uint64]

LOOK_AHEAD_DAYS = 64  # nine of ten next samples lie within; the rest take another look
HASHES_KEPT = 100_000  # at most 30 MB of the longest ids; a hash costs 1 us, a known one 0.1

_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@lru_cache(maxsize=HASHES_KEPT)
def customer_hash(customer_id: str) -> int:
    """A fixed 64-bit number of a customer id.

    >>> customer_hash("17850") == customer_hash("17850")
    True
    """
    return int.from_bytes(hashlib.blake2b(customer_id.encode(), digest_size=8).digest(), "little")


def is_sampled(customers: HashArray, days: IntArray) -> NDArray[np.bool_]:
    """Whether each customer-day is a snapshot day. SplitMix64 (Steele et al., OOPSLA 2014) over hash and day.

    Args:
        customers: `customer_hash` of each; of one shape with `days`.
        days: days since 1970, UTC.

    >>> bool(is_sampled(np.full(280_000, 7, np.uint64), np.arange(280_000)).sum() in range(9_600, 10_400))
    True
    """
    mixed = customers + days.astype(np.uint64) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MULTIPLIERS[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIERS[1]
    mixed ^= mixed >> np.uint64(31)
    sampled: NDArray[np.bool_] = mixed % np.uint64(SAMPLE_ONE_IN_DAYS) == 0
    return sampled


def next_sample_ms(customers: HashArray, after_ms: IntArray) -> IntArray:
    """The first sampled 00:00 UTC strictly after `after_ms`, per customer, in ms.

    >>> int(next_sample_ms(np.array([7], np.uint64), np.array([0]))[0] % DAY_MS)
    0
    """
    found = np.zeros(len(customers), np.int64)
    first_day = after_ms // DAY_MS + 1
    open_rows = np.arange(len(customers))
    while len(open_rows):
        days = first_day[open_rows, None] + np.arange(LOOK_AHEAD_DAYS)
        hits = is_sampled(np.broadcast_to(customers[open_rows, None], days.shape), days)
        any_hit = hits.any(axis=1)
        rows = open_rows[any_hit]
        found[rows] = days[any_hit, hits[any_hit].argmax(axis=1)] * DAY_MS
        open_rows = open_rows[~any_hit]
        first_day[open_rows] += LOOK_AHEAD_DAYS
    return found
