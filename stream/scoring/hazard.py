"""The chance of a purchase week by week, rolled forward in silence to a horizon.

A model of the next seven days is asked again and again: now, and at the columns the customer will have in a week, in two
weeks, if nothing arrives. That nothing arrives all the way is the product of the weeks in which nothing does. Weeks far
ahead resemble each other, so a step there stands for several: asked once, in its middle.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.customers.silence import AT_LEAST_DAYS, AT_MOST_DAYS, GAP_MULTIPLE, long_silence_days
from stream.features.ahead import GAP_COLUMN, Movement, movements
from stream.features.columns import MODEL_COLUMNS
from stream.scoring.linear import LinearModel, Weighing, moving_logit, standing_logit, weighing

FloatArray = NDArray[np.float64]

WEEK_DAYS = 7.0
STEPS_DAYS = (7, 7, 7, 7, 14, 14, 28, 28, 56, 84, 119)
"""How many days each step stands for; together more than the longest horizon. Over a year of Online Retail, 90 days in
eight steps instead of thirteen weeks moved a probability by at most .0007."""

LEAST_HAZARD = 1e-13  # of a whole horizon: a logarithm of less would not be finite
_WHOLE = 1e-6  # days; a gap that went through a logarithm and back is not exactly what it was

_COURSES = ("grows", "grows by gap", "fades", "decays", "bends")
_GROWS, _GROWS_BY_GAP, _FADES, _DECAYS, _BENDS = range(len(_COURSES))
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


class Rolling(NamedTuple):
    """A weekly model for compiled code: the columns that move, what bends after what it follows.

    Attributes:
        weekly: the model, as it scores a row.
        gap: the place of the mean gap's column in a row.
        courses, places: shape (moving,), how each column moves and its place in a row.
        sources: shape (moving,), of what bends the number of the column it follows.
        knots: shape (moving,), the logarithm of one and the knot.
        means, rates, weights: shape (moving,), as in `Weighing`; 0 of a column that others follow but the model ignores.
        factors: shape (steps, moving), what is left of an amount that decays.
        ahead_days, widths_days: shape (steps,), when a step is asked about and for how many days it stands.
    """

    weekly: Weighing
    gap: int
    courses: NDArray[np.int64]
    places: NDArray[np.int64]
    sources: NDArray[np.int64]
    knots: FloatArray
    means: FloatArray
    rates: FloatArray
    weights: FloatArray
    factors: FloatArray
    ahead_days: FloatArray
    widths_days: FloatArray


NO_WEEKLY = LinearModel((), (), (), (), bias=0.0)


@lru_cache(maxsize=128)  # as many as there are models in force, and some that were
def rolling(weekly: LinearModel, columns: Sequence[str] = MODEL_COLUMNS) -> Rolling:
    """A weekly model for rows with these columns.

    Raises:
        ValueError: it reads a column that the rows do not have.
    """
    known = weighing(weekly, columns)
    moving = _rolled(weekly, columns)
    names, by_name = list(moving), {columns[place]: at for at, place in enumerate(known.places.tolist())}
    ahead_days = [end - width / 2 - WEEK_DAYS / 2 for end, width in zip(accumulate(STEPS_DAYS), STEPS_DAYS, strict=True)]
    own = [by_name.get(name) for name in names]
    return Rolling(
        weekly=known,
        gap=columns.index(GAP_COLUMN) if GAP_COLUMN in columns else -1,
        courses=np.array([_COURSES.index(each.course) for each in moving.values()], np.int64),
        places=np.array([columns.index(name) for name in names], np.int64),
        sources=np.array([names.index(each.source) if each.source else 0 for each in moving.values()], np.int64),
        knots=np.array([math.log1p(each.knot) for each in moving.values()], np.float64),
        means=np.array([0.0 if at is None else known.means[at] for at in own], np.float64),
        rates=np.array([0.0 if at is None else known.rates[at] for at in own], np.float64),
        weights=np.array([0.0 if at is None else known.weights[at] for at in own], np.float64),
        factors=np.array(
            [[2.0 ** (-days / each.half_life_days) for each in moving.values()] for days in ahead_days], np.float64
        ).reshape(len(ahead_days), len(names)),
        ahead_days=np.array(ahead_days),
        widths_days=np.array(STEPS_DAYS, np.float64),
    )


def _rolled(weekly: LinearModel, columns: Sequence[str]) -> dict[str, Movement]:
    """What moves of what the model goes by, and what that follows."""
    read = {name for name, scale in zip(weekly.columns, weekly.scales, strict=True) if scale}
    every = movements()
    followed = {every[name].source for name in read if name in every}
    return {name: each for name, each in every.items() if name in columns and name in read | followed}


@compiled
def window_of(row: FloatArray, gap: int, horizon_days: float, within_own_gap: bool) -> float:
    """Whole days to roll forward for a customer, at most the horizon."""
    if not within_own_gap or gap < 0 or row[gap] <= 0.0:
        return horizon_days
    own_days = _long_silence_days(math.expm1(row[gap]), GAP_MULTIPLE, AT_LEAST_DAYS, AT_MOST_DAYS)
    return float(min(math.ceil(own_days - _WHOLE), horizon_days))


@compiled
def roll(hazards: FloatArray, model: Rolling, row: FloatArray, until_days: float, scratch: FloatArray) -> None:
    """Add up the hazard step by step: minus the logarithm of the chance that nothing happens.

    Args:
        hazards: shape (steps,), to be filled up to the step that reaches `until_days`: up to the end of each.
        model: of the next seven days.
        row: the columns of now.
        until_days: how far to go.
        scratch: shape (2, at least the columns that move), overwritten.
    """
    gaps_a_day = 1.0 / math.expm1(row[model.gap]) if model.gap >= 0 and row[model.gap] > 0.0 else 0.0
    standing = standing_logit(model.weekly, row)
    total, reached = 0.0, 0.0
    for step in range(len(hazards)):
        if step == 0:
            logit = moving_logit(model.weekly, row)
        else:
            if step == 1:
                _take_amounts(scratch[0], model, row)
            logit = model.weekly.bias + _ahead(model, step, gaps_a_day, scratch)
        weeks = model.widths_days[step] / WEEK_DAYS
        total += weeks * _softplus(logit + standing)
        hazards[step] = total
        reached += model.widths_days[step]
        if reached >= until_days:
            break


@compiled
def none_logit(hazards: FloatArray, widths_days: FloatArray, days: float) -> float:
    """The logit of the chance that nothing happens in so many days, after `roll` as far."""
    before, left = 0.0, days
    for step in range(len(hazards)):
        if left <= widths_days[step]:
            before += (hazards[step] - before) * left / widths_days[step]
            break
        left -= widths_days[step]
        before = hazards[step]
    hazard = max(before, LEAST_HAZARD)
    return -hazard - math.log(-math.expm1(-hazard))


@compiled
def _softplus(logit: float) -> float:
    """log(1 + e ** logit): minus the logarithm of the chance of nothing in a week."""
    return max(logit, 0.0) + math.log1p(math.exp(-abs(logit)))


@compiled
def _take_amounts(amounts: FloatArray, model: Rolling, row: FloatArray) -> None:
    """What columns are logarithms of, and of those that fade the days since."""
    for n in range(len(model.places)):
        column, course = row[model.places[n]], model.courses[n]
        if course == _FADES:
            amounts[n] = WEEK_DAYS / column - WEEK_DAYS if column > 0.0 else math.inf
        elif course != _BENDS:
            amounts[n] = math.expm1(column) if column != 0.0 else 0.0


@compiled
def _ahead(model: Rolling, step: int, gaps_a_day: float, scratch: FloatArray) -> float:
    """What the columns that move add to the logit of a step."""
    logit, days = 0.0, model.ahead_days[step]
    for n in range(len(model.places)):
        course, amount = model.courses[n], scratch[0, n]
        if course == _DECAYS:
            column = math.log(1.0 + amount * model.factors[step, n]) if amount != 0.0 else 0.0
        elif course == _GROWS:
            column = math.log(1.0 + amount + days)
        elif course == _GROWS_BY_GAP:
            column = math.log(1.0 + amount + days * gaps_a_day)
        elif course == _FADES:
            column = WEEK_DAYS / (amount + days + WEEK_DAYS)
        else:
            column = max(scratch[1, model.sources[n]] - model.knots[n], 0.0)
        scratch[1, n] = column
        deviations = (column - model.means[n]) * model.rates[n]
        logit += min(max(deviations, -model.weekly.clip), model.weekly.clip) * model.weights[n]
    return logit
