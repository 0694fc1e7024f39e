"""Which records of a log repeat an earlier one, over a whole log at once (docs/architecture.md, "Duplicates")."""

import numpy as np
from numpy.typing import NDArray

WINDOW_RECORDS = 1_048_576  # the worker's window: a record is compared with so many before it
NO_ID = 0  # a record that could not be read is in the window, and repeats nothing


def repeated(id_hash: NDArray[np.uint64], lane: NDArray[np.int64], window: int = WINDOW_RECORDS) -> NDArray[np.bool_]:
    """Whether each record has the id of one of the `window` records before it in its topic-partition.

    Args:
        id_hash: shape (records,), in log order; `NO_ID` for records without an id.
        lane: shape (records,), a number for each record's topic-partition.
        window: how far back an id is remembered, in records; repeats count as records.

    >>> repeated(np.array([5, 7, 5, 5], np.uint64), np.array([0, 0, 0, 1])).tolist()
    [False, False, True, False]
    """
    found = np.zeros(len(id_hash), bool)
    for each in np.unique(lane):
        places = np.flatnonzero(lane == each)
        found[places] = _repeated_in_lane(id_hash[places], window)
    return found


def _repeated_in_lane(hashes: NDArray[np.uint64], window: int) -> NDArray[np.bool_]:
    found = np.zeros(len(hashes), bool)
    order = np.argsort(hashes, kind="stable")  # equal ids side by side, in log order
    same = hashes[order[1:]] == hashes[order[:-1]]
    found[order[1:]] = same & (np.diff(order) <= window) & (hashes[order[1:]] != NO_ID)
    return found
