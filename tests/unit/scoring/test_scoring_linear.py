import numpy as np
import pytest

from stream.scoring.kinds import probability
from stream.scoring.linear import LinearModel, sigmoid


def test_a_score_adds_weighted_clipped_standard_deviations_to_the_bias():
    model = LinearModel(("b", "a"), means=(1.0, 10.0), scales=(2.0, 5.0), weights=(1.0, -0.5), bias=0.25)
    matrix = np.array([[20.0, 3.0], [10.0, 1_001.0]])
    # First row: b = 3 is one deviation, a = 20 two. Second row: b is 500 deviations, counted as 6; a is at its mean.
    expected = 1 / (1 + np.exp(-np.array([0.25 + 1.0 - 1.0, 0.25 + 6.0])))
    np.testing.assert_allclose(probability(model, matrix, ("a", "b")), expected, rtol=1e-15)


def test_a_column_without_spread_contributes_nothing():
    model = LinearModel(("a",), means=(1.0,), scales=(0.0,), weights=(7.0,), bias=0.0)
    assert probability(model, np.array([[1e9]]), ("a",)).tolist() == [0.5]


def test_a_model_without_columns_gives_everyone_its_bias():
    model = LinearModel((), means=(), scales=(), weights=(), bias=-1.0)
    assert probability(model, np.zeros((3, 2)), ("a", "b")).tolist() == [sigmoid(-1.0)] * 3


def test_a_probability_is_never_0_or_1():
    model = LinearModel(("a",), means=(0.0,), scales=(1.0,), weights=(1e6,), bias=0.0)
    low, high = probability(model, np.array([[-9.0], [9.0]]), ("a",))
    assert 0.0 < low < 1e-12
    assert 1 - 1e-12 < high < 1.0


def test_the_matrix_is_left_as_it_was():
    matrix = np.asfortranarray([[5.0, 2.0]])
    probability(LinearModel(("a", "b"), (1.0, 1.0), (2.0, 2.0), (1.0, 1.0), 0.0), matrix, ("a", "b"))
    assert matrix.tolist() == [[5.0, 2.0]]


def test_a_column_that_the_matrix_lacks_is_named():
    model = LinearModel(("tenure",), (0.0,), (1.0,), (1.0,), 0.0)
    with pytest.raises(ValueError, match="no column 'tenure'"):
        probability(model, np.zeros((1, 1)), ("spend",))


def test_numbers_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="2 columns"):
        LinearModel(("a", "b"), (0.0,), (1.0, 1.0), (1.0, 1.0), 0.0)
