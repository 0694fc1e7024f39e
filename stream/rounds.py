"""The round loop: a chunk cut into steps in which every customer is scored together with all others.

Customers do not influence each other, so the order that matters is each customer's own: its deadlines and its records,
one after another. A round takes of every customer that has something the next deadline, or records: those up to the
next one at which it is decided are a stretch, and so are those up to the one after that. What records leave of a
customer does not depend on decisions, and few decisions change what the next one goes by; so several stretches are
folded, all their decisions made at once, and kept up to the first that does (`stream.episodes`). The rest is taken
again.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np

from schemas.units import NEVER_MS
from stream.chunk import BoolArray, IntArray, Records, RowArray, Rules, StreamTimes
from stream.compiled import compiled, making_arrays
from stream.features.facts import PURCHASE
from stream.features.layout import StateArray
from stream.outcomes.declaration import GRACE_MS

DECISIONS_AHEAD = 64  # of one customer in a round; each keeps a copy of its state, some 560 bytes
NEVER = np.int64(NEVER_MS)


class Stretches(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Records of a customer up to one decision each; or no records, and a decision that was put off.

    Customer by customer, each customer's in order; shape (stretches,) each but for `records`.

    Attributes:
        records: places among the chunk's records, in the order in which they are folded.
        rows: the customers.
        ordinal: how many of the same customer come before.
        record_ends: how many of `records` belong to it and those before.
        ends: the customer's place in the queue after it.
        now_ms: when it is decided: stream time or the customer's last event, whichever is later.
        again_ms: from when on the customer might be decided.
        stream_ms: stream time at the last record, or the deadline of the decision that was put off.
        off_ms: when it is decided if it is decided too lately at its last record.
        decided: whether the customer is decided at its last record; else it was decided too lately.
        puts_off: whether it is a decision that was put off, and no records.
    """

    records: RowArray
    rows: RowArray
    ordinal: IntArray
    record_ends: IntArray
    ends: IntArray
    now_ms: IntArray
    again_ms: IntArray
    stream_ms: IntArray
    off_ms: IntArray
    decided: BoolArray
    puts_off: BoolArray

    def __len__(self) -> int:
        """How many."""
        return len(self.rows)


class Round(NamedTuple):
    """What happens to customers at once: rows whose deadline fires, and stretches of the others' records."""

    due: RowArray
    stretches: Stretches


class Queues:
    """The records of each customer in log order: places `cursor[row]` to `end[row]` of arrays sorted by customer."""

    def __init__(self, records: Records, times: StreamTimes, states: StateArray, rules: Rules) -> None:
        facts, self._states, self._decide_every_ms = records.facts, states, rules.decide_every_ms
        count = len(facts)
        self._order, self._last_event_ms, self._records = np.empty((3, count), np.intp)
        self._stream_ms = np.empty(count + 1, np.int64)
        self._stream_ms[-1] = times.end_ms  # a queue at its end waits for the chunk's end
        self._is_purchase, self._is_late = np.empty((2, count), np.bool_)
        most = 2 * count  # a record may end a stretch and be followed by one without any
        self._numbers, self._flags = np.empty((_NUMBERS, most), np.int64), np.empty((_FLAGS, most), np.bool_)
        self._due = np.empty(len(states), np.intp)
        self._cursor, self._end = np.zeros((2, len(states)), np.intp)
        self._is_alone = np.zeros(len(states), np.bool_)  # customers that get one stretch a round
        _line_up(
            facts.row, facts.kind, facts.time_ms, times.of_record[records.index], states, self._cursor, self._end,
            self._order, self._stream_ms, self._last_event_ms, self._is_purchase, self._is_late, self._is_alone,
        )  # fmt: skip

    def next_round(self) -> Round | None:
        """The next round; None when every record has been taken and no deadline up to the chunk's end is left.

        Before a record, every deadline up to the record's stream time fires. States are read anew each time: they say
        when each customer is due and when it may be decided again, after the rounds before. A round is good until the
        next, which is written over it.
        """
        due, records, numbers, flags = self._due, self._records, self._numbers, self._flags
        fired, stretches, taken = _next_round(
            self._states, self._cursor, self._end, self._order, self._stream_ms, self._last_event_ms,
            self._is_purchase, self._is_late, self._is_alone, self._decide_every_ms, due, records, numbers, flags,
        )  # fmt: skip
        if not (fired or stretches):
            return None
        return Round(due[:fired], Stretches(records[:taken], *numbers[:, :stretches], *flags[:, :stretches]))

    def advance(self, rows: RowArray, ends: IntArray) -> None:
        """The records of these customers up to their `ends` have taken effect."""
        self._cursor[rows] = ends


