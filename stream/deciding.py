"""What is decided of one customer after another, now and at times ahead, each formula in one place; compiled.

Ahead of now, only time passes: what stands still is taken from now's rows. A customer's scratch is one row of features,
one of model columns, one of segment columns.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.units import NEVER_MS
from stream.actions.alerts import ChurnRule, closes, long_silent, long_silent_ms, opens
from stream.compiled import compiled
from stream.features.columns import Plan, fill_columns, move_place
from stream.features.scored_formulas import move_to, place_at
from stream.scoring.clusters import Centres, assigned, stays
from stream.scoring.deadlines import LEAST_BEYOND, MIDDLE_EVERY, POINTS, SHORTEST_SEARCH_MS
from stream.scoring.kinds import alone, roll_each, said
from stream.scoring.trees import Nodes
from stream.scoring.validity import holds_until_ms

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Row = Any
Rows = Any


class InForce(NamedTuple):
    """Models and rules for compiled code.

    Attributes:
        models, nodes: one for each outcome (`Scorers`); where none serves, one whose probabilities are nan.
        purchase_days: shape (outcomes,), on how many days a customer must have bought: of others nothing is known.
        churn: the place of the one that alerts go by.
        centres: of segments, none before the first document.
        rule: when an alert opens and closes.
        plan: of the model columns.
    """

    models: NDArray[np.void]
    nodes: Nodes | None
    purchase_days: IntArray
    churn: int
    centres: Centres
    rule: ChurnRule
    plan: Plan


class Scored(NamedTuple):
    """Customers as of now, shape (customers,) each: states, features, the same as numbers, segment columns."""

    states: Rows
    rows: Rows
    figures: FloatArray
    places: FloatArray


class Scratch(NamedTuple):
    """One customer at a time ahead: its features as a record and as numbers (shape (1, features), the same memory).

    `asked` has shape (outcomes,): of which the customer has a probability. `times_ms` has shape (3,) and `ahead`
    (outcomes, 3): probabilities at these times. `hazards` has shape (outcomes + 1, steps), `weeks` is of
    `stream.scoring.hazard`.
    """

    rows: Rows
    figures: FloatArray
    columns: FloatArray
    place: FloatArray
    asked: BoolArray
    times_ms: IntArray
    ahead: FloatArray
    hazards: FloatArray
    weeks: FloatArray


class Silent(NamedTuple):
    """A customer of whom nothing arrives.

    Attributes:
        segment: it has.
        moves: whether another segment is possible.
        is_open: whether its alert is.
        alertable_ms: from when on its alert may open or close, `NEVER_MS` where it may not.
    """

    segment: int
    moves: bool
    is_open: bool
    alertable_ms: int


@compiled
def decide_each(
    given: Scored,
    in_force: InForce,
    churn: FloatArray,
    segment: NDArray[np.uint8],
    alerts: BoolArray,
    scratch: Scratch,
) -> None:
    """Fill in what is decided now. A probability is asked for where an alert hangs on it: else views alone tell.

    Args:
        given: the customers.
        in_force: models and rules.
        churn: shape (customers,), to be filled: the probability of the outcome that alerts go by of those whose alert
            is open, or may open by their silence; nan of the others and where there is none.
        segment: shape (customers,), to be filled with codes.
        alerts: shape (3, customers), to be filled: whether the alert opens, whether it closes, and whether the customer
            has bought since the alert's episode began.
        scratch: is overwritten.
    """
    for i in range(len(given.states)):
        last_purchase_ms, block = given.states[i].features.last_purchase_ms, given.states[i].decision
        bought, is_open, row = last_purchase_ms > 0, block.alert == 1, given.rows[i]
        segment[i] = assigned(given.places[i], block.segment, in_force.centres) if bought else block.segment
        purchased = last_purchase_ms > block.episode_ms
        silent = purchased and long_silent(in_force.rule, row.since_last_purchase_days, row.mean_gap_days)
        churn[i] = math.nan
        if (is_open or silent) and bought and row.purchase_days >= in_force.purchase_days[in_force.churn]:
            fill_columns(scratch.columns, given.figures[i], in_force.plan, len(in_force.plan.runs))
            model = in_force.models[in_force.churn]
            churn[i] = alone(model, in_force.nodes, scratch.columns, scratch.hazards, scratch.weeks)
        opening = opens(in_force.rule, churn[i], row.since_last_purchase_days, row.mean_gap_days)
        alerts[0, i] = not is_open and purchased and opening
        alerts[1, i] = is_open and (purchased or closes(in_force.rule, churn[i]))
        alerts[2, i] = purchased


@compiled
def ask_each(
    until_ms: IntArray, now_ms: IntArray, soon_ms: IntArray, given: Scored, decided: NDArray[np.uint8],
    alerts: BoolArray, in_force: InForce, scratch: Scratch,
) -> None:  # fmt: skip
    """Move `until_ms` of each customer to where its segment or alert would first change in silence.

    Of who is decided again before anything can change it is left as it is.

    Args:
        until_ms: shape (customers,), how far to look; overwritten.
        now_ms: shape (customers,).
        soon_ms: shape (customers,), when each is decided again whatever this finds, `NEVER_MS` where it is not.
        given: the customers, whether or not what was decided is in their blocks yet.
        decided: shape (customers,), segments as decided.
        alerts: as `decide_each` filled them.
        in_force: models and rules.
        scratch: is overwritten.
    """
    for i in range(len(until_ms)):
        state, row = given.states[i], scratch.rows[0]
        if state.features.last_purchase_ms == 0:
            continue
        row.purchase_days, row.mean_gap_days = given.rows[i].purchase_days, given.rows[i].mean_gap_days
        scratch.place[1] = given.places[i, 1]
        is_open = (state.decision.alert == 1 and not alerts[1, i]) or alerts[0, i]
        alertable_ms = _alertable_ms(is_open, state, row, in_force)
        if soon_ms[i] < min(until_ms[i], alertable_ms):
            place_at(row, state, soon_ms[i])
            if not _may_move(given.places[i], now_ms[i], soon_ms[i], state, decided[i], in_force.centres, scratch):
                continue
        place_at(row, state, until_ms[i])
        moves = _may_move(given.places[i], now_ms[i], until_ms[i], state, decided[i], in_force.centres, scratch)
        if not moves and alertable_ms > until_ms[i]:
            continue
        fill_columns(scratch.columns, given.figures[i], in_force.plan, len(in_force.plan.runs))
        silent = Silent(decided[i], moves, is_open, alertable_ms)
        until_ms[i] = _first_change_ms(now_ms[i], until_ms[i], state, silent, in_force, scratch)


@compiled
def _alertable_ms(is_open: bool, state: Row, row: Row, in_force: InForce) -> int:
    """From when on a customer's alert may close, or open; `NEVER_MS` where it may not in this episode."""
    last_purchase_ms: int = state.features.last_purchase_ms
    if row.purchase_days < in_force.purchase_days[in_force.churn]:
        return NEVER_MS
    if is_open:
        return last_purchase_ms
    if last_purchase_ms <= state.decision.episode_ms:
        return NEVER_MS
    return long_silent_ms(in_force.rule, last_purchase_ms, row.mean_gap_days)


