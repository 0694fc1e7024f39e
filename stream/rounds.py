"""The round loop: a chunk cut into steps in which every customer is scored together with all others.

Customers do not influence each other, so the order that matters is each customer's own: its deadlines and its records,
one after another. A round takes of every customer that has something the next deadline, or records: those up to the
next one at which it is decided are a wave, and so are those up to the one after that. What records leave of a customer
does not depend on decisions, and few decisions change what the next one goes by; so several waves are folded, all their
decisions made at once, and kept up to the first that does (`stream.episodes`). The rest is taken again.
"""

from dataclasses import dataclass

import numpy as np

from stream.chunk import BoolArray, IntArray, Records, RowArray, Rules, StreamTimes
from stream.features.facts import PURCHASE
from stream.features.layout import StateArray
from stream.outcomes.declaration import GRACE_MS

DECISIONS_AHEAD = 64  # of one customer in a round; each keeps a copy of its state, some 560 bytes
NEVER = np.int64((1 << 44) - 1)  # a time in ms, year 2527, that fits below the row
_ROW_BITS_FROM = 44


@dataclass(frozen=True)
class Wave:
    """Records of some customers up to one decision each; or no records, and a decision that was put off.

    Attributes:
        rows: the customers, none twice.
        records: places among the chunk's records, customer by customer, each customer's in log order.
        lasts: which places of `records` hold their customers' last.
        decided: whether the customer is decided at its last record; else it was decided too lately.
        now_ms: when it is decided: stream time or the customer's last event, whichever is later.
        again_ms: from when on the customer might be decided.
        stream_ms: stream time at the last record, or the deadline of the decision that was put off.
        ends: the customer's place in the queue after them.
        had_put_off: whether a decision was waiting at the last record, having been put off, or is from it on.
        puts_off: whether these are decisions that were put off, and no records.
    """

    rows: RowArray
    records: RowArray
    lasts: RowArray
    decided: BoolArray
    now_ms: IntArray
    again_ms: IntArray
    stream_ms: IntArray
    ends: IntArray
    had_put_off: BoolArray
    puts_off: bool = False

    @property
    def lengths(self) -> IntArray:
        """How many records each customer has in it."""
        return np.zeros(len(self.rows), np.int64) if self.puts_off else np.diff(self.lasts, prepend=-1)


@dataclass(frozen=True)
class Round:
    """What happens to customers at once: rows whose deadline fires, and waves of records, each after the one before."""

    due: RowArray
    waves: list[Wave]


