"""Open accumulators: what has happened since each snapshot, until its outcome is known.

An accumulator counts events with event time in (t, t + horizon]. It closes at t + horizon + grace of stream time; what
comes later changes nothing (`stream.outcomes.lateness` counts it).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.features.facts import EventFacts
from stream.outcomes.declaration import GRACE_MS, OUTCOMES

ACCUMULATOR = np.dtype([("day", "<i4"), ("outcome", "u1"), ("hits", "<u4")])
"""As stored: the snapshot's day since 1970, the outcome's place in `OUTCOMES`, and how many events have counted."""

OPEN = np.dtype([("row", "<i8"), *((name, ACCUMULATOR[name]) for name in ACCUMULATOR.names or ())])
"""An accumulator in memory, with the row of its customer."""

_HORIZON_MS = np.array([outcome.horizon_days * DAY_MS for outcome in OUTCOMES])
_EVENT_KIND = np.array([outcome.event_kind for outcome in OUTCOMES])
_OPEN_AT_MOST = np.array([outcome.open_at_most for outcome in OUTCOMES])
_NEVER = np.iinfo(np.int64).max

OpenArray = NDArray[np.void]
"""Shape (accumulators,), dtype `OPEN`."""


def unpack_open(packed: Sequence[bytes | None]) -> OpenArray:
    """All accumulators of the customers whose stored values are given, in row order.

    >>> unpack_open([None, pack_open(unpack_open([bytes(9)]))[0]])["row"].tolist()
    [1]
    """
    counts = [len(blob or b"") // ACCUMULATOR.itemsize for blob in packed]
    stored = np.frombuffer(b"".join(blob for blob in packed if blob), ACCUMULATOR)
    accumulators = np.zeros(len(stored), OPEN)
    accumulators["row"] = np.repeat(np.arange(len(packed)), counts)
    for name in ACCUMULATOR.names or ():
        accumulators[name] = stored[name]
    return accumulators


def pack_open(accumulators: OpenArray) -> dict[int, bytes]:
    """Row -> the stored value of its customer, by (day, outcome). Customers with nothing open are absent."""
    ordered = in_order(accumulators)
    stored = np.zeros(len(ordered), ACCUMULATOR)
    for name in ACCUMULATOR.names or ():
        stored[name] = ordered[name]
    packed, size = stored.tobytes(), ACCUMULATOR.itemsize
    rows, starts = np.unique(ordered["row"], return_index=True)
    ends = [*starts.tolist(), len(ordered)][1:]
    return {
        row: packed[start * size : end * size]
        for row, start, end in zip(rows.tolist(), starts.tolist(), ends, strict=True)
    }


def in_order(accumulators: OpenArray) -> OpenArray:
    """Sorted by (row, day, outcome)."""
    return accumulators[np.lexsort((accumulators["outcome"], accumulators["day"], accumulators["row"]))]


def closes_ms(accumulators: OpenArray) -> NDArray[np.int64]:
    """Stream time at which each accumulator closes, in ms.

    >>> int(closes_ms(np.array([(0, 14_600, 1, 0)], OPEN))[0]) == OUTCOMES[1].closes_ms(14_600)
    True
    """
    closes: NDArray[np.int64] = _snapshot_ms(accumulators) + _HORIZON_MS[accumulators["outcome"]] + GRACE_MS
    return closes


def count_events(accumulators: OpenArray, facts: EventFacts) -> NDArray[np.bool_]:
    """Count the events of a round in the accumulators of their customers, in place.

    Args:
        accumulators: of all customers of the chunk.
        facts: sorted by row.

    Returns:
        Shape (accumulators,): which of them counted an event.
    """
    begin, end = (np.searchsorted(facts.row, accumulators["row"], side=side) for side in ("left", "right"))
    pair = np.repeat(np.arange(len(accumulators)), end - begin)
    event = np.arange(len(pair)) + np.repeat(end - np.cumsum(end - begin), end - begin)
    outcome, snapshot_ms, event_ms = (
        accumulators["outcome"][pair],
        _snapshot_ms(accumulators)[pair],
        facts.time_ms[event],
    )
    within = (event_ms > snapshot_ms) & (event_ms <= snapshot_ms + _HORIZON_MS[outcome])
    hits = np.bincount(pair[within & (facts.kind[event] == _EVENT_KIND[outcome])], minlength=len(accumulators))
    accumulators["hits"] += hits.astype(np.uint32)
    counted: NDArray[np.bool_] = hits > 0
    return counted


def open_snapshots(accumulators: OpenArray, rows: NDArray[np.intp], days: NDArray[np.int64]) -> OpenArray:
    """The accumulators that snapshots of `rows` on `days` open: one per outcome that may wait for another.

    Args:
        accumulators: what is open already.
        rows: shape (snapshots,), none twice.
        days: shape (snapshots,), days since 1970.

    >>> nothing_open, day = np.zeros(0, OPEN), np.array([14_600])
    >>> open_snapshots(nothing_open, np.array([7]), day)[["row", "outcome"]].tolist()
    [(7, 0), (7, 1)]
    >>> full = np.concatenate([open_snapshots(nothing_open, np.array([7]), day - days) for days in range(4)])
    >>> open_snapshots(full, np.array([7]), day + 1)[["row", "outcome"]].tolist()
    []
    """
    waiting = np.zeros(
        (len(OUTCOMES), int(max(accumulators["row"].max(initial=-1), rows.max(initial=-1))) + 1), np.intp
    )
    np.add.at(waiting, (accumulators["outcome"], accumulators["row"]), 1)
    outcome, snapshot = (waiting[:, rows] < _OPEN_AT_MOST[:, None]).nonzero()
    opened = np.zeros(len(outcome), OPEN)
    opened["row"], opened["day"], opened["outcome"] = rows[snapshot], days[snapshot], outcome
    return opened


def next_close_ms(accumulators: OpenArray, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """The earliest close of each given row, in ms; 0 where nothing is open."""
    earliest = np.full(int(max(accumulators["row"].max(initial=-1), rows.max(initial=-1))) + 1, _NEVER)
    np.minimum.at(earliest, accumulators["row"], closes_ms(accumulators))
    picked: NDArray[np.int64] = earliest[rows]
    return np.where(picked == _NEVER, 0, picked)


def _snapshot_ms(accumulators: OpenArray) -> NDArray[np.int64]:
    snapshot_ms: NDArray[np.int64] = accumulators["day"].astype(np.int64) * DAY_MS
    return snapshot_ms
