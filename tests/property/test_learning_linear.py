"""What the compiled regressions learn, beside River and beside a batch fit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim, preprocessing

from stream.learning.linear import (
    LEARNING_RATE,
    PRIOR_VARIANCE,
    exported,
    exported_newton,
    fresh,
    learn_rows,
    mean_logit,
    restored,
    state_of,
)
from stream.scoring.linear import probability

COLUMNS = tuple(f"column {number}" for number in range(6))
READS = np.array([[True] * 6, [False, True, *[False] * 4]])


def wild(random: np.random.Generator, rows: int) -> np.ndarray:
    """Columns of very different sizes, one that never varies."""
    matrix = random.normal(0, 1, (rows, 6)) * 10.0 ** random.integers(-3, 6, 6)
    matrix[:, 5] = 3.25
    return matrix


class River:
    """River's own pipeline, with the clip between its steps, on some columns."""

    def __init__(self, reads: np.ndarray) -> None:
        self.scaler = preprocessing.StandardScaler()
        self.regression = linear_model.LogisticRegression(optim.AdaGrad(LEARNING_RATE))
        self.places = np.flatnonzero(reads).tolist()

    def learn(self, row: np.ndarray, happened: bool) -> None:
        self.scaler.learn_one(self.named(row))
        self.regression.learn_one(self.standardised(row), happened)

    def probability(self, row: np.ndarray) -> float:
        return float(self.regression.predict_proba_one(self.standardised(row))[True])

    def named(self, row: np.ndarray) -> dict[int, float]:
        return {place: float(row[place]) for place in self.places}

    def standardised(self, row: np.ndarray) -> dict[int, float]:
        scaled = self.scaler.transform_one(self.named(row))
        return {place: z if abs(z) < 6.0 else math.copysign(6.0, z) for place, z in scaled.items()}


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_gradient_descent_is_that_of_river(seed: int, rows: int, cut: int) -> None:
    random = np.random.default_rng(seed)
    matrix, happened = wild(random, rows), random.random(rows) < 0.4
    ours, before = fresh(READS), np.empty((rows, 3))
    learn_rows(ours, matrix[:cut], happened[:cut], before[:cut])
    learn_rows(ours, matrix[cut:], happened[cut:], before[cut:])
    others = [River(reads) for reads in READS]
    for row, came_true, said in zip(matrix, happened.tolist(), before, strict=True):
        assert said[:2] == pytest.approx([river.probability(row) for river in others], abs=1e-9)
        for river in others:
            river.learn(row, came_true)
    asked = matrix * random.normal(1, 1, (rows, 1))
    for m, river in enumerate(others):
        scored = probability(exported(ours, m, COLUMNS), asked, COLUMNS)
        np.testing.assert_allclose(scored, [river.probability(row) for row in asked], rtol=0, atol=1e-9)


def fitted(matrix: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """Ridge logistic regression by Newton's method, as sure of its weights beforehand; the intercept last."""
    rows = np.column_stack([matrix, np.ones(len(matrix))])
    weights = np.zeros(rows.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-rows @ weights))
        hessian = (rows * (p * (1 - p))[:, None]).T @ rows + np.eye(len(weights)) / PRIOR_VARIANCE
        weights += np.linalg.solve(hessian, rows.T @ (happened - p) - weights / PRIOR_VARIANCE)
    return weights


def log_loss(p: np.ndarray, happened: np.ndarray) -> float:
    return float(-np.log(np.where(happened, p, 1 - p)).mean())


@pytest.mark.parametrize("seed", range(5))
def test_recursive_newton_steps_predict_about_as_well_as_a_batch_fit(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix = random.normal(0, 1, (6_000, 6))
    matrix[:, 1] = 0.9 * matrix[:, 0] + 0.3 * matrix[:, 1]  # which gradient descent takes long to tell apart
    true = random.normal(0, 1, 6)
    happened = random.random(6_000) < 1 / (1 + np.exp(-(matrix @ true + 0.5)))
    learned, half = fresh(np.ones((1, 6), np.bool_)), 3_000
    learn_rows(learned, matrix[:half], happened[:half], np.empty((half, 2)))
    recursive = probability(exported_newton(learned, COLUMNS), matrix[half:], COLUMNS)
    before = np.empty((1, 2))
    learn_rows(learned, matrix[half : half + 1], happened[half : half + 1], before)
    assert before[0, 1] == pytest.approx(recursive[0], abs=1e-9)  # what it says just before it learns
    weights = fitted(matrix[:half], happened[:half])
    batch = 1 / (1 + np.exp(-(matrix[half:] @ weights[:-1] + weights[-1])))
    assert log_loss(recursive, happened[half:]) < log_loss(batch, happened[half:]) + 0.004
    np.testing.assert_allclose(learned.covariance, learned.covariance.T, atol=1e-12)
    assert (np.linalg.eigvalsh(learned.covariance) > 0).all()


def test_the_mean_logit_is_that_of_both() -> None:
    random = np.random.default_rng(1)
    matrix, learned = wild(random, 200), fresh(READS)
    learn_rows(learned, matrix, random.random(200) < 0.4, np.empty((200, 3)))
    both = exported(learned, 0, COLUMNS), exported_newton(learned, COLUMNS)
    logits = [np.log(p / (1 - p)) for p in (probability(model, matrix, COLUMNS) for model in both)]
    mixed = probability(mean_logit(*both), matrix, COLUMNS)
    np.testing.assert_allclose(np.log(mixed / (1 - mixed)), np.mean(logits, axis=0), atol=1e-9)


def test_what_is_restored_learns_on_bit_for_bit() -> None:
    random = np.random.default_rng(2)
    matrix, happened = wild(random, 100), random.random(100) < 0.4
    whole, parted, before = fresh(READS), fresh(READS), np.empty((100, 3))
    learn_rows(whole, matrix, happened, before)
    learn_rows(parted, matrix[:37], happened[:37], before[:37])
    parted = restored(state_of(parted), READS)
    learn_rows(parted, matrix[37:], happened[37:], before[37:])
    assert state_of(parted) == state_of(whole)
