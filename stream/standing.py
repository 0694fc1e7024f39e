"""How far the decisions of a round stand: each customer's up to the first that changes what the next one goes by."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.units import DAY_MS
from stream.chunk import BoolArray, IntArray, RowArray
from stream.compiled import compiled, making_arrays
from stream.features.layout import StateArray
from stream.rounds import NEVER, Stretches, one_or_never

NONE = -1
_WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True)
class Standing:
    """What stands of a round.

    Attributes:
        held: shape (stretches,), whether its records and its decision take effect.
        rows: shape (customers,), those of whom records take effect; the others have these customers' shape.
        last: the last stretch that takes effect.
        last_with_records: the same of those that hold records.
        last_decided: the same of those that are decided, `NONE` where there is none.
    """

    held: BoolArray
    rows: RowArray
    last: RowArray
    last_with_records: RowArray
    last_decided: RowArray


def standing(
    states: StateArray, stretches: Stretches, decided: RowArray, decide_at_ms: IntArray, changing: BoolArray
) -> Standing:
    """Let stretches stand up to each customer's first decision that changes what the next one goes by.

    A stretch also falls if a deadline comes before its records: one that the decision before it set, or that of a
    decision which was put off.

    Args:
        states: of the chunk's customers, with their deadlines from before the round.
        stretches: of the round.
        decided: shape (decisions,), the stretches that end with one.
        decide_at_ms: shape (decisions,), the deadline that each sets.
        changing: shape (decisions,), which of them change what the next about the same customer goes by.
    """
    held = np.zeros(len(stretches), np.bool_)
    rows, last, last_with_records, last_decided = np.empty((4, len(stretches)), np.intp)
    count = _stand(
        states, stretches.rows, stretches.decided, stretches.puts_off, stretches.off_ms, stretches.stream_ms, decided,
        decide_at_ms, changing, held, rows, last, last_with_records, last_decided,
    )  # fmt: skip
    return Standing(held, rows[:count], last[:count], last_with_records[:count], last_decided[:count])


@making_arrays
def _stand(
    states: Any, rows: Any, decided: Any, puts_off: Any, off_ms: Any, stream_ms: Any, decisions: Any,
    decide_at_ms: Any, changing: Any, held: Any, standing_rows: Any, last: Any, last_with_records: Any,
    last_decided: Any,
) -> int:  # fmt: skip
    """Fill the columns of `Standing`, and say of how many customers records take effect."""
    decision_of = np.empty(len(rows), np.intp)
    for place in range(len(decisions)):
        decision_of[decisions[place]] = place
    goes_on, waits, count = False, False, 0
    earliest_ms, decide_ms, other_ms = NEVER, NEVER, NEVER
    for at in range(len(rows)):
        row = rows[at]
        if at == 0 or rows[at - 1] != row:
            goes_on, waits, block = True, False, states[row].decision
            earliest_ms, decide_ms = one_or_never(block.due_ms), one_or_never(block.decide_at_ms)
            other_ms = min(one_or_never(block.snapshot_at_ms), one_or_never(block.close_at_ms))
        holds = (waits and stream_ms[at] == earliest_ms) if puts_off[at] else (goes_on and stream_ms[at] < earliest_ms)
        if holds:
            if count == 0 or standing_rows[count - 1] != row:
                standing_rows[count], last_decided[count] = row, NONE
                count += 1
            held[at], last[count - 1] = True, at
            if not puts_off[at]:
                last_with_records[count - 1] = at
            if decided[at]:
                last_decided[count - 1] = at
                decide_ms = decide_at_ms[decision_of[at]]
            else:
                decide_ms = min(decide_ms, off_ms[at])
            earliest_ms = min(decide_ms, other_ms)
        waits = holds and not decided[at]
        goes_on = holds and decided[at] and not changing[decision_of[at]]
    return count


def decided_again_ms(stretches: Stretches) -> IntArray:
    """When the customer of each stretch is decided next in the round, shape (stretches,); never where it is not.

    That it is then holds also where the later stretch falls: until its records are applied it is taken again.
    """
    again_ms = np.empty(len(stretches), np.int64)
    _look_back(stretches.rows, stretches.decided, stretches.stream_ms, again_ms)
    return again_ms


@compiled
def _look_back(rows: Any, decided: Any, stream_ms: Any, again_ms: Any) -> None:
    for at in range(len(rows) - 1, -1, -1):
        follows = at + 1 < len(rows) and rows[at + 1] == rows[at]
        again_ms[at] = NEVER
        if follows:
            again_ms[at] = stream_ms[at + 1] if decided[at + 1] else again_ms[at + 1]


@compiled
def put_back(states: Any, kept: Any, rows: Any, last: Any) -> None:
    """Let features and engagement be as the last stretch that takes effect left them.

    Args:
        states: of the customers of the chunk; changed in place.
        kept: shape (stretches,), what each left.
        rows, last: of `Standing`.
    """
    features, engagement = states["features"], states["engagement"]
    for i in range(len(rows)):
        features[rows[i]] = kept["features"][last[i]]
        engagement[rows[i]] = kept["engagement"][last[i]]


@compiled
def take_over(states: Any, rows: Any, decided: Any) -> None:
    """Let decision blocks be as they were decided, but for deadlines that decisions do not set.

    Args:
        states: of the customers of the chunk; changed in place.
        rows, decided: shape (decisions,), about whom each is, and their states; of one customer's the last counts.
    """
    blocks, decided_blocks = states["decision"], decided["decision"]
    for i in range(len(rows)):
        block = blocks[rows[i]]
        due_ms, snapshot_at_ms, close_at_ms = block.due_ms, block.snapshot_at_ms, block.close_at_ms
        blocks[rows[i]] = decided_blocks[i]
        block.due_ms, block.snapshot_at_ms, block.close_at_ms = due_ms, snapshot_at_ms, close_at_ms


def reschedule(states: StateArray, fired: RowArray, stands: Standing, stretches: Stretches) -> None:
    """Give every customer of a round its next deadline, in place.

    Who was decided too lately at its last record is decided later.

    Args:
        states: of the customers of the chunk.
        fired: whose deadline fired.
        stands: of those whose records took effect.
        stretches: of the round.
    """
    _reschedule(
        states, fired, stands.rows, stands.last, stretches.decided, stretches.puts_off, stretches.off_ms,
        stretches.stream_ms,
    )  # fmt: skip


@compiled
def _reschedule(
    states: Any, fired: Any, rows: Any, last: Any, decided: Any, puts_off: Any, off_ms: Any, stream_ms: Any
) -> None:
    blocks = states["decision"]
    for row in fired:
        _set_due(blocks[row], blocks[row].decide_at_ms)
    for i in range(len(rows)):
        block, at = blocks[rows[i]], last[i]
        if not decided[at]:
            block.decide_at_ms = min(one_or_never(block.decide_at_ms), off_ms[at])
        decide_ms = block.decide_at_ms
        if not puts_off[at]:
            decide_ms -= _before_ms(decide_ms, stream_ms[at], states["features"][rows[i]].first_event_ms)
        _set_due(block, decide_ms)


@compiled
def _before_ms(decide_ms: Any, stream_ms: Any, first_event_ms: Any) -> Any:
    """How much earlier a customer that has come is asked again than it has to be.

    With each event the deadline of who comes and comes again moves on. Its entry follows in steps of a week, of a day
    where it is less than two weeks ahead: at the time of the week, or of the day, at which the customer was first met,
    so that not everybody is asked at once. In silence nothing moves: a customer that was asked has its exact deadline.
    """
    ahead_ms = decide_ms - stream_ms
    step_ms = _WEEK_MS if ahead_ms >= 2 * _WEEK_MS else DAY_MS
    return (decide_ms - first_event_ms) % step_ms if ahead_ms >= 2 * step_ms and decide_ms != NEVER else 0


@compiled
def _set_due(block: Any, decide_ms: Any) -> None:
    """The earliest of a customer's deadlines."""
    earliest_ms = min(one_or_never(decide_ms), one_or_never(block.snapshot_at_ms), one_or_never(block.close_at_ms))
    block.due_ms = 0 if earliest_ms == NEVER else earliest_ms
