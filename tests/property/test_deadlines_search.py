"""The search for the first change in silence finds what asking at every point, slowly and one by one, would find."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replaced

from schemas.units import DAY_MS
from stream.actions.alerts import ChurnRule
from stream.chunk import Models
from stream.customers.segments import SEGMENTS
from stream.decisions import decide, deciding, once
from stream.features.columns import MODEL_COLUMNS, model_matrix, natural, segments_of
from stream.features.layout import StateArray
from stream.scoring.clusters import assign
from stream.scoring.deadlines import POINTS, SHORTEST_SEARCH_MS
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit, probability
from stream.scoring.linear import LinearModel
from tests.property.chunk_histories import MODELS as FEW_COLUMNS
from tests.property.grown_trees import grown
from tests.unit.features.histories import CUSTOMERS, START_MS, YEARS_3_MS, folded, histories
from tests.world import CENTRES, TWO_OUTCOMES, silence_document

WIDTHS_MS = (SHORTEST_SEARCH_MS, SHORTEST_SEARCH_MS + 10_007, DAY_MS, 7 * DAY_MS, 28 * DAY_MS)


def every_column(seed: int) -> Models:
    """A model of all columns, and more centres than names."""
    random = np.random.default_rng(seed)
    width = len(MODEL_COLUMNS)
    numbers = (random.normal(1, 1, width), np.exp(random.normal(0, 0.5, width)), random.normal(0, 0.7, width))
    churn = LinearModel(MODEL_COLUMNS, *(tuple(map(float, column)) for column in numbers), bias=0.5)
    centres = replaced(
        CENTRES,
        means=(3.5, 1.1, 6.1, 4.5),
        scales=(1.9, 0.6, 1.3, 1.0),
        centres=tuple(tuple(map(float, centre)) for centre in random.normal(0, 1, (8, 4))),
        names=(*SEGMENTS[1:], "At Risk", "Need Attention"),
    )
    document = silence_document()
    return Models({"churn_30d": replaced(document, candidates={document.serving or "": churn})}, centres)


def rolled(models: Models) -> Models:
    """The same, its mean with a hazard."""
    document = models.outcomes["churn_30d"]
    linear = document.candidates[document.serving or ""]
    weekly = replaced(linear, weights=tuple(-weight for weight in linear.weights), bias=-2.0)
    mean = MeanLogit(linear, HazardModel(weekly, 180, within_own_gap=True))
    return Models({"churn_30d": replaced(document, candidates={document.serving or "": mean})}, models.segments)


def trees(models: Models, link: str) -> Models:
    """The same, with trees in place of its model."""
    document = models.outcomes["churn_30d"]
    model = grown(np.random.default_rng(4), trees=30, link=link)
    return Models({"churn_30d": replaced(document, candidates={document.serving or "": model})}, models.segments)


MODELS = {
    **FEW_COLUMNS,
    "every column": every_column(1),
    "every column, otherwise": every_column(2),
    "rolled forward": rolled(every_column(1)),
    "boosted trees": trees(every_column(1), "logit"),
    "a forest": trees(every_column(2), "mean"),
}


@st.composite
def customers(draw: st.DrawFn) -> tuple[StateArray, np.ndarray]:
    """States with something decided before, and a time for each."""
    states = folded(draw(histories()))
    features, block = states["features"], states["decision"]
    for row in range(CUSTOMERS):
        first_ms, last_ms = int(features["first_purchase_ms"][row]), int(features["last_purchase_ms"][row])
        block["segment"][row] = draw(st.integers(0, len(SEGMENTS) - 1)) if last_ms else 0
        block["episode_ms"][row] = draw(st.sampled_from([0, first_ms, last_ms]))
        block["alert"][row] = bool(block["episode_ms"][row]) and draw(st.booleans())
    later_ms = draw(st.lists(st.integers(0, YEARS_3_MS // 3), min_size=CUSTOMERS, max_size=CUSTOMERS))
    return states, np.maximum(features["last_event_ms"], START_MS) + np.array(later_ms)


@settings(max_examples=150, deadline=None)
@given(customers(), st.sampled_from([*MODELS]), st.sampled_from(WIDTHS_MS))
def test_the_search_finds_what_asking_slowly_finds(
    given_customers: tuple[StateArray, np.ndarray], models: str, width_ms: int
) -> None:
    states, now_ms = given_customers
    asked, rules = once(np.arange(CUSTOMERS), states, now_ms), replace(TWO_OUTCOMES, stale_after_ms=width_ms)
    decisions = decide(asked, deciding(MODELS[models], rules))
    for row in range(CUSTOMERS):
        alone = states[row : row + 1].copy()
        is_open, *each = said(alone, now_ms[row : row + 1], MODELS[models], rules.churn)
        decided = [at_once[0] for at_once in each]
        assert decided == [decisions.opens[row], decisions.closes[row], decisions.segment[row]]
        block, last_ms = alone["decision"], alone["features"]["last_purchase_ms"]
        block["segment"], block["alert"] = decided[2], (is_open and not decided[1]) or decided[0]
        block["episode_ms"] = last_ms if decided[0] else block["episode_ms"]
        points = now_ms[row] + width_ms * np.arange(1, POINTS + 1) // POINTS
        first = np.flatnonzero(changed(alone, points, MODELS[models], rules.churn))
        if not len(first):
            assert decisions.again_ms[row] == now_ms[row] + width_ms
            continue
        found_ms, late_ms = int(decisions.again_ms[row]), width_ms // SHORTEST_SEARCH_MS
        assert points[first[0]] - width_ms // POINTS - 1 <= found_ms <= points[first[0]]
        *before, now = changed(alone, np.arange(found_ms - late_ms, found_ms + 1), MODELS[models], rules.churn)
        assert now, "the customer has changed at the deadline, and not a little earlier"
        opens_anew = found_ms - late_ms <= now_ms[row]  # closed by a purchase, and open again at once
        assert opens_anew or not all(before)


@settings(max_examples=50, deadline=None)
@given(customers(), st.sampled_from([*MODELS]), st.integers(1, 2))
def test_a_customer_is_found_alike_alone_and_among_others(
    given_customers: tuple[StateArray, np.ndarray], models: str, group: int
) -> None:
    states, now_ms = given_customers
    asked = once(np.arange(CUSTOMERS), states, now_ms)
    parts = [asked.take(np.arange(at, min(at + group, CUSTOMERS))) for at in range(0, CUSTOMERS, group)]
    together, *apart = (decide(each, deciding(MODELS[models], TWO_OUTCOMES)) for each in (asked, *parts))
    for name in ("again_ms", "churn"):
        assert np.concatenate([getattr(each, name) for each in apart]).tobytes() == getattr(together, name).tobytes()


def changed(state: StateArray, times_ms: np.ndarray, models: Models, rule: ChurnRule) -> np.ndarray:
    """Whether a customer's alert or segment would be another, at each of some times."""
    _, opens, closes, segment = said(state, times_ms, models, rule)
    return opens | closes | (segment != state["decision"]["segment"])


