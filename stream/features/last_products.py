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
        time_ms: shape (purchases, k) or (purchases, 1), when its products were bought.
        products: shape (purchases, k), hashes, 0 for none.
    """
    times, hashes = _TIMES.flat(states), _HASHES.flat(states)
    of_times, of_hashes = _TIMES.of(rows), _HASHES.of(rows)
    bought = products.shape[1]
    hash_ = np.empty((len(rows), bought + PRODUCTS_KEPT), np.uint64)
    hash_[:, :bought], hash_[:, bought:] = products, hashes[of_hashes]
    time = np.empty(hash_.shape, np.int64)
    time[:, :bought], time[:, bought:] = time_ms, times[of_times]
    times[of_times] = 0
    hashes[of_hashes] = 0
    event, candidate = hash_.nonzero()
    hash_, time = hash_[event, candidate], time[event, candidate]
    at_time, at_hash = of_times[event, 0], of_hashes[event, 0]
    for _ in range(PRODUCTS_KEPT):
        np.maximum.at(times, at_time, time)
        latest = time == times[at_time]
        np.maximum.at(hashes, at_hash[latest], hash_[latest])
        left = hash_ != hashes[at_hash]
        hash_, time, at_time, at_hash = hash_[left], time[left], at_time[left] + 1, at_hash[left] + 1