class Queues:
    """The records of each customer in log order: places `cursor[row]` to `end[row]` of arrays sorted by customer.

    Stream time and now never fall within a customer, so with the row in the high bits each is one sorted array, and
    "the first record of this customer at or after that time" is a binary search for all customers at once.
    """

    def __init__(self, records: Records, times: StreamTimes, states: StateArray, rules: Rules) -> None:
        facts, self._states, self._decide_every_ms = records.facts, states, rules.decide_every_ms
        self._order = np.argsort(facts.row, kind="stable")
        rows = facts.row[self._order]
        every_row = np.arange(len(states))
        self._cursor, self._end = np.searchsorted(rows, every_row), np.searchsorted(rows, every_row, side="right")
        time_ms, stream_ms = facts.time_ms[self._order], times.of_record[records.index[self._order]]
        self._stream_ms = np.append(stream_ms, times.end_ms)  # a queue at its end waits for the chunk's end
        high = rows.astype(np.int64) << _ROW_BITS_FROM
        seen_ms = np.maximum(time_ms, states["features"]["last_event_ms"][rows])
        self._by_stream, self._by_last_event = high | stream_ms, np.maximum.accumulate(high | seen_ms)
        self._by_now = np.maximum(self._by_stream, self._by_last_event)
        self._purchases = (facts.kind[self._order] == PURCHASE).nonzero()[0]
        self._late = (time_ms + GRACE_MS <= stream_ms).nonzero()[0]
        self._alone = np.zeros(len(states), np.bool_)  # customers that get one wave a round
        self._alone[rows[self._late]] = True

    def next_round(self) -> Round | None:
        """The next round; None when every record has been taken and no deadline up to the chunk's end is left.

        Before a record, every deadline up to the record's stream time fires. States are read anew each time: they say
        when each customer is due and when it may be decided again, after the rounds before.
        """
        waiting = self._cursor < self._end
        due_ms = np.ascontiguousarray(self._states["decision"]["due_ms"])
        fires = (due_ms != 0) & (due_ms <= np.where(waiting, self._stream_ms[self._cursor], self._stream_ms[-1]))
        rows = (waiting & ~fires).nonzero()[0]
        if not (len(rows) or fires.any()):
            return None
        return Round(fires.nonzero()[0], self._waves(rows, or_never(due_ms)[rows]))

    def advance(self, rows: RowArray, ends: IntArray) -> None:
        """The records of these customers up to their `ends` have taken effect."""
        self._cursor[rows] = ends

    def _waves(self, rows: RowArray, due_ms: IntArray) -> list[Wave]:
        """Waves as far as no deadline that is known comes between. One that a wave sets is for the caller to notice."""
        waves: list[Wave] = []
        decision, features = self._states.take(rows)["decision"], self._states["features"]
        again_ms = np.minimum(decision["last_decision_ms"] + self._decide_every_ms, NEVER)
        unsampled, begin = decision["snapshot_at_ms"] == 0, self._cursor[rows]
        stop = np.where(unsampled, _next(self._purchases, begin) + 1, NEVER)  # the first purchase begins sampling
        alone = self._alone[rows] | (unsampled & (features["last_purchase_ms"][rows] > 0))
        stop = np.where(alone, begin + 1, stop)
        waits = decision["decide_at_ms"] == again_ms
        other_ms = np.minimum(*(or_never(decision[name]) for name in ("snapshot_at_ms", "close_at_ms")))
        while len(rows) and len(waves) < DECISIONS_AHEAD:
            ends = np.minimum(self._run_ends(rows, begin, again_ms, due_ms), stop)
            waves.append(wave := self._wave(rows, begin, ends, again_ms, waits))
            follows_ms = self._next_stream_ms(rows, ends)
            put_off = ~wave.decided & (ends < stop) & (again_ms < due_ms) & (follows_ms >= again_ms)
            now_ms = wave.now_ms
            if put_off.any():
                waves.append(made_up := self._put_off(wave, put_off))
                due_ms, now_ms = np.where(put_off, other_ms, due_ms), now_ms.copy()
                now_ms[put_off] = made_up.now_ms
            more = (wave.decided | put_off) & (ends < stop) & (ends < self._end[rows])
            more &= follows_ms < due_ms
            rows, begin, due_ms, stop, other_ms = rows[more], ends[more], due_ms[more], stop[more], other_ms[more]
            again_ms = np.minimum(now_ms[more] + self._decide_every_ms, NEVER)
            waits = np.zeros(len(rows), np.bool_)
        return waves

    def _next_stream_ms(self, rows: RowArray, begin: RowArray) -> IntArray:
        """Stream time at the next record, at the chunk's end for those without one."""
        stream_ms: IntArray = self._stream_ms[np.where(begin < self._end[rows], begin, -1)]
        return stream_ms

    def _put_off(self, wave: Wave, which: BoolArray) -> Wave:
        """The decisions that a wave puts off, at their own time."""
        rows, ends, again_ms = wave.rows[which], wave.ends[which], wave.again_ms[which]
        now_ms = np.maximum(again_ms, self._by_last_event[ends - 1] & NEVER)
        nothing = np.zeros(0, np.intp)
        every = np.ones(len(rows), np.bool_)
        return Wave(rows, nothing, nothing, every, now_ms, again_ms, again_ms, ends, every, puts_off=True)

    def _run_ends(self, rows: RowArray, begin: RowArray, again_ms: IntArray, due_ms: IntArray) -> IntArray:
        """Where the records end that these rows may take at once.

        All but the last find the customer decided too lately to be decided again. A deadline that the first of them
        sets, to make up for it, comes before a later record. A record that begins or resumes the sampling of a
        customer, or that came too late for a label, is a last one, since both go by the state it finds.
        """
        high = rows.astype(np.int64) << _ROW_BITS_FROM
        end = np.maximum(np.searchsorted(self._by_now, high | again_ms), begin) + 1
        soonest_ms = np.minimum(due_ms, again_ms)
        end = np.minimum(end, np.maximum(np.searchsorted(self._by_stream, high | soonest_ms), begin + 1))
        if len(self._late):
            end = np.minimum(end, np.maximum(_next(self._late, begin), begin + 1))
        ends: IntArray = np.minimum(end, self._end[rows])
        return ends

    def _wave(self, rows: RowArray, begin: RowArray, ends: IntArray, again_ms: IntArray, waits: BoolArray) -> Wave:
        lengths = ends - begin
        lasts = np.cumsum(lengths) - 1
        places = np.arange(lengths.sum()) + np.repeat(ends - 1 - lasts, lengths)
        now_ms = self._by_now[ends - 1] & NEVER
        stream_ms = self._stream_ms[ends - 1]
        decided = now_ms >= again_ms
        put_off = waits | (lengths > 1) | ~decided
        return Wave(rows, self._order[places], lasts, decided, now_ms, again_ms, stream_ms, ends, put_off)


def _next(places: RowArray, begin: RowArray) -> IntArray:
    """The first of some ascending places at or after each beginning.

    >>> _next(np.array([2, 5]), np.array([0, 2, 3]))[:2].tolist()
    [2, 2]
    """
    return np.append(places, NEVER)[np.searchsorted(places, begin)]


def or_never(deadline_ms: IntArray) -> IntArray:
    """Deadlines of which none is 0: one that is not set is never.

    >>> or_never(np.array([0, 5]))[1]
    np.int64(5)
    """
    return np.where(deadline_ms == 0, NEVER, deadline_ms)
