"""The hazard rolled forward at once, beside the plain answer: ask the weekly model at every step ahead, multiply."""

import math
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS, model_matrix, natural
from stream.features.layout import StateArray
from stream.features.missed import MISSED, MISSED_COLUMNS
from stream.scoring.hazard import STEPS_DAYS, HazardModel
from stream.scoring.kinds import MeanLogit, Model, MovedLogit, probability
from stream.scoring.linear import LinearModel, logits
from tests.unit.features.histories import START_MS, YEARS_3_MS, folded, histories

READ = (*MODEL_COLUMNS, *MISSED_COLUMNS)
LAST_DAYS = {"browsing": "since_last_browsing_days", "answers": "since_last_answer_days"}


def weekly_model(seed: int, bias: float) -> LinearModel:
    random = np.random.default_rng(seed)
    width = len(READ)
    scales = np.where(random.random(width) < 0.2, 0.0, np.exp(random.normal(0, 0.5, width)))
    numbers = (random.normal(1, 1, width), scales, random.normal(0, 0.4, width))
    return LinearModel(READ, *(tuple(map(float, column)) for column in numbers), bias=bias)


def slowly(model: Model, state: StateArray, now_ms: int) -> float:
    """The probability for one customer, from its features at every step ahead."""
    return 1 / (1 + math.exp(-slow_logit(model, state, now_ms)))


def slow_logit(model: Model, state: StateArray, now_ms: int) -> float:
    """Its logit, as far as logits go. Probabilities near 1 have lost the digits that a share of a logit shows."""
    if isinstance(model, MeanLogit | MovedLogit):
        linear, hazard = (slow_logit(part, state, now_ms) for part in (model.linear, model.hazard))
        if isinstance(model, MovedLogit):
            return linear + model.share * hazard
        return (1 - model.hazard_share) * linear + model.hazard_share * hazard
    if isinstance(model, HazardModel):
        nothing = log_of_nothing(model, state, now_ms)
        found = nothing - math.log(-math.expm1(nothing)) if nothing < 0 else math.inf
        found = found if model.true_when == "none" else -found
    else:
        assert isinstance(model, LinearModel)
        found = float(logits(model, model_matrix(state, now_ms))[0])
    return max(min(found, 30.0), -30.0)


def log_of_nothing(model: HazardModel, state: StateArray, now_ms: int) -> float:
    """The logarithm of the chance that nothing is bought up to the horizon: those of all steps together."""
    days = float(model.horizon_days)
    gap_days = float(natural(state, now_ms)["mean_gap_days"][0])
    if model.within_own_gap and not math.isnan(gap_days):
        days = min(days, math.ceil(min(max(2 * gap_days, 14), 180) - 1e-6))
    nothing, begins_days = 0.0, 0.0
    for width, end in zip(STEPS_DAYS, accumulate(STEPS_DAYS), strict=True):
        asked_ms = now_ms + round((end - width / 2 - 3.5) * DAY_MS)
        bought = float(logits(model.weekly, columns_ahead(state, now_ms, asked_ms), READ)[0])
        nothing -= np.logaddexp(0.0, bought) * (min(max(days - begins_days, 0), width) / 7)
        begins_days = end
    return nothing


def columns_ahead(state: StateArray, now_ms: int, asked_ms: int) -> np.ndarray:
    """The columns of a customer that buys nothing until then, of whose visits only a quarter of the time wears off.

    What it has missed in the weeks ahead is what it will have missed in four weeks, at the pace of now.
    """
    of_visits = [name.startswith("fresh_") for name in MODEL_COLUMNS]
    sooner = model_matrix(state, now_ms + (asked_ms - now_ms) // 4)
    stored = np.where(of_visits, sooner, model_matrix(state, asked_ms))
    now, later_days = natural(state, now_ms), 7.0 if asked_ms > now_ms else 0.0
    settled_days = now["since_first_purchase_days"] + 14.0
    counts = {"browsing": now["browsing_count"], "answers": now["answer_count"]}
    missed = [np.nan_to_num((now[LAST_DAYS[each.of]] + later_days) * counts[each.of] / settled_days) for each in MISSED]
    bent = [np.maximum(np.log1p(each) - math.log1p(of.knot), 0.0) for each, of in zip(missed, MISSED, strict=True)]
    return np.column_stack([stored, *bent])


@settings(max_examples=150, deadline=None)
@given(
    histories(),
    st.integers(0, YEARS_3_MS // 2),
    st.sampled_from([3, 7, 30, 90, 180, 365]),
    st.sampled_from(["none", "any"]),
    st.booleans(),
    st.integers(0, 5),
)
def test_rolling_forward_at_once_is_what_asking_ahead_one_by_one_gives(
    history: list, later_ms: int, horizon_days: int, true_when: str, within_own_gap: bool, seed: int
) -> None:
    states = folded(history)
    weekly = weekly_model(seed, bias=-3.0)
    hazard = HazardModel(weekly, horizon_days, true_when, within_own_gap)
    now_ms = int(max(START_MS, states["features"]["last_event_ms"].max())) + later_ms
    matrix = model_matrix(states, now_ms)
    bought = np.flatnonzero(states["features"]["last_purchase_ms"])  # of others nothing is said
    linear = weekly_model(seed + 10, bias=0.3)
    means = MeanLogit(linear, hazard), MeanLogit(linear, hazard, hazard_share=0.1)
    for model in (hazard, *means, MovedLogit(linear, hazard, 0.2)):
        at_once = probability(model, matrix)[bought]
        one_by_one = [slowly(model, states[row : row + 1], now_ms) for row in bought]
        assert at_once == pytest.approx(one_by_one, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(histories(), st.integers(0, 5))
def test_who_stays_silent_longer_is_never_likelier_to_have_bought_in_between(history: list, seed: int) -> None:
    states = folded(history)
    assume(states["features"]["last_event_ms"].max() > 0)
    matrix = model_matrix(states, int(states["features"]["last_event_ms"].max()))
    chances = [probability(HazardModel(weekly_model(seed, -2.0), days), matrix) for days in range(1, 366, 7)]
    assert (np.diff(chances, axis=0) <= 1e-12).all()


@pytest.mark.parametrize(("days", "true_when"), [(0, "none"), (400, "none"), (30, "sometimes")])
def test_a_horizon_that_cannot_be_meant_is_refused(days: int, true_when: str) -> None:
    with pytest.raises(ValueError, match=str(days) if days != 30 else true_when):
        HazardModel(weekly_model(0, 0.0), days, true_when)