def said(
    state: StateArray, times_ms: np.ndarray, models: Models, rule: ChurnRule
) -> tuple[bool, np.ndarray, np.ndarray, np.ndarray]:
    """Whether a customer's alert is open, opens, closes, and its segment, at some times, straight from the rules."""
    states = np.repeat(state, len(times_ms))
    features, block = state["features"][0], state["decision"][0]
    current, is_open = states["decision"]["segment"], bool(block["alert"])
    document, bought = models.outcomes.get("churn_30d"), features["last_purchase_ms"] > 0
    churn = np.full(len(times_ms), np.nan)
    if document and document.serving and bought:
        churn = probability(document.candidates[document.serving], model_matrix(states, times_ms))
    if models.segments and bought:
        current = assign(models.segments, segments_of(natural(states, times_ms)), current)
    columns = natural(states, times_ms)
    silence, gap = columns["since_last_purchase_days"], columns["mean_gap_days"]
    long = np.clip(rule.gap_multiple * gap, rule.silence_at_least_days, rule.silence_at_most_days)
    purchased = bool(features["last_purchase_ms"] > block["episode_ms"])
    opens = (not is_open and purchased) & (churn >= rule.open_probability) & (silence >= long)
    closes = is_open & (purchased | (churn < rule.close_probability))
    return is_open, opens, closes, current


@pytest.mark.parametrize("width_ms", WIDTHS_MS)
def test_an_alert_by_silence_alone_is_due_at_the_very_moment(width_ms: int) -> None:
    rules = replace(TWO_OUTCOMES, stale_after_ms=width_ms, churn=ChurnRule(open_probability=0.0))
    purchase = {"type": "purchase", "currency": "GBP", "lines": [{"product_id": "a", "quantity": 1, "unit_price": "5"}]}
    days = [
        (0, {**purchase, "event_id": f"e{day}", "event_time_ms": START_MS + day * DAY_MS, "customer_id": "a"})
        for day in (0, 10)
    ]
    crosses_ms = START_MS + 30 * DAY_MS  # 10 days between, so 20 of silence are long
    asked = once(np.arange(1), folded(days)[:1], np.array([crosses_ms - width_ms // 3]))
    models = FEW_COLUMNS["churn alone"]
    (found,) = decide(asked, deciding(models, rules)).again_ms.tolist()
    assert found == crosses_ms