@compiled
def _may_move(
    place: FloatArray, now_ms: int, until_ms: int, state: Row, segment: int, centres: Centres, scratch: Scratch
) -> bool:
    """Whether the segment could change between this place, of now, and that of the row in `scratch`, of `until_ms`.

    Half the way at a time says so of nearly everybody: logarithms of days move most at first, and a box around the
    whole way reaches far beside it.
    """
    if len(centres.codes) == 0:
        return False
    move_place(scratch.place, scratch.rows[0])
    size = len(place)
    middle, end = scratch.columns[:size], scratch.columns[size : 2 * size]
    if stays(place, scratch.place, middle, segment, centres):
        return False
    _copy(end, scratch.place, 0)
    place_at(scratch.rows[0], state, (now_ms + until_ms) // 2)
    move_place(scratch.place, scratch.rows[0])
    return not (
        stays(scratch.place, end, middle, segment, centres) and stays(place, scratch.place, middle, segment, centres)
    )


@compiled
def _copy(to: FloatArray, row: FloatArray, begin: int) -> None:
    """From place `begin` on; an assignment of slices would make a copy first where they could overlap."""
    for place in range(begin, len(row)):
        to[place] = row[place]


@compiled
def _first_change_ms(low_ms: int, high_ms: int, state: Row, silent: Silent, in_force: InForce, scratch: Scratch) -> int:
    """A point at which the customer has changed, and not a little earlier; `high_ms` if it has changed at none."""
    before_ms, below = low_ms, -math.inf
    for point in range(1, POINTS + 1):
        at_ms = low_ms + (high_ms - low_ms) * point // POINTS
        above = _beyond(at_ms, state, silent, in_force, scratch)
        if above >= 0.0:
            late_ms = (high_ms - low_ms) // SHORTEST_SEARCH_MS
            return _crossed_ms((before_ms, at_ms), (below, above), late_ms, state, silent, in_force, scratch)
        before_ms, below = at_ms, above
    return high_ms


@compiled
def _crossed_ms(
    between_ms: tuple[int, int], beyond: tuple[float, float], late_ms: int, state: Row, silent: Silent,
    in_force: InForce, scratch: Scratch,
) -> int:  # fmt: skip
    """When a customer changes between two times, of which it is known how far `_beyond` it is; at most so late.

    Asked first where its alert may change at all, then where a line between the two crosses 0, and in the middle where
    there is no line. An end that stays counts less each time, lest the other only creep towards it (regula falsi by
    Anderson and Björck, BIT 1973).
    """
    before_ms, at_ms = between_ms
    below, above = beyond
    asked_ms, step, stays = max(silent.alertable_ms, before_ms), 0, 0
    while at_ms - before_ms > max(late_ms, 1):
        if not before_ms < asked_ms < at_ms:
            is_line = math.isfinite(below) and math.isfinite(above) and step % MIDDLE_EVERY != MIDDLE_EVERY - 1
            share = below / (below - above) if is_line else 0.5
            asked_ms = min(max(before_ms + int((at_ms - before_ms) * share), before_ms + 1), at_ms - 1)
        found = _beyond(asked_ms, state, silent, in_force, scratch)
        if found >= 0.0:
            below *= _left_of_end(found, above) if stays < 0 else 1.0
            at_ms, above, stays = asked_ms, found, -1
        else:
            above *= _left_of_end(found, below) if stays > 0 else 1.0
            before_ms, below, stays = asked_ms, found, 1
        step += 1
    return at_ms


@compiled
def _left_of_end(found: float, before: float) -> float:
    """What an end counts for that stays while the other one comes from `before` to `found`."""
    return 1.0 - found / before if abs(found) < abs(before) else 0.5


@compiled
def _beyond(at_ms: int, state: Row, silent: Silent, in_force: InForce, scratch: Scratch) -> float:
    """How far the customer's probability is beyond where its alert changes at this time, negative where it is not.

    Infinite where that is not what it hangs on: with another segment, or before the alert may change.
    """
    row, alertable = scratch.rows[0], at_ms >= silent.alertable_ms
    if silent.moves or alertable:
        place_at(row, state, at_ms)
    if silent.moves:
        move_place(scratch.place, row)
        if assigned(scratch.place, silent.segment, in_force.centres) != silent.segment:
            return math.inf
    if not alertable:
        return -math.inf
    _move(at_ms, state, in_force.plan, scratch)
    churn = alone(in_force.models[in_force.churn], in_force.nodes, scratch.columns, scratch.hazards, scratch.weeks)
    if math.isnan(churn):
        return -math.inf
    changes = closes(in_force.rule, churn) if silent.is_open else churn >= in_force.rule.open_probability
    beyond = abs(churn - (in_force.rule.close_probability if silent.is_open else in_force.rule.open_probability))
    return beyond if changes else -max(beyond, LEAST_BEYOND)


@compiled
def _move(at_ms: int, state: Row, plan: Plan, scratch: Scratch) -> None:
    """Fill in the model columns that move, after `place_at`."""
    move_to(scratch.rows[0], state, at_ms)
    fill_columns(scratch.columns, scratch.figures[0], plan, plan.moving_runs)


@compiled
def look_at_each(
    until_ms: IntArray, probabilities: FloatArray, matrix: FloatArray, now_ms: IntArray, given: Scored,
    in_force: InForce, scratch: Scratch,
) -> None:  # fmt: skip
    """Fill in customers' model columns and probabilities, and until when none of these has moved far.

    Args:
        until_ms: shape (customers,), how far to look; moved to where a probability has moved by as much as readers
            care about.
        probabilities: shape (outcomes, customers), to be filled; nan where there is none.
        matrix: shape (customers, columns), to be filled.
        now_ms: shape (customers,).
        given: the customers.
        in_force: models and rules.
        scratch: is overwritten.
    """
    outcomes, times_ms, ahead, asked = len(probabilities), scratch.times_ms, scratch.ahead, scratch.asked
    models, nodes = in_force.models, in_force.nodes
    for i in range(len(until_ms)):
        fill_columns(matrix[i], given.figures[i], in_force.plan, len(in_force.plan.runs))
        bought, is_known = given.states[i].features.last_purchase_ms > 0, False
        for outcome in range(outcomes):
            asked[outcome] = bought and given.rows[i].purchase_days >= in_force.purchase_days[outcome]
        if bought:
            roll_each(models, asked, matrix[i], scratch.hazards, scratch.weeks)
        for outcome in range(outcomes):
            probabilities[outcome, i] = math.nan
            if asked[outcome]:
                probabilities[outcome, i] = said(models[outcome], nodes, matrix[i], scratch.hazards)
            ahead[outcome, 0] = probabilities[outcome, i]
            asked[outcome] = not math.isnan(ahead[outcome, 0])
            is_known |= asked[outcome]
        if not is_known:
            continue
        width_ms = max(until_ms[i] - now_ms[i], 0)
        times_ms[0], times_ms[1], times_ms[2] = now_ms[i], now_ms[i] + width_ms // 4, now_ms[i] + width_ms
        scratch.rows[0].mean_gap_days = given.rows[i].mean_gap_days
        _copy(scratch.columns, matrix[i], in_force.plan.moving)
        for later in range(1, 3):
            place_at(scratch.rows[0], given.states[i], times_ms[later])
            _move(times_ms[later], given.states[i], in_force.plan, scratch)
            roll_each(models, asked, scratch.columns, scratch.hazards, scratch.weeks)
            held_ms = times_ms[later]
            for outcome in range(outcomes):
                if asked[outcome]:
                    ahead[outcome, later] = said(models[outcome], nodes, scratch.columns, scratch.hazards)
                    held_ms = min(held_ms, holds_until_ms(times_ms[: later + 1], ahead[outcome, : later + 1]))
            if held_ms < times_ms[later]:  # so it is with most by the earlier time: the later one need not be asked
                break
        until_ms[i] = min(until_ms[i], held_ms)