_ROW, _ORDINAL, _RECORD_END, _END, _NOW, _AGAIN, _STREAM, _OFF = range(8)
_DECIDED, _PUTS_OFF = range(2)
_NUMBERS, _FLAGS = _OFF + 1, _PUTS_OFF + 1
"""The fields of `Stretches` after `records`, in its order."""


@making_arrays
def _line_up(
    rows: Any, kinds: Any, time_ms: Any, stream_time_ms: Any, states: Any, cursor: Any, end: Any, order: Any,
    stream_ms: Any, last_event_ms: Any, is_purchase: Any, is_late: Any, is_alone: Any,
) -> None:  # fmt: skip
    """Fill the columns of `Queues`, of which `end` and `is_alone` hold zeros.

    `last_event_ms` is the last event of each record's customer, as it is after the record.
    """
    for row in rows:
        end[row] += 1
    lined_up = 0
    for row in range(len(end)):
        cursor[row] = lined_up
        lined_up += end[row]
        end[row] = lined_up
    places = cursor.copy()
    for record in range(len(rows)):
        row, place = rows[record], places[rows[record]]
        first, at_ms = place == cursor[row], time_ms[record]
        before_ms = states[row].features.last_event_ms if first else last_event_ms[place - 1]
        order[place], stream_ms[place], last_event_ms[place] = record, stream_time_ms[record], max(at_ms, before_ms)
        is_purchase[place] = kinds[record] == PURCHASE
        is_late[place] = at_ms + GRACE_MS <= stream_time_ms[record]
        is_alone[row] |= is_late[place]
        places[row] += 1


@compiled
def one_or_never(deadline_ms: Any) -> Any:
    """`or_never` of one deadline, for compiled code."""
    return NEVER if deadline_ms == 0 else deadline_ms


