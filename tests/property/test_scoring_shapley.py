"""Shares of a score: they add up whatever the model, and are what Shapley's axioms and slower ways say."""

import math
from itertools import permutations
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline.training import as_data
from stream.features.columns import MODEL_COLUMNS
from stream.features.missed import MISSED_COLUMNS
from stream.features.read_back import row_of
from stream.scoring.explain import CONCEPT_NAMES, by_concept, concepts_of
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit, MovedLogit, probability
from stream.scoring.linear import FloatArray, LinearModel, constant
from stream.scoring.shapley import Says, logit, mixtures, shares
from stream.scoring.trees import TreeModel, answers

ensemble = pytest.importorskip("sklearn.ensemble")

SEEDS = st.integers(0, 2**32 - 1)
WIDTH = len(MODEL_COLUMNS)


def linear(seed: int, columns: tuple[str, ...] = MODEL_COLUMNS, bias: float = 0.0) -> LinearModel:
    random, width = np.random.default_rng(seed), len(columns)
    scales = np.where(random.random(width) < 0.1, 0.0, np.exp(random.normal(0, 0.5, width)))
    numbers = (random.normal(1, 1, width), scales, random.normal(0, 0.3, width))
    return LinearModel(columns, *(tuple(map(float, each)) for each in numbers), bias=bias)


def rows_of(seed: int, rows: int) -> FloatArray:
    """Logarithms and shares, none below 0."""
    return np.abs(np.random.default_rng(seed).normal(1.0, 1.0, (rows, WIDTH)))


@pytest.fixture(scope="module")
def learned() -> tuple[FloatArray, np.ndarray]:
    """Rows, and what became of them."""
    matrix = rows_of(1, 2_000)
    chance = 1 / (1 + np.exp(2 * matrix[:, 3] - 1.5 * matrix[:, 0] * matrix[:, 20]))
    return matrix, np.random.default_rng(2).random(2_000) < chance


@pytest.fixture(scope="module")
def boosted(learned: tuple[FloatArray, np.ndarray]) -> Any:
    return ensemble.HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(*learned)


@pytest.fixture(scope="module")
def forest(learned: tuple[FloatArray, np.ndarray]) -> TreeModel:
    """Pure leaves: some rows have probability 0 or 1."""
    return as_data.forest(ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(*learned), MODEL_COLUMNS)


def kinds(seed: int) -> dict[str, Says]:
    """Every kind of model that serves."""
    mixed = linear(seed, bias=0.5)
    hazards = {
        f"hazard {word}": HazardModel(linear(seed + 1, bias=-2.5), days, word, own)
        for word, days, own in (("none", 180, True), ("any", 30, False))
    }
    models = {
        "linear": mixed,
        "with what is made": linear(seed, (*MODEL_COLUMNS, *MISSED_COLUMNS), bias=0.5),
        "its hazard": HazardModel(linear(seed + 1, (*MODEL_COLUMNS, *MISSED_COLUMNS), bias=-2.5), 90),
        "calibrated": msgspec.structs.replace(mixed, weights=tuple(0.7 * w for w in mixed.weights), bias=0.2),
        "floor": linear(seed, ("log_since_last_purchase_days",)),
        "base rate": constant(0.3),
        **hazards,
        "mean": MeanLogit(mixed, hazards["hazard none"]),
        "moved": MovedLogit(mixed, hazards["hazard any"], 0.2),
    }
    return {name: _says(model) for name, model in models.items()}


def _says(model: object) -> Says:
    return lambda rows: probability(model, rows)


