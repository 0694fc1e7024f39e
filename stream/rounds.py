"""The round loop: a chunk cut into steps that touch every customer at most once.

Customers do not influence each other, so the order that matters is each customer's own: its deadlines and its records,
one after another. A round takes the next item of every customer that has one; a round is as vectorised as a customer is
rare.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stream.chunk import IntArray, Records, RowArray, StreamTimes


@dataclass(frozen=True)
class Round:
    """One item per customer: rows whose deadline fires, and indices into the records that take effect."""

    due: RowArray
    records: RowArray


def rounds(records: Records, times: StreamTimes, customers: int, due_ms: Callable[[], IntArray]) -> Iterator[Round]:
    """Yield rounds until every record has taken effect and no deadline up to the chunk's end is left.

    Before a record, every deadline up to the record's stream time fires. `due_ms` is read anew for each round: it gives
    each row's deadline, 0 for none, after the rounds before.
    """
    rows = records.facts.row
    order = np.argsort(rows, kind="stable")
    cursor = np.searchsorted(rows[order], np.arange(customers))
    end = np.searchsorted(rows[order], np.arange(customers), side="right")
    time_ms = np.append(
        times.of_record[records.index[order]], times.end_ms
    )  # a queue at its end waits for the chunk's end
    while True:
        waiting = cursor < end
        until_ms = np.where(waiting, time_ms[cursor], times.end_ms)
        due = due_ms()
        fires = (due != 0) & (due <= until_ms)
        applies = waiting & ~fires
        if not (fires.any() or applies.any()):
            return
        yield Round(np.flatnonzero(fires), order[cursor[applies]])
        cursor[applies] += 1
