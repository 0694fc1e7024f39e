import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.customers.segments import SEGMENTS
from stream.features.columns import MODEL_COLUMNS
from stream.features.missed import MISSED_COLUMNS, with_missed
from stream.scoring.clusters import assign
from stream.scoring.documents import SegmentDocument
from stream.scoring.explain import by_concept
from stream.scoring.kinds import probability
from stream.scoring.linear import LinearModel

ROWS = 5_000
READ = (*MODEL_COLUMNS, *MISSED_COLUMNS)


def random_model(random):
    width = len(READ)
    scales = np.where(random.random(width) < 0.1, 0.0, np.exp(random.normal(0, 1, width)))
    numbers = (random.normal(0, 2, width), scales, random.normal(0, 1, width))
    means, scales, weights = (tuple(map(float, column)) for column in numbers)
    return LinearModel(READ, means, scales, weights, float(random.normal()))


def in_chunks(function, matrix, size):
    return np.concatenate([function(matrix[at : at + size], at) for at in range(0, len(matrix), size)])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("seed", range(3))
def test_a_score_has_the_same_bits_alone_and_among_5000(seed, order):
    random = np.random.default_rng(seed)
    model = random_model(random)
    matrix = np.array(random.normal(0, 3, (ROWS, len(MODEL_COLUMNS))), order=order)
    together = probability(model, matrix)
    for size in (1, 7, 1_000):
        chunk = 400 if size == 1 else ROWS
        apart = in_chunks(lambda rows, _: probability(model, rows), matrix[:chunk], size)
        assert apart.tobytes() == together[:chunk].tobytes()


def test_a_segment_is_the_same_alone_and_among_5000():
    random = np.random.default_rng(1)
    document = SegmentDocument(
        version="1",
        epoch_day=0,
        layout="",
        means=(3.5, 1.1, 6.1, 4.5),
        scales=(1.9, 0.6, 1.3, 1.0),
        centres=tuple(tuple(map(float, centre)) for centre in random.normal(0, 1, (8, 4))),
        names=(*SEGMENTS[1:], "At Risk", "Need Attention"),
        samples=500,
    )
    matrix = np.asfortranarray(random.normal(4, 2, (ROWS, 4)))
    current = random.integers(0, 7, ROWS).astype(np.uint8)
    together = assign(document, matrix, current)
    for size in (1, 7):
        apart = in_chunks(lambda rows, at: assign(document, rows, current[at : at + len(rows)]), matrix[:700], size)
        assert apart.tolist() == together[:700].tolist()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_concepts_add_up_to_the_logit(seed):
    random = np.random.default_rng(seed)
    model = random_model(random)
    matrix = random.normal(0, 1, (5, len(MODEL_COLUMNS)))
    logit = by_concept(model, matrix).sum(axis=1) + model.bias
    scored = probability(model, matrix)
    np.testing.assert_allclose(np.clip(logit, -30, 30), np.log(scored) - np.log1p(-scored), rtol=1e-3, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_what_is_made_of_columns_counts_as_if_it_were_among_them(seed):
    random = np.random.default_rng(seed)
    order = random.permutation(len(READ))
    model = random_model(random)
    shuffled = LinearModel(
        *(tuple(each[at] for at in order) for each in (READ, model.means, model.scales, model.weights)), model.bias
    )
    matrix = np.abs(random.normal(0.5, 1.0, (8, len(MODEL_COLUMNS))))
    matrix[:, [name.startswith("fresh_") for name in MODEL_COLUMNS]] %= 1.0
    scored = probability(shuffled, matrix)
    np.testing.assert_allclose(scored, probability(model, with_missed(matrix, MODEL_COLUMNS), READ), rtol=0, atol=1e-9)