@compiled
def _next_round(
    states: Any, cursor: Any, end: Any, order: Any, stream_ms: Any, last_event_ms: Any, is_purchase: Any,
    is_late: Any, is_alone: Any, decide_every_ms: Any, due: Any, records: Any, numbers: Any, flags: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Fill `due`, `records` and the columns of stretches, and say how many there are of each."""
    fired, stretches, taken = 0, 0, 0
    for row in range(len(cursor)):
        decision, begin = states[row].decision, cursor[row]
        waits = begin < end[row]
        if decision.due_ms != 0 and decision.due_ms <= stream_ms[begin if waits else -1]:
            due[fired] = row
            fired += 1
        elif waits:
            unsampled = decision.snapshot_at_ms == 0
            alone = is_alone[row] or (unsampled and states[row].features.last_purchase_ms > 0)
            before = stretches
            stretches, ends = _look_ahead(
                row, begin, end[row], decision, alone, unsampled, stream_ms, last_event_ms, is_purchase, is_late,
                decide_every_ms, taken, numbers, flags, stretches,
            )  # fmt: skip
            for stretch in range(before, stretches):
                numbers[_ORDINAL, stretch] = stretch - before
            for place in range(begin, ends):
                records[taken] = order[place]
                taken += 1
    return fired, stretches, taken


@compiled
def _look_ahead(
    row: Any, begin: Any, end: Any, decision: Any, alone: Any, unsampled: Any, stream_ms: Any, last_event_ms: Any,
    is_purchase: Any, is_late: Any, decide_every_ms: Any, taken: Any, numbers: Any, flags: Any, stretch: Any,
) -> tuple[int, int]:  # fmt: skip
    """The stretches of one customer, as far as no deadline that is known comes between.

    A deadline that one of them sets is for the caller to notice. All records of a stretch but the last find the
    customer decided too lately to be decided again. A deadline that the first of them sets, to make up for it, comes
    before a later record. A record that begins or resumes the sampling of a customer, or that came too late for a
    label, is a last one, since both go by the state it finds.

    Returns:
        How many stretches there are then, and the customer's place in the queue after them.
    """
    due_ms = one_or_never(decision.due_ms)
    other_ms = min(one_or_never(decision.snapshot_at_ms), one_or_never(decision.close_at_ms))
    again_ms = min(decision.last_decision_ms + decide_every_ms, NEVER)
    first = begin
    for _ in range(DECISIONS_AHEAD):
        off_ms = min(again_ms, stream_ms[begin] + decide_every_ms)  # the last decision may lie hours ahead
        soonest_ms = min(due_ms, off_ms)
        at, ends_all = _stretch_end(
            begin, end, alone, unsampled, stream_ms, last_event_ms, is_purchase, is_late, again_ms, soonest_ms
        )
        now_ms = max(stream_ms[at - 1], last_event_ms[at - 1])
        decided = now_ms >= again_ms
        record_end = taken + at - first
        _write_numbers(numbers, stretch, row, record_end, at, now_ms, again_ms, stream_ms[at - 1], off_ms)
        _write_flags(flags, stretch, decided, False)
        stretch += 1
        follows_ms = stream_ms[at if at < end else -1]
        puts_off = not decided and not ends_all and off_ms < due_ms and follows_ms >= off_ms
        if puts_off:
            now_ms = max(off_ms, last_event_ms[at - 1])
            _write_numbers(numbers, stretch, row, record_end, at, now_ms, again_ms, off_ms, off_ms)
            _write_flags(flags, stretch, True, True)
            stretch += 1
            due_ms = other_ms
        begin = at
        if ends_all or at >= end or not (decided or puts_off) or follows_ms >= due_ms:
            break
        again_ms = min(now_ms + decide_every_ms, NEVER)
    return stretch, begin


@compiled
def _stretch_end(
    begin: Any, end: Any, alone: Any, unsampled: Any, stream_ms: Any, last_event_ms: Any, is_purchase: Any,
    is_late: Any, again_ms: Any, soonest_ms: Any,
) -> tuple[int, bool]:  # fmt: skip
    """The place after the last record of the stretch that begins here, and whether no other may follow it."""
    at, ends_all = begin + 1, alone or (unsampled and is_purchase[begin])
    while (
        at < end
        and not ends_all
        and max(stream_ms[at - 1], last_event_ms[at - 1]) < again_ms
        and stream_ms[at] < soonest_ms
        and not is_late[at]
    ):
        ends_all = unsampled and is_purchase[at]
        at += 1
    return at, ends_all


@compiled
def _write_numbers(
    numbers: Any, at: Any, row: Any, record_end: Any, end: Any, now_ms: Any, again_ms: Any, stream_ms: Any, off_ms: Any
) -> None:
    """Those of one stretch, but for its ordinal."""
    numbers[_ROW, at], numbers[_RECORD_END, at], numbers[_END, at] = row, record_end, end
    numbers[_NOW, at], numbers[_AGAIN, at] = now_ms, again_ms
    numbers[_STREAM, at], numbers[_OFF, at] = stream_ms, off_ms


@compiled
def _write_flags(flags: Any, at: Any, decided: Any, puts_off: Any) -> None:
    """Those of one stretch."""
    flags[_DECIDED, at], flags[_PUTS_OFF, at] = decided, puts_off


def or_never(deadline_ms: IntArray) -> IntArray:
    """Deadlines of which none is 0: one that is not set is never.

    >>> or_never(np.array([0, 5]))[1]
    np.int64(5)
    """
    return np.where(deadline_ms == 0, NEVER, deadline_ms)
