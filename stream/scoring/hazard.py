"""The chance of a purchase week by week, rolled forward in silence to a horizon.

A model of the next seven days is asked again and again: now, and at the columns the customer will have in a week, in
two weeks, if it buys nothing (`stream.features.ahead`). That nothing is bought all the way is the product of the weeks
in which nothing is. Weeks far ahead resemble each other, so a step there stands for several: asked once, in its middle.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, many_at_once
from stream.customers.silence import AT_LEAST_DAYS, AT_MOST_DAYS, GAP_MULTIPLE, long_silence_days
from stream.features.ahead import AGEING_OF_VISITS, GAP_COLUMN, Movement, movements
from stream.features.columns import MODEL_COLUMNS
from stream.logarithms import fill_exponentials, fill_logarithms
from stream.scoring.linear import (
    WEIGHING,
    LinearModel,
    missed_logit,
    moving_logit,
    standing_logit,
    weighing,
    weighing_record,
)

FloatArray = NDArray[np.float64]

WEEK_DAYS = 7.0
STEPS_DAYS = (7, 7, 7, 7, 14, 14, 28, 28, 56, 84, 119)
"""How many days each step stands for; together more than the longest horizon. Against the product over every week, 180
days in ten steps moved a probability by at most .0036, 30 days by .001 (a year of Online Retail II)."""

WIDTHS_DAYS: FloatArray = np.array(STEPS_DAYS, np.float64)
AHEAD_DAYS: FloatArray = np.cumsum(WIDTHS_DAYS) - (WIDTHS_DAYS + WEEK_DAYS) / 2
"""When each step is asked about: the week in its middle begins so many days ahead."""

LEAST_HAZARD = 1e-13  # of a whole horizon: a logarithm of less would not be finite
_WHOLE = 1e-6  # days; a gap that went through a logarithm and back is not exactly what it was

_COURSES = ("grows", "grows by gap", "decays", "fades", "bends")
_GROWS, _GROWS_BY_GAP, _DECAYS, _FADES, _BENDS = range(len(_COURSES))
_long_silence_days = compiled(long_silence_days)


class HazardModel(msgspec.Struct, frozen=True, cache_hash=True, tag="hazard"):
    """The chance that something happens, or fails to, up to a horizon, from that of the next seven days.

    Args:
        weekly: the probability that it happens within seven days.
        horizon_days: how far to roll forward.
        true_when: "any" for the chance that it happens, "none" for the chance that it does not.
        within_own_gap: the horizon is the customer's own long silence (`stream.customers.silence`), if that is shorter.
    """

    weekly: LinearModel
    horizon_days: int
    true_when: str = "none"
    within_own_gap: bool = False

    def __post_init__(self) -> None:
        """Refuse a horizon beyond the steps."""
        if not 1 <= self.horizon_days <= sum(STEPS_DAYS):
            raise ValueError(f"horizon_days {self.horizon_days} is not from 1 to {sum(STEPS_DAYS)}")
        if self.true_when not in ("none", "any"):
            raise ValueError(f"true_when {self.true_when!r} is neither 'none' nor 'any'")


_MOVING = len(movements())
SCRATCH = (_MOVING + 4) * len(STEPS_DAYS) + _MOVING
"""Numbers that `roll` overwrites: the columns that move in each step, logits and what they are made of."""

ROLLING = np.dtype(
    [
        ("weekly", WEIGHING),
        ("gap", "<i8"),
        *((name, "<i8") for name in ("logs", "unbent", "moving")),
        *((name, "<i8", (_MOVING,)) for name in ("courses", "places", "sources")),
        *((name, "<f8", (_MOVING,)) for name in ("knots", "means", "rates", "weights")),
        ("factors", "<f8", (_MOVING, len(STEPS_DAYS))),
    ]
)
"""A weekly model for compiled code: the columns that move, logarithms before what fades before what bends.

