"""Open accumulators: what has happened since each snapshot, until its outcome is known.

An accumulator counts events with event time in (t, t + window]. It closes at t + window + grace of stream time; what
comes later changes nothing (`stream.outcomes.lateness` counts it). One of an outcome that is not declared any more
counts nothing and ends without a label.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.compiled import compiled
from stream.features.facts import EventFacts
from stream.outcomes.declaration import GRACE_MS
from stream.outcomes.declared import FORGOTTEN, DeclaredOutcomes
from stream.outcomes.matching import counts, declared_places, place_of

ACCUMULATOR = np.dtype(
    [("day", "<i4"), ("outcome", "<u4"), ("window_days", "<u2"), ("hits", "<u4"), ("amount_minor", "<i8")]
)
"""As stored: the snapshot's day since 1970, the outcome's code, for how long it is waited, how many events have counted
and what they came to."""

OPEN = np.dtype([("row", "<i8"), *((name, ACCUMULATOR[name]) for name in ACCUMULATOR.names or ())])
"""An accumulator in memory, with the row of its customer before what is stored."""

_NEVER = np.iinfo(np.int64).max

OpenArray = NDArray[np.void]
"""Shape (accumulators,), dtype `OPEN`."""


def snapshot_ms(day: Any) -> Any:
    """The midnight of a snapshot: only what comes later counts."""
    return day * np.int64(DAY_MS)


def last_ms(day: Any, window_days: Any) -> Any:
    """The last event time that counts."""
    return day * np.int64(DAY_MS) + window_days * np.int64(DAY_MS)


_snapshot_ms, _last_ms = compiled(snapshot_ms), compiled(last_ms)


def unpack_open(packed: Sequence[bytes | None]) -> OpenArray:
    """All accumulators of the customers whose stored values are given, in row order.

    >>> unpack_open([None, pack_open(unpack_open([bytes(ACCUMULATOR.itemsize)]))[0]])["row"].tolist()
    [1]
    """
    stored = b"".join([blob for blob in packed if blob])
    accumulators = np.empty(len(stored) // ACCUMULATOR.itemsize, OPEN)
    if stored:
        counts = [len(blob or b"") // ACCUMULATOR.itemsize for blob in packed]
        accumulators["row"] = np.repeat(np.arange(len(packed)), counts)
        _stored_bytes(accumulators)[:] = np.frombuffer(stored, np.uint8).reshape(-1, ACCUMULATOR.itemsize)
    return accumulators


def pack_open(accumulators: OpenArray) -> dict[int, bytes]:
    """Row -> the stored value of its customer, by (day, outcome). Customers with nothing open are absent."""
    ordered = in_order(accumulators)
    packed, size = _stored_bytes(ordered).tobytes(), ACCUMULATOR.itemsize
    rows = ordered["row"]
    ends = [*((rows[1:] != rows[:-1]).nonzero()[0] + 1).tolist(), len(ordered)] if len(ordered) else []
    return {
        row: packed[begin * size : end * size]
        for row, begin, end in zip(rows[np.array(ends, np.intp) - 1].tolist(), [0, *ends], ends, strict=False)
    }


def _stored_bytes(accumulators: OpenArray) -> NDArray[np.uint8]:
    """What is stored of each, in place: shape (accumulators, bytes)."""
    return accumulators.view(np.uint8).reshape(-1, OPEN.itemsize)[:, OPEN.itemsize - ACCUMULATOR.itemsize :]


def in_order(accumulators: OpenArray) -> OpenArray:
    """Sorted by (row, day, outcome)."""
    # `take` copies accumulators whole, indexing field by field
    return accumulators.take(np.lexsort((accumulators["outcome"], accumulators["day"], accumulators["row"])))


def closes_ms(accumulators: OpenArray) -> NDArray[np.int64]:
    """Stream time at which each accumulator closes, in ms.

    >>> int(closes_ms(np.array([(0, 14_600, 1, 30, 0, 0)], OPEN))[0]) // DAY_MS
    14631
    """
    closes: NDArray[np.int64] = last_ms(accumulators["day"], accumulators["window_days"]) + GRACE_MS
    return closes


def count_events(
    accumulators: OpenArray, facts: EventFacts, events: NDArray[np.intp], outcomes: DeclaredOutcomes
) -> NDArray[np.bool_]:
    """Count the events of a round in the accumulators of their customers, in place.

    Args:
        accumulators: of all customers of the chunk.
        facts: of the chunk.
        events: places among them, those of one customer after another's, in the order of rows.
        outcomes: those in force; nothing counts for others.

    Returns:
        Shape (accumulators,): which of them counted an event.
    """
    counted = np.zeros(len(accumulators), np.bool_)
    _count_each(
        accumulators, facts.row[events], facts.time_ms, facts.kind, facts.channel, facts.category_lines,
        facts.amount_minor, events, outcomes.conditions, counted,
    )  # fmt: skip
    return counted


@compiled
def _count_each(
    accumulators: Any, rows: Any, time_ms: Any, kinds: Any, channels: Any, category_lines: Any, amounts_minor: Any,
    events: Any, conditions: Any, counted: Any,
) -> None:  # fmt: skip
    """`rows` has shape (events,), the customer of each."""
    for at in range(len(accumulators)):
        opened = accumulators[at]
        row, begin_ms, end_ms = opened.row, _snapshot_ms(opened.day), _last_ms(opened.day, opened.window_days)
        for place in range(np.searchsorted(rows, row), len(rows)):
            event = events[place]
            if rows[place] != row:
                break
            if not begin_ms < time_ms[event] <= end_ms:
                continue
            outcome = place_of(conditions, opened.outcome)
            if counts(conditions, outcome, kinds[event], channels[event], category_lines[event]):
                accumulators[at].hits += np.uint32(1)
                accumulators[at].amount_minor += amounts_minor[event]
                counted[at] = True


def open_snapshots(
    accumulators: OpenArray,
    rows: NDArray[np.intp],
    days: NDArray[np.int64],
    windows_days: NDArray[np.int64],
    outcomes: DeclaredOutcomes,
) -> OpenArray:
    """The accumulators that snapshots of `rows` on `days` open: one per outcome that may wait for another.

    Args:
        accumulators: what is open already.
        rows: shape (snapshots,), none twice.
        days: shape (snapshots,), days since 1970.
        windows_days: shape (outcomes, snapshots), for how long each is waited for; 0 where it is not asked.
        outcomes: those in force.

    >>> from stream.outcomes.declaration import CHURN_30D, PURCHASE_7D
    >>> two = DeclaredOutcomes([CHURN_30D, PURCHASE_7D])
    >>> nothing_open, day, windows = np.zeros(0, OPEN), np.array([14_600]), np.array([[30], [7]])
    >>> open_snapshots(nothing_open, np.array([7]), day, windows, two)[["row", "window_days"]].tolist()
    [(7, 30), (7, 7)]
    >>> full = [open_snapshots(nothing_open, np.array([7]), day - days, windows, two) for days in range(4)]
    >>> open_snapshots(np.concatenate(full), np.array([7]), day + 1, windows, two)["window_days"].tolist()
    []
    """
    customers = int(max(accumulators["row"].max(initial=-1), rows.max(initial=-1))) + 1
    waiting = np.zeros((len(outcomes), customers), np.intp)
    places = declared_places(outcomes, accumulators["outcome"])
    known = places != FORGOTTEN
    np.add.at(waiting, (places[known], accumulators["row"][known]), 1)
    may_wait = (waiting[:, rows] < outcomes.open_at_most[:, None]) & (windows_days > 0)
    outcome, snapshot = may_wait.nonzero()
    opened = np.zeros(len(outcome), OPEN)
    opened["row"], opened["day"], opened["outcome"] = rows[snapshot], days[snapshot], outcomes.codes[outcome]
    opened["window_days"] = windows_days[outcome, snapshot]
    return opened


def next_close_ms(accumulators: OpenArray, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """The earliest close of each given row, in ms; 0 where nothing is open."""
    earliest = np.full(int(max(accumulators["row"].max(initial=-1), rows.max(initial=-1))) + 1, _NEVER)
    np.minimum.at(earliest, accumulators["row"], closes_ms(accumulators))
    picked: NDArray[np.int64] = earliest[rows]
    return np.where(picked == _NEVER, 0, picked)