def shared(says: Says, row: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shares of the logit, and the logits of all mixtures."""
    worth = logit(mixtures(says, row[None], reference)[0])
    return shares(worth), worth


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_shares_of_every_kind_add_up_to_the_logit_and_to_the_probability(
    boosted: Any, forest: TreeModel, seed: int
) -> None:
    row, reference = rows_of(seed, 2)
    trees = {"boosted": as_data.boosted(boosted, MODEL_COLUMNS), "forest": forest}
    every = kinds(seed) | {name: _answers(model) for name, model in trees.items()}
    for name, says in every.items():
        p, of_reference = says(np.stack([row, reference]))
        worth = mixtures(says, row[None], reference)[0]
        assert (worth[0], worth[-1]) == (of_reference, p), name
        assert shares(worth).sum() == pytest.approx(p - of_reference, abs=1e-9), name
        assert shares(logit(worth)).sum() == pytest.approx(logit(p) - logit(of_reference), abs=1e-9), name


def _answers(model: TreeModel) -> Says:
    return lambda rows: answers(model, rows)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_of_a_linear_model_they_are_what_its_columns_add(seed: int) -> None:
    row, reference = rows_of(seed, 2)
    model = linear(seed, bias=0.4)
    of_row, of_reference = by_concept(model, np.stack([row, reference]))
    found, _ = shared(_says(model), row, reference)
    np.testing.assert_allclose(found, of_row - of_reference, rtol=0, atol=1e-9)


def test_of_boosted_trees_they_add_up_to_what_scikit_learn_decides(
    boosted: Any, learned: tuple[FloatArray, np.ndarray]
) -> None:
    rows, reference = learned[0][:200], learned[0].mean(axis=0)
    worth = logit(mixtures(_answers(as_data.boosted(boosted, MODEL_COLUMNS)), rows, reference))
    decided = boosted.decision_function(rows) - boosted.decision_function(reference[None])
    np.testing.assert_allclose(shares(worth).sum(axis=1), decided, rtol=0, atol=1e-9)
    assert np.abs(shares(worth)).max() > 0.5


def by_every_order(worth: FloatArray, players: int) -> FloatArray:
    """Shapley's definition: the mean gain over all orders in which the players come."""
    found = np.zeros(players)
    for order in permutations(range(players)):
        coalition = 0
        for player in order:
            found[player] += worth[coalition | 1 << player] - worth[coalition]
            coalition |= 1 << player
    return found / math.factorial(players)


@given(SEEDS, st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_shares_are_the_mean_gain_over_every_order(seed: int, players: int) -> None:
    worth = np.random.default_rng(seed).normal(0, 3, 1 << players)
    np.testing.assert_allclose(shares(worth), by_every_order(worth, players), rtol=0, atol=1e-12)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_players_that_do_the_same_get_the_same_and_one_that_does_nothing_gets_nothing(seed: int) -> None:
    """Of five players the first two are exchangeable and the last never matters."""
    random = np.random.default_rng(seed)
    of_counts = random.normal(0, 3, (3, 2, 2))
    members = (np.arange(32)[:, None] >> np.arange(5)) % 2
    found = shares(of_counts[members[:, 0] + members[:, 1], members[:, 2], members[:, 3]])
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert found[4] == 0.0


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_concept_that_a_model_does_not_read_or_that_does_not_differ_adds_exactly_nothing(seed: int) -> None:
    row, reference = rows_of(seed, 2)
    alike = np.array([concepts_of(name) == "spend" for name in MODEL_COLUMNS])
    row[alike] = reference[alike]
    unread = tuple(name for name in MODEL_COLUMNS if concepts_of(name) != "engagement")
    model = MeanLogit(linear(seed, unread), HazardModel(linear(seed + 1, unread, bias=-2.0), 90))
    found, _ = shared(_says(model), row, reference)
    named = dict(zip(CONCEPT_NAMES, found.tolist(), strict=True))
    assert (named["spend"], named["engagement"]) == (0.0, 0.0)
    assert named["silence"] != 0.0


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_exchanging_customer_and_reference_turns_the_shares_round(seed: int) -> None:
    row, reference = rows_of(seed, 2)
    for says in kinds(seed).values():
        there, _ = shared(says, row, reference)
        back, _ = shared(says, reference, row)
        np.testing.assert_allclose(there, -back, rtol=0, atol=1e-9)


def test_a_customer_is_the_same_alone_and_among_others() -> None:
    rows, reference = rows_of(3, 7), row_of({})
    for says in kinds(4).values():
        together = shares(logit(mixtures(says, rows, reference)))
        apart = np.concatenate([shares(logit(mixtures(says, rows[at : at + 1], reference))) for at in range(7)])
        np.testing.assert_allclose(together, apart, rtol=0, atol=1e-12)
