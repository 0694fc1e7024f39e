"""What the compiled regressions learn, beside River and beside a batch fit."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim, preprocessing

from stream.learning.linear import (
    LEARNING_RATE,
    exported,
    exported_newton,
    fresh,
    learn_rows,
    mean_logit,
    restored,
    state_of,
)
from stream.learning.newton import move_means, prior
from stream.scoring.kinds import probability

COLUMNS = tuple(f"column {number}" for number in range(6))
READS = np.array([[True] * 6, [False, True, *[False] * 4]])


def wild(random: np.random.Generator, rows: int) -> np.ndarray:
    """Columns of very different sizes, one that never varies."""
    matrix = random.normal(0, 1, (rows, 6)) * 10.0 ** random.integers(-3, 6, 6)
    matrix[:, 5] = 3.25
    return matrix


def days_of(rows: int) -> np.ndarray:
    """Three labels mature on a day."""
    return 14_600 + np.arange(rows) // 3


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
    ours, before, days = fresh(READS), np.empty((rows, 3)), days_of(rows)
    learn_rows(ours, matrix[:cut], happened[:cut], days[:cut], before[:cut])
    learn_rows(ours, matrix[cut:], happened[cut:], days[cut:], before[cut:])
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
        beforehand = np.linalg.inv(prior(matrix.shape[1]))
        hessian = (rows * (p * (1 - p))[:, None]).T @ rows + beforehand
        weights += np.linalg.solve(hessian, rows.T @ (happened - p) - beforehand @ weights)
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
    days = days_of(6_000)
    learn_rows(learned, matrix[:half], happened[:half], days[:half], np.empty((half, 2)))
    recursive = probability(exported_newton(learned, COLUMNS), matrix[half:], COLUMNS)
    before = np.empty((1, 2))
    learn_rows(learned, matrix[half : half + 1], happened[half : half + 1], days[half : half + 1], before)
    assert before[0, 1] == pytest.approx(recursive[0], abs=1e-9)  # what it says just before it learns
    weights = fitted(matrix[:half], happened[:half])
    batch = 1 / (1 + np.exp(-(matrix[half:] @ weights[:-1] + weights[-1])))
    assert log_loss(recursive, happened[half:]) < log_loss(batch, happened[half:]) + 0.004
    np.testing.assert_allclose(learned.covariance, learned.covariance.T, atol=1e-12)
    assert (np.linalg.eigvalsh(learned.covariance) > 0).all()


def test_the_mean_logit_is_that_of_both() -> None:
    random = np.random.default_rng(1)
    matrix, learned = wild(random, 200), fresh(READS)
    learn_rows(learned, matrix, random.random(200) < 0.4, days_of(200), np.empty((200, 3)))
    both = exported(learned, 0, COLUMNS), exported_newton(learned, COLUMNS)
    logits = [np.log(p / (1 - p)) for p in (probability(model, matrix, COLUMNS) for model in both)]
    mixed = probability(mean_logit(*both), matrix, COLUMNS)
    np.testing.assert_allclose(np.log(mixed / (1 - mixed)), np.mean(logits, axis=0), atol=1e-9)


def test_what_is_restored_learns_on_bit_for_bit() -> None:
    random = np.random.default_rng(2)
    matrix, happened, days = wild(random, 300), random.random(300) < 0.4, days_of(300)
    whole, parted, before = fresh(READS), fresh(READS), np.empty((300, 3))
    learn_rows(whole, matrix, happened, days, before)
    learn_rows(parted, matrix[:237], happened[:237], days[:237], before[:237])
    parted = restored(state_of(parted), READS)
    learn_rows(parted, matrix[237:], happened[237:], days[237:], before[237:])
    assert state_of(parted) == state_of(whole)


def test_what_moves_the_mean_of_a_column_moves_no_logit_and_leaves_it_as_sure() -> None:
    random = np.random.default_rng(3)
    root, weights = random.normal(0, 1, (7, 7)), random.normal(0, 1, 7)
    covariance, shifts = root @ root.T, random.normal(0, 0.1, 6)
    rows = np.column_stack([random.normal(0, 1, (20, 6)), np.ones(20)])
    logits, unsure = rows @ weights, ((rows @ covariance) * rows).sum(axis=1)
    move_means(weights, covariance, shifts)
    rows[:, :6] -= shifts  # the same customers, standardised anew
    np.testing.assert_allclose(rows @ weights, logits, atol=1e-12)
    np.testing.assert_allclose(((rows @ covariance) * rows).sum(axis=1), unsure, atol=1e-12)
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)


@pytest.mark.parametrize("base_rate", [0.02, 0.9])
def test_how_rare_an_outcome_is_shows_after_some_hundred_labels(base_rate: float) -> None:
    random = np.random.default_rng(4)
    matrix, happened = random.normal(0, 1, (600, 6)), random.random(600) < base_rate
    learned = fresh(READS)
    learn_rows(learned, matrix, happened, days_of(600), np.empty((600, 3)))
    said = probability(exported_newton(learned, COLUMNS), matrix, COLUMNS).mean()
    assert said == pytest.approx(happened.mean(), abs=0.01)


def test_a_shop_that_changes_is_followed_however_old_it_is() -> None:
    """After six years of one base rate the intercept is less sure than as many labels of a week would make it."""
    matrix, happened = np.zeros((9_000, 6)), np.arange(9_000) % 3 == 0
    old, young = fresh(READS), fresh(READS)
    learn_rows(old, matrix, happened, days_of(9_000), np.empty((9_000, 3)))
    learn_rows(young, matrix, happened, np.full(9_000, 14_600), np.empty((9_000, 3)))
    assert old.covariance[-1, -1] > 2.0 * young.covariance[-1, -1]


def test_one_that_knew_fewer_columns_goes_on_and_learns_the_others_from_then_on() -> None:
    random = np.random.default_rng(5)
    matrix, happened, days = random.normal(2, 1, (900, 6)), random.random(900) < 0.4, days_of(900)
    before = fresh(READS[:, :4])
    learn_rows(before, matrix[:600, :4], happened[:600], days[:600], np.empty((600, 3)))
    saved = msgspec.structs.replace(state_of(before), counts=b"")  # as it was before columns were counted apart
    asked = matrix[600:]
    reads = np.array([[True] * 4 + [False] * 2, [False, True, *[False] * 4]])
    taken_up = restored(saved, reads)
    for m in (0, 1):
        same = probability(exported(before, m, COLUMNS[:4]), asked[:, :4], COLUMNS[:4])
        assert probability(exported(taken_up, m, COLUMNS), asked, COLUMNS).tobytes() == same.tobytes()
    same = probability(exported_newton(before, COLUMNS[:4]), asked[:, :4], COLUMNS[:4])
    assert probability(exported_newton(taken_up, COLUMNS), asked, COLUMNS).tobytes() == same.tobytes()
    learn_rows(taken_up, asked, happened[600:], days[600:], np.empty((300, 3)))
    np.testing.assert_allclose(taken_up.means, [*matrix[:, :4].mean(0), *asked[:, 4:].mean(0)], rtol=1e-9)
    np.testing.assert_allclose(taken_up.variances[4:], asked[:, 4:].var(0), rtol=1e-9)
    assert (taken_up.newton[4:6] != 0.0).all()
    assert (np.linalg.eigvalsh(taken_up.covariance) > 0).all()
