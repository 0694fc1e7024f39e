"""The last products a customer bought: the top three distinct ones by (time, hash), whatever the order of events."""

import numpy as np
from numpy.typing import NDArray

from stream.features.facts import PRODUCTS_KEPT
from stream.features.fields import StateArray, cells

_TIMES = cells("features", "product_time_ms")
_HASHES = cells("features", "product_hash")


def fold_products(
    states: StateArray, rows: NDArray[np.intp], time_ms: NDArray[np.int64], products: NDArray[np.uint64]
) -> None:
    """Keep the last products among those kept and those bought.

    What is kept goes back among the candidates; each slot then takes the latest candidate, of equals the largest
    hash, and that product leaves the race. Three passes without sorting.

    Args:
        states: contiguous.
        rows: of the purchases; a row may come many times.
        time_ms: shape (purchases, 1) or (purchases, PRODUCTS_KEPT), when its products were bought, latest first.
        products: shape (purchases, PRODUCTS_KEPT), distinct hashes, 0 for none, which stands last.
    """
    times, hashes = _TIMES.flat(states), _HASHES.flat(states)
    of_times, of_hashes = _TIMES.of(rows), _HASHES.of(rows)
    hash_ = np.concatenate([products, hashes[of_hashes]], axis=1)
    time = np.empty(hash_.shape, np.int64)
    time[:, :PRODUCTS_KEPT], time[:, PRODUCTS_KEPT:] = time_ms, times[of_times]
    candidates = _candidates(times, of_times[:, -1], time, hash_).nonzero()[0]
    times[of_times] = 0
    hashes[of_hashes] = 0
    event = candidates // hash_.shape[1]
    hash_, time = hash_.ravel()[candidates], time.ravel()[candidates]
    at_time, at_hash = of_times[event, 0], of_hashes[event, 0]
    for _ in range(PRODUCTS_KEPT):
        np.maximum.at(times, at_time, time)
        latest = (time == times[at_time]).nonzero()[0]  # indices: choosing by a mask is three times as slow
        np.maximum.at(hashes, at_hash[latest], hash_[latest])
        left = (hash_ != hashes[at_hash]).nonzero()[0]
        hash_, time, at_time, at_hash = hash_[left], time[left], at_time[left] + 1, at_hash[left] + 1


def _candidates(
    times: NDArray[np.int64], last_slot: NDArray[np.intp], time: NDArray[np.int64], hash_: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Which entries can be among the last three; of three known products the earliest bounds all others.

    The bound is built in the last slot, whose time is in `time` already.
    """
    third = np.where(hash_[:, PRODUCTS_KEPT - 1] != 0, time[:, PRODUCTS_KEPT - 1], 0)
    np.maximum.at(times, last_slot, third)
    possible: NDArray[np.bool_] = (time >= times[last_slot][:, None]) & (hash_ != 0)
    return possible.ravel()
