"""Waves of records after they were folded: what each left of its customers, and how far decisions about them stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.chunk import BoolArray, IntArray, Records, RowArray
from stream.decisions import Asked
from stream.features.layout import StateArray
from stream.rounds import Wave


@dataclass(frozen=True)
class Folded:
    """A wave, and shape (customers,) copies of their states after it."""

    wave: Wave
    states: StateArray

    def asked(self) -> Asked:
        """The customers that are decided after it."""
        decided, wave = self.wave.decided, self.wave
        if decided.all():
            return Asked(wave.rows, self.states, wave.now_ms)
        return Asked(wave.rows, self.states, wave.now_ms).take(decided.nonzero()[0])


@dataclass(frozen=True)
class Standing:
    """What stands of a round.

    Attributes:
        of_wave: for each wave, which of its customers' records take effect.
        of_decision: which decisions do.
        due_ms: shape (customers of the chunk,); earliest deadline that is known since the last that fired.
        waits: shape (customers of the chunk,), who was decided too lately at the last record, and still has to be.
    """

    of_wave: list[BoolArray]
    of_decision: BoolArray
    due_ms: IntArray
    waits: BoolArray


def standing(
    waves: Sequence[Wave],
    due_ms: IntArray,
    other_ms: IntArray,
    ends: Sequence[int],
    again_ms: IntArray,
    changing: BoolArray,
) -> Standing:
    """Let waves stand up to each customer's first decision that changes what the next one goes by.

    A wave also falls if a decision before it set a deadline that comes before its records. A deadline is only ever
    moved earlier, save one for a decision that was put off: when a record brings that decision first, it goes.

    Args:
        waves: of the round, in order.
        due_ms: shape (customers of the chunk,), each one's deadline before the round, never 0.
        other_ms: the same, of deadlines that are no decisions.
        ends: of decisions: of those before the first wave, up to the first wave's, and so on.
        again_ms: shape (decisions,), the deadline each sets.
        changing: shape (decisions,), which change what the next about the same customer goes by.
    """
    due_ms, goes_on, waits = due_ms.copy(), np.ones(len(due_ms), np.bool_), np.zeros(len(due_ms), np.bool_)
    stands = np.ones(len(again_ms), np.bool_)
    of_wave = []
    for number, wave in enumerate(waves):
        mine = slice(ends[number], ends[number + 1])
        if wave.puts_off:
            held = waits[wave.rows] & (wave.stream_ms == due_ms[wave.rows])
            due_ms[wave.rows[held]] = other_ms[wave.rows[held]]
        else:
            held = goes_on[wave.rows] & (wave.stream_ms < due_ms[wave.rows])
            _note(due_ms, wave.rows, wave.again_ms, held & wave.had_put_off)
            made_up = held & wave.decided & wave.had_put_off & (due_ms[wave.rows] == wave.again_ms)
            due_ms[wave.rows[made_up]] = other_ms[wave.rows[made_up]]
        stands[mine] = held[wave.decided]
        _note(due_ms, wave.rows[wave.decided], again_ms[mine], stands[mine])
        waits[wave.rows] = held & ~wave.decided
        goes_on[wave.rows] = held & wave.decided
        goes_on[wave.rows[wave.decided]] &= ~changing[mine]
        of_wave.append(held)
    return Standing(of_wave, stands, due_ms, waits)


def _note(due_ms: IntArray, rows: RowArray, deadline_ms: IntArray, which: BoolArray) -> None:
    """A deadline of these customers, which none of them has twice."""
    rows = rows[which]
    due_ms[rows] = np.minimum(due_ms[rows], deadline_ms[which])


def records_of(waves: Sequence[Wave], of_wave: Sequence[BoolArray], records: Records) -> RowArray:
    """Places of the records that take effect, sorted by customer, each customer's in log order."""
    places = [wave.records[np.repeat(held, wave.lengths)] for wave, held in zip(waves, of_wave, strict=True)]
    if len(places) == 1:
        return places[0]
    joined = np.concatenate(places)
    sorted_places: RowArray = joined[np.argsort(records.facts.row[joined], kind="stable")]
    return sorted_places
