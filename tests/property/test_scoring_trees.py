"""Trees score a customer alike alone, among others and beside other models, and their shares are Shapley values."""

from itertools import combinations
from math import exp, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.features.model_columns import CONCEPTS, MODEL_COLUMNS
from stream.scoring.explain import CONCEPT_NAMES, by_concept, top_concepts
from stream.scoring.kinds import probability, roll_each, said, scorers, workspace
from stream.scoring.linear import LinearModel
from tests.property.grown_trees import grown, walked

SEEDS = st.integers(0, 2**32 - 1)


def rows(random, count):
    return np.abs(random.normal(1.5, 1.0, (count, len(MODEL_COLUMNS))))


@pytest.mark.parametrize("link", ["logit", "mean"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_score_has_the_same_bits_alone_among_5000_and_beside_other_models(link, order):
    random = np.random.default_rng(5)
    model, other = grown(random, trees=40, link=link), grown(random, trees=7)
    matrix = np.array(rows(random, 5_000), order=order)
    together = probability(model, matrix)
    for size in (1, 7, 512, 513):
        chunk = matrix[: 400 if size == 1 else 5_000]
        apart = np.concatenate([probability(model, chunk[at : at + size]) for at in range(0, len(chunk), size)])
        assert apart.tobytes() == together[: len(chunk)].tobytes()
    linear = LinearModel(MODEL_COLUMNS[:1], (0.0,), (1.0,), (1.0,), bias=0.5)
    beside, (hazards, scratch) = scorers((other, linear, model, None)), workspace(4)
    for at in range(50):
        roll_each(beside.models, np.ones(4, np.bool_), np.ascontiguousarray(matrix[at]), hazards, scratch)
        scored = [said(beside.models[m], beside.nodes, np.ascontiguousarray(matrix[at]), hazards) for m in range(4)]
        assert scored[:3] == [probability(each, matrix[at : at + 1])[0] for each in (other, linear, model)]
        assert np.isnan(scored[3])


@given(SEEDS, st.sampled_from(["logit", "mean"]))
@settings(max_examples=30, deadline=None)
def test_trees_say_what_walking_them_slowly_says(seed, link):
    random = np.random.default_rng(seed)
    model, matrix = grown(random, link=link), rows(random, 20)
    slowly = [walked(model, row) for row in matrix]
    expected = slowly if link == "mean" else [1 / (1 + exp(-logit)) for logit in slowly]
    np.testing.assert_allclose(probability(model, matrix), expected, rtol=1e-12)


def test_a_forest_that_is_sure_leaves_the_logarithm_finite():
    model = grown(np.random.default_rng(1), trees=1, leaves=1, link="mean")
    sure = [
        type(model)(model.columns, (0,), (-1,), (0.0,), (0,), (0,), (0,), (said,), link="mean") for said in (0.0, 1.0)
    ]
    said = [probability(each, np.zeros((1, len(MODEL_COLUMNS))))[0] for each in sure]
    assert 0.0 < said[0] < 1e-12
    assert 1.0 - 1e-12 < said[1] < 1.0


def mixed(row, reference, concepts):
    """A customer who has the columns of some concepts, and those of the reference else."""
    return np.where([CONCEPTS[name] in concepts for name in MODEL_COLUMNS], row, reference)


def shapley(model, row):
    """The mean, over all orders of the concepts, of what a concept changes when its turn comes."""
    reference, found = np.array(model.reference), []
    for name in CONCEPT_NAMES:
        others = [other for other in CONCEPT_NAMES if other != name]
        share = 0.0
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(len(others) - size) / factorial(len(CONCEPT_NAMES))
            for before in combinations(others, size):
                with_it = walked(model, mixed(row, reference, {*before, name}))
                share += weight * (with_it - walked(model, mixed(row, reference, before)))
        found.append(share)
    return found


@given(SEEDS, st.sampled_from(["logit", "mean"]))
@settings(max_examples=25, deadline=None)
def test_the_shares_of_concepts_are_shapley_values_and_add_up(seed, link):
    random = np.random.default_rng(seed)
    model, matrix = grown(random, trees=3, leaves=9, link=link), rows(random, 3)
    shares = by_concept(model, matrix)
    for row, found in zip(matrix, shares, strict=True):
        np.testing.assert_allclose(found, shapley(model, row), atol=1e-12)
        difference = walked(model, row) - walked(model, np.array(model.reference))
        assert found.sum() == pytest.approx(difference, abs=1e-12)
    best = top_concepts(model, matrix)[:, 0]
    for place, found in zip(best, shares, strict=True):
        assert place == (np.argmax(found) if found.max() > 0 else -1)
