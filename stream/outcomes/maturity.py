"""Open accumulators: what has happened since each snapshot, until its outcome is known.

An accumulator counts events with event time in (t, t + horizon]. It closes at t + horizon + grace of stream time; what comes
later changes nothing and is counted as late.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream.features.facts import EventFacts
from stream.outcomes.declaration import DAY_MS, GRACE_MS, OUTCOMES

ACCUMULATOR = np.dtype([("day", "<i4"), ("outcome", "u1"), ("hits", "<u4")])
OPEN = np.dtype([("row", "<i8"), *((name, ACCUMULATOR[name]) for name in ACCUMULATOR.names or ())])
"""An accumulator in memory, with the row of its customer."""

_HORIZON_MS = np.array([outcome.horizon_days * DAY_MS for outcome in OUTCOMES])
_EVENT_KIND = np.array([outcome.event_kind for outcome in OUTCOMES])
_OPEN_AT_MOST = np.array([outcome.open_at_most for outcome in OUTCOMES])

OpenArray = NDArray[np.void]


def unpack_open(packed: Sequence[bytes | None]) -> OpenArray:
    """All accumulators of the customers whose stored values are given, in row order."""
    counts = [len(blob or b"") // ACCUMULATOR.itemsize for blob in packed]
    stored = np.frombuffer(b"".join(blob for blob in packed if blob), ACCUMULATOR)
    accumulators = np.zeros(len(stored), OPEN)
    accumulators["row"] = np.repeat(np.arange(len(packed)), counts)
    for name in ACCUMULATOR.names or ():
        accumulators[name] = stored[name]
    return accumulators


def pack_open(accumulators: OpenArray) -> dict[int, bytes]:
    """Row -> the stored value of its customer, by (day, outcome). Customers with nothing open are absent."""
    ordered = accumulators[np.lexsort((accumulators["outcome"], accumulators["day"], accumulators["row"]))]
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


def closes_ms(accumulators: OpenArray) -> NDArray[np.int64]:
    """Stream time at which each accumulator closes, in ms."""
    closes: NDArray[np.int64] = (
        accumulators["day"].astype(np.int64) * DAY_MS + _HORIZON_MS[accumulators["outcome"]] + GRACE_MS
    )
    return closes


def count_events(accumulators: OpenArray, facts: EventFacts, rows: int) -> None:
    """Count the events of a round, at most one per customer, in the accumulators of their customers, in place."""
    if not len(accumulators):
        return
    event_of_row = np.full(rows, -1)
    event_of_row[facts.row] = np.arange(len(facts.row))
    event = event_of_row[accumulators["row"]]
    outcome = accumulators["outcome"]
    snapshot_ms = accumulators["day"].astype(np.int64) * DAY_MS
    event_ms = facts.time_ms[event]
    counted = (
        (event >= 0)
        & (facts.kind[event] == _EVENT_KIND[outcome])
        & (event_ms > snapshot_ms)
        & (event_ms <= snapshot_ms + _HORIZON_MS[outcome])
    )
    accumulators["hits"] += counted


def open_snapshots(accumulators: OpenArray, rows: NDArray[np.intp], days: NDArray[np.int64]) -> OpenArray:
    """`accumulators` with those of new snapshots appended, save for outcomes that already wait for as many as they may."""
    new = []
    for code in range(len(OUTCOMES)):
        waiting = np.bincount(
            accumulators["row"][accumulators["outcome"] == code], minlength=int(rows.max(initial=-1)) + 1
        )
        room = waiting[rows] < _OPEN_AT_MOST[code]
        opened = np.zeros(int(room.sum()), OPEN)
        opened["row"], opened["day"], opened["outcome"] = rows[room], days[room], code
        new.append(opened)
    return np.concatenate([accumulators, *new])


def next_close_ms(accumulators: OpenArray, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """The earliest close of each given row, in ms; 0 where nothing is open."""
    never = np.iinfo(np.int64).max
    earliest = np.full(int(rows.max(initial=-1)) + 1, never)
    mine = accumulators[accumulators["row"] < len(earliest)]
    np.minimum.at(earliest, mine["row"], closes_ms(mine))
    picked: NDArray[np.int64] = earliest[rows]
    return np.where(picked == never, 0, picked)
