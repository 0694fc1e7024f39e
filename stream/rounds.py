"""The round loop: a chunk cut into steps of at most one decision per customer.

Customers do not influence each other, so the order that matters is each customer's own: its deadlines and its records,
one after another. A round takes of every customer that has something the next deadline, or the records up to the next
one at which it is decided; a round is as vectorised as decisions of one customer are rare.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream.chunk import IntArray, Records, RowArray, Rules, StreamTimes
from stream.features.facts import PURCHASE
from stream.features.layout import StateArray
from stream.outcomes.declaration import GRACE_MS

_ROW_BITS_FROM = 44  # milliseconds since 1970 need 43 bits until 2248
_NEVER = np.int64((1 << _ROW_BITS_FROM) - 1)


@dataclass(frozen=True)
class Round:
    """What happens to customers at once: rows whose deadline fires, and records that take effect.

    Attributes:
        due: rows.
        records: places among the chunk's records, customer by customer, each customer's in log order.
        lasts: which places of `records` hold their customers' last; only at these may a customer be decided.
    """

    due: RowArray
    records: RowArray
    lasts: RowArray


def rounds(records: Records, times: StreamTimes, states: StateArray, rules: Rules) -> Iterator[Round]:
    """Yield rounds until every record has taken effect and no deadline up to the chunk's end is left.

    Before a record, every deadline up to the record's stream time fires. `states` are read anew for each round: they
    say when each customer is due and when it may be decided again, after the rounds before.
    """
    queues = _Queues(records, times, states)
    while True:
        waiting = queues.cursor < queues.end
        due_ms = np.ascontiguousarray(states["decision"]["due_ms"])
        fires = (due_ms != 0) & (due_ms <= np.where(waiting, queues.stream_ms[queues.cursor], times.end_ms))
        rows = (waiting & ~fires).nonzero()[0]
        if not (len(rows) or fires.any()):
            return
        begin, end = queues.cursor[rows], queues.run_ends(rows, due_ms[rows], rules.decide_every_ms)
        queues.cursor[rows] = end
        lengths = end - begin
        lasts = np.cumsum(lengths) - 1
        places = np.arange(lengths.sum()) + np.repeat(end - 1 - lasts, lengths)
        yield Round(fires.nonzero()[0], queues.order[places], lasts)


class _Queues:
    """The records of each customer in log order: places `cursor[row]` to `end[row]` of arrays sorted by customer.

    Stream time and now never fall within a customer, so with the row in the high bits each is one sorted array, and
    "the first record of this customer at or after that time" is a binary search for all customers at once.
    """

    def __init__(self, records: Records, times: StreamTimes, states: StateArray) -> None:
        facts, self._states = records.facts, states
        self.order = np.argsort(facts.row, kind="stable")
        rows = facts.row[self.order]
        every_row = np.arange(len(states))
        self.cursor, self.end = np.searchsorted(rows, every_row), np.searchsorted(rows, every_row, side="right")
        time_ms, stream_ms = facts.time_ms[self.order], times.of_record[records.index[self.order]]
        self.stream_ms = np.append(stream_ms, times.end_ms)  # a queue at its end waits for the chunk's end
        high = rows.astype(np.int64) << _ROW_BITS_FROM
        seen_ms = np.maximum(time_ms, states["features"]["last_event_ms"][rows])
        self._by_stream = high | stream_ms
        self._by_now = np.maximum(self._by_stream, np.maximum.accumulate(high | seen_ms))
        self._purchases = (facts.kind[self.order] == PURCHASE).nonzero()[0]
        self._late = (time_ms + GRACE_MS <= stream_ms).nonzero()[0]

    def run_ends(self, rows: RowArray, due_ms: IntArray, decide_every_ms: int) -> IntArray:
        """Where the records end that these rows may take at once.

        All but the last find the customer decided too lately to be decided again. A deadline that the first of them
        sets, to make up for it, comes before a later record. A record that begins or resumes the sampling of a
        customer, or that came too late for a label, is a last one, since both go by the state it finds.
        """
        begin, high = self.cursor[rows], rows.astype(np.int64) << _ROW_BITS_FROM
        decision, features = self._states["decision"][rows], self._states["features"]
        again_ms = np.minimum(decision["last_decision_ms"] + decide_every_ms, _NEVER)
        decided = np.searchsorted(self._by_now, high | again_ms)
        end = np.maximum(decided, begin) + 1
        due_ms = np.where(due_ms == 0, again_ms, np.minimum(due_ms, again_ms))
        end = np.minimum(end, np.maximum(np.searchsorted(self._by_stream, high | due_ms), begin + 1))
        unsampled = decision["snapshot_at_ms"] == 0
        end = np.where(unsampled, np.minimum(end, _next(self._purchases, begin) + 1), end)
        end = np.where(unsampled & (features["last_purchase_ms"][rows] > 0), begin + 1, end)
        end = np.minimum(end, np.maximum(_next(self._late, begin), begin + 1))
        ends: IntArray = np.minimum(end, self.end[rows])
        return ends


def _next(places: RowArray, begin: RowArray) -> IntArray:
    """The first of some ascending places at or after each beginning.

    >>> _next(np.array([2, 5]), np.array([0, 2, 3]))[:2].tolist()
    [2, 2]
    """
    return np.append(places, _NEVER)[np.searchsorted(places, begin)]
