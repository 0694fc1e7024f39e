"""Figures of probabilities, beside those of scikit-learn; intervals that know which rows are of one customer."""

import numpy as np
import pytest

from offline.backtest.figures import calibration_error, compare, judge

metrics = pytest.importorskip("sklearn.metrics")
DRAW = np.random.default_rng(3)


def shop(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with ties, and what happened."""
    probability = DRAW.beta(2, 3, rows).round(2).clip(0.01, 0.99)
    return probability, (DRAW.random(rows) < probability).astype(float)


def test_figures_are_those_of_scikit_learn() -> None:
    probability, value = shop(3_000)
    figures = judge(probability, value)
    assert figures.auc == pytest.approx(metrics.roc_auc_score(value, probability))
    assert figures.pr_auc == pytest.approx(metrics.average_precision_score(value, probability))
    assert figures.log_loss == pytest.approx(metrics.log_loss(value, probability))
    assert figures.brier == pytest.approx(metrics.brier_score_loss(value, probability))


def test_calibration_is_judged_in_bins_of_equal_size() -> None:
    probability = np.repeat([0.05, 0.95], [900, 100])
    value = np.concatenate([np.repeat([1.0, 0.0], [45, 855]), np.repeat([1.0, 0.0], [55, 45])])
    assert calibration_error(probability, value) == pytest.approx(0.1 * 0.4)
    assert calibration_error(np.full(10, 0.3), np.repeat([1.0, 0.0], [5, 5])) == pytest.approx(0.2)


def test_intervals_hold_the_difference_and_do_not_shrink_when_the_rows_of_customers_repeat() -> None:
    probability, value = shop(600)
    other = np.clip(probability + DRAW.normal(0, 0.2, 600), 0.01, 0.99)
    customer = np.arange(600)
    once = compare(probability, other, value, customer)
    weekly = compare(*(np.tile(each, 10) for each in (probability, other, value, customer)))
    for name in ("auc", "log_loss", "brier"):
        one, ten = getattr(once, name), getattr(weekly, name)
        assert one.low < one.difference < one.high
        assert ten.difference == pytest.approx(one.difference)
        assert ten.high - ten.low == pytest.approx(one.high - one.low)
    assert once.log_loss.high < 0 < once.auc.low
    same = compare(probability, probability, value, customer).auc
    assert (same.difference, same.low, same.high) == (0, 0, 0)
