"""How far the decisions of a round stand: each customer's up to the first that changes what the next one goes by."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stream.chunk import BoolArray, IntArray, RowArray
from stream.compiled import compiled
from stream.rounds import Stretches

NONE = -1


@dataclass(frozen=True)
class Standing:
    """What stands of a round.

    Attributes:
        held: shape (stretches,), whether its records and its decision take effect.
        due_ms: shape (customers of the chunk,); earliest deadline that is known since the last that fired.
        last: shape (customers of the chunk,); the last stretch that takes effect, `NONE` where there is none.
        last_with_records: the same of those that hold records.
        last_decided: the same of those that are decided.
    """

    held: BoolArray
    due_ms: IntArray
    last: RowArray
    last_with_records: RowArray
    last_decided: RowArray


def standing(
    stretches: Stretches, due_ms: IntArray, other_ms: IntArray, decide_at_ms: IntArray, changing: BoolArray
) -> Standing:
    """Let stretches stand up to each customer's first decision that changes what the next one goes by.

    A stretch also falls if a decision before it set a deadline that comes before its records. A deadline is only ever
    moved earlier, save one for a decision that was put off: when a record brings that decision first, it goes.

    Args:
        stretches: of the round.
        due_ms: shape (customers of the chunk,), each one's deadline before the round, never 0.
        other_ms: the same, of deadlines that are no decisions.
        decide_at_ms: shape (stretches,), the deadline that the decision of each sets.
        changing: shape (stretches,), which decisions change what the next about the same customer goes by.
    """
    due_ms = due_ms.copy()
    held = np.zeros(len(stretches), np.bool_)
    last, last_with_records, last_decided = np.full((3, len(due_ms)), NONE, np.intp)
    _stand(
        stretches.rows, stretches.decided, stretches.puts_off, stretches.had_put_off, stretches.again_ms,
        stretches.stream_ms, due_ms, other_ms, decide_at_ms, changing, held, last, last_with_records, last_decided,
    )  # fmt: skip
    return Standing(held, due_ms, last, last_with_records, last_decided)


@compiled
def _stand(
    rows: Any, decided: Any, puts_off: Any, had_put_off: Any, again_ms: Any, stream_ms: Any, due_ms: Any,
    other_ms: Any, decide_at_ms: Any, changing: Any, held: Any, last: Any, last_with_records: Any, last_decided: Any,
) -> None:  # fmt: skip
    goes_on, waits = False, False
    for at in range(len(rows)):
        row = rows[at]
        if at == 0 or rows[at - 1] != row:
            goes_on, waits = True, False
        if puts_off[at]:
            holds = waits and stream_ms[at] == due_ms[row]
            if holds:
                due_ms[row] = other_ms[row]
        else:
            holds = goes_on and stream_ms[at] < due_ms[row]
            if holds and had_put_off[at]:
                due_ms[row] = min(due_ms[row], again_ms[at])
                if decided[at] and due_ms[row] == again_ms[at]:
                    due_ms[row] = other_ms[row]
        if holds:
            held[at], last[row] = True, at
            if not puts_off[at]:
                last_with_records[row] = at
            if decided[at]:
                last_decided[row] = at
                due_ms[row] = min(due_ms[row], decide_at_ms[at])
        waits = holds and not decided[at]
        goes_on = holds and decided[at] and not changing[at]


@compiled
def put_back(states: Any, kept: Any, last: Any) -> None:
    """Let features and engagement be as the last stretch that takes effect left them.

    Args:
        states: of the customers of the chunk; changed in place.
        kept: shape (stretches,), what each left.
        last: `Standing.last`.
    """
    features, engagement = states["features"], states["engagement"]
    for row in range(len(last)):
        if last[row] != NONE:
            features[row] = kept["features"][last[row]]
            engagement[row] = kept["engagement"][last[row]]
