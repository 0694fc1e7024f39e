"""Which customer-days become snapshots: a fixed 1 in 28 by a hash, so that no process has to agree with another."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.byte_rows import encoded
from stream.columns.hashing import hashes_of
from stream.compiled import compiled
from stream.features.hashes import event_hash
from stream.outcomes.declaration import SAMPLE_ONE_IN_DAYS

IntArray = NDArray[np.int64]
HashArray = NDArray[np.uint64]

MANY = 16  # fewer are quicker one by one
HASHES_KEPT = 100_000  # at most 30 MB of the longest ids; a hash costs 1 us, a known one 0.1

_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@lru_cache(maxsize=HASHES_KEPT)
def customer_hash(customer_id: str) -> int:
    """A fixed 64-bit number of a customer id, made as that of an event id.

    >>> customer_hash("17850") == customer_hash("17850")
    True
    """
    return event_hash(customer_id)


def customer_hashes(customer_ids: Sequence[str]) -> HashArray:
    """`customer_hash` of each id.

    >>> customer_hashes(["17850"] * 40).tolist() == [customer_hash("17850")] * 40
    True
    """
    if len(customer_ids) < MANY:
        return np.array([customer_hash(customer) for customer in customer_ids], np.uint64)
    return hashes_of(*encoded(customer_ids).spans)


def is_sampled(customers: HashArray, days: IntArray) -> NDArray[np.bool_]:
    """Whether each customer-day is a snapshot day.

    Args:
        customers: `customer_hash` of each; of one shape with `days`.
        days: days since 1970, UTC.

    >>> bool(is_sampled(np.full(280_000, 7, np.uint64), np.arange(280_000)).sum() in range(9_600, 10_400))
    True
    """
    sampled = np.empty(days.shape, np.bool_)
    _ask_each(sampled.ravel(), customers.ravel(), days.ravel())
    return sampled


@compiled
def _ask_each(sampled: Any, customers: Any, days: Any) -> None:
    for at in range(len(sampled)):
        sampled[at] = _is_sampled(customers[at], days[at])


@compiled
def _is_sampled(customer: Any, day: Any) -> Any:
    """SplitMix64 over hash and day: Steele et al., OOPSLA 2014."""
    mixed = customer + np.uint64(day) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MULTIPLIERS[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIERS[1]
    mixed ^= mixed >> np.uint64(31)
    return mixed % np.uint64(SAMPLE_ONE_IN_DAYS) == 0


def next_sample_ms(customers: HashArray, after_ms: IntArray) -> IntArray:
    """The first sampled 00:00 UTC strictly after `after_ms`, per customer, in ms.

    >>> int(next_sample_ms(np.array([7], np.uint64), np.array([0]))[0] % DAY_MS)
    0
    """
    days = after_ms // DAY_MS + 1
    _find_each(days, customers)
    return days * DAY_MS


@compiled
def _find_each(days: Any, customers: Any) -> None:
    """Move each day on to the first that is sampled, a month later on average."""
    for at in range(len(days)):
        while not _is_sampled(customers[at], days[at]):
            days[at] += 1