`weekly` is the model as it scores a row, `gap` the place of the mean gap's column in a row, -1 where there is none,
`logs` how many columns are logarithms, `unbent` how many do not bend and `moving` how many move. Of each of these:
`courses` how, `places` where in a row, `sources` the number of the column that one that bends follows, `knots` the
logarithm of one and the knot, `means`, `rates` and `weights` as in `Weighing` (0 of a column that others follow but the
model ignores), `factors` what is left of an amount in each step.
"""

NO_WEEKLY = LinearModel((), (), (), (), bias=0.0)


@lru_cache(maxsize=128)  # as many as there are models in force, and some that were
def rolling(weekly: LinearModel, columns: Sequence[str] = MODEL_COLUMNS) -> NDArray[np.void]:
    """A record of `ROLLING`: a weekly model for rows with these columns.

    Raises:
        ValueError: it reads a column that the rows do not have.
    """
    record, known, moving = np.zeros((), ROLLING), weighing(weekly, columns), _rolled(weekly, columns)
    record["weekly"] = weighing_record(weekly, columns)
    record["gap"] = columns.index(GAP_COLUMN) if GAP_COLUMN in columns else -1
    record["moving"], names = len(moving), list(moving)
    record["logs"] = sum(each.course not in ("fades", "bends") for each in moving.values())
    record["unbent"] = sum(each.course != "bends" for each in moving.values())
    own = {place: at for at, place in enumerate(known.places[: known.columns].tolist())}
    for n, (name, each) in enumerate(moving.items()):
        place = columns.index(name)
        record["courses"][n], record["places"][n] = _COURSES.index(each.course), place
        record["sources"][n] = names.index(each.source) if each.source else 0
        record["knots"][n] = math.log1p(each.knot)
        record["factors"][n] = 1.0 if each.course.startswith("grows") else 2.0 ** (-AHEAD_DAYS / each.half_life_days)
        if place in own:
            for field in ("means", "rates", "weights"):
                record[field][n] = getattr(known, field)[own[place]]
    return record


def _rolled(weekly: LinearModel, columns: Sequence[str]) -> dict[str, Movement]:
    """What moves of what the model goes by, and what that follows, in the order of courses."""
    read = {name for name, scale in zip(weekly.columns, weekly.scales, strict=True) if scale}
    every = dict(sorted(movements().items(), key=lambda each: _COURSES.index(each[1].course)))
    followed = {every[name].source for name in read if name in every}
    return {name: each for name, each in every.items() if name in columns and name in read | followed}


@compiled
def window_of(row: FloatArray, gap: int, horizon_days: float, within_own_gap: bool) -> float:
    """Whole days to roll forward for a customer, at most the horizon.

    Args:
        row: its columns.
        gap: which of them is the logarithm of its mean gap; negative where the model has none.
        horizon_days: of the outcome.
        within_own_gap: whether the outcome waits only until the customer's silence is long.

    >>> row = np.array([math.log1p(20.0)])
    >>> window_of(row, 0, 90.0, False), window_of(row, 0, 90.0, True), window_of(np.zeros(1), 0, 90.0, True)
    (90.0, 40.0, 90.0)
    """
    if not within_own_gap or gap < 0 or row[gap] <= 0.0:
        return horizon_days
    own_days = _long_silence_days(math.expm1(row[gap]), GAP_MULTIPLE, AT_LEAST_DAYS, AT_MOST_DAYS)
    return float(min(math.ceil(own_days - _WHOLE), horizon_days))


@compiled
def roll(
    hazards: FloatArray, model: Any, row: FloatArray, levels: FloatArray, until_days: float, scratch: FloatArray
) -> None:
    """Add up the hazard step by step: minus the logarithm of the chance that nothing happens.

    What a customer has missed (`stream.features.missed`) counts as of now in the first step, in all later ones as it
    will be in four weeks.

    Args:
        hazards: shape (steps,), to be filled up to the step that reaches `until_days`: up to the end of each.
        model: a record of `ROLLING`.
        row: the columns of now.
        levels: what is missed, by `fill_missed`.
        until_days: how far to go.
        scratch: shape (`SCRATCH`,), overwritten.
    """
    steps, weekly = _steps_to(until_days), model.weekly
    standing, later = standing_logit(weekly, row), missed_logit(weekly, levels, len(weekly.sources))
    logits = scratch[model.moving * (steps - 1) :]
    logits[0] = moving_logit(weekly, row) + missed_logit(weekly, levels, 0) + standing
    for step in range(1, steps):
        logits[step] = weekly.bias + later + standing
    if steps > 1:
        _fill_ahead(scratch, model, row, steps - 1, logits[steps:])
        _add_ahead(logits[1:], scratch, model, steps - 1)
    _add_up(hazards, logits, steps, logits[steps:])


@compiled
def _steps_to(days: float) -> int:
    """How many steps it takes to get so far."""
    reached = 0.0
    for step in range(len(WIDTHS_DAYS)):
        reached += WIDTHS_DAYS[step]
        if reached >= days:
            return step + 1
    return len(WIDTHS_DAYS)


@many_at_once
def _fill_ahead(columns: FloatArray, model: Any, row: FloatArray, weeks: int, amounts: FloatArray) -> None:
    """Fill in what the columns that move will be in each step but the first: `weeks` numbers a column."""
    gaps_a_day = 1.0 / math.expm1(row[model.gap]) if model.gap >= 0 and row[model.gap] > 0.0 else 0.0
    for n in range(model.logs):
        amounts[n] = row[model.places[n]]
    fill_exponentials(amounts, model.logs)
    for n in range(model.logs):
        course, amount = model.courses[n], amounts[n] - 1.0
        a_day = 1.0 if course == _GROWS else gaps_a_day if course == _GROWS_BY_GAP else 0.0
        for week in range(weeks):
            columns[n * weeks + week] = 1.0 + amount * model.factors[n, week + 1] + AHEAD_DAYS[week + 1] * a_day
    fill_logarithms(columns, model.logs * weeks)
    for n in range(model.logs, model.unbent):
        fresh = row[model.places[n]]
        since_days = WEEK_DAYS / fresh if fresh > 0.0 else math.inf
        for week in range(weeks):
            columns[n * weeks + week] = WEEK_DAYS / (since_days + AHEAD_DAYS[week + 1] * AGEING_OF_VISITS)
    for n in range(model.unbent, model.moving):
        source, knot = model.sources[n] * weeks, model.knots[n]
        for week in range(weeks):
            columns[n * weeks + week] = max(columns[source + week] - knot, 0.0)


@many_at_once
def _add_ahead(logits: FloatArray, columns: FloatArray, model: Any, weeks: int) -> None:
    """Add what the columns say of each week, one column after another, all weeks at once."""
    clip = model.weekly.clip
    for n in range(model.moving):
        mean, rate, weight, begin = model.means[n], model.rates[n], model.weights[n], n * weeks
        for week in range(weeks):
            logits[week] += min(max((columns[begin + week] - mean) * rate, -clip), clip) * weight


@many_at_once
def _add_up(hazards: FloatArray, logits: FloatArray, steps: int, scratch: FloatArray) -> None:
    """The hazard up to the end of each step: minus the logarithm of the chance of nothing is log(1 + e ** logit).

    That of 1 + x, where x is so small that 1 + x is rounded, is that of what it is rounded to and a little more.
    """
    chances = scratch[steps:]
    for step in range(steps):
        scratch[step] = -abs(logits[step])
    fill_exponentials(scratch, steps)
    for step in range(steps):
        chances[step] = 1.0 + scratch[step]
    fill_logarithms(chances, steps)
    total = 0.0
    for step in range(steps):
        rounded = 1.0 + scratch[step]
        softplus = max(logits[step], 0.0) + chances[step] + (scratch[step] - (rounded - 1.0)) / rounded
        total += WIDTHS_DAYS[step] / WEEK_DAYS * softplus
        hazards[step] = total


@compiled
def none_logit(hazards: FloatArray, days: float) -> float:
    """The logit of the chance that nothing happens in so many days, after `roll` as far."""
    before, left = 0.0, days
    for step in range(len(hazards)):
        if left <= WIDTHS_DAYS[step]:
            before += (hazards[step] - before) * left / WIDTHS_DAYS[step]
            break
        left -= WIDTHS_DAYS[step]
        before = hazards[step]
    hazard = max(before, LEAST_HAZARD)
    return -hazard - math.log(-math.expm1(-hazard))
