"""Laws of the columns: finite for every reachable state, and the same bits alone, in company, in any layout."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from stream.features.columns import (
    MODEL_COLUMNS,
    MOVING_COLUMNS,
    NATURAL_COLUMNS,
    SEGMENT_COLUMNS,
    matrix_of,
    model_matrix,
    natural,
    segments_of,
)
from tests.unit.features.histories import CUSTOMERS, START_MS, YEARS_3_MS, folded, histories


def segment_matrix(states, now_ms):
    return segments_of(natural(states, now_ms))


quick = settings(max_examples=100, deadline=None)
nows = st.integers(START_MS - DAY_MS, START_MS + 2 * YEARS_3_MS)


@quick
@given(histories(), nows)
def test_model_and_segment_columns_are_finite_whatever_now_is(history, now_ms):
    states = folded(history)
    for matrix, columns in (
        (model_matrix(states, now_ms), MODEL_COLUMNS),
        (segment_matrix(states, now_ms), SEGMENT_COLUMNS),
    ):
        assert matrix.shape == (CUSTOMERS, len(columns))
        assert matrix.flags.c_contiguous
        assert np.isfinite(matrix).all()
        assert (matrix >= 0).all()
    features = natural(states, now_ms)
    assert not any(np.isinf(features[name]).any() for name in NATURAL_COLUMNS)


@quick
@given(histories(), nows)
def test_a_customer_has_the_same_bits_alone_among_5000_and_in_any_layout(history, now_ms):
    few = folded(history)
    many = np.tile(few, 5_000 // CUSTOMERS)
    backwards, every_third = many[::-1], many[::CUSTOMERS]
    for matrix_at in (model_matrix, segment_matrix):
        alone = np.concatenate([matrix_at(few[row : row + 1], now_ms) for row in range(CUSTOMERS)])
        assert (matrix_at(many, now_ms) == np.tile(alone, (len(many) // CUSTOMERS, 1))).all()
        assert (matrix_at(backwards, now_ms)[::-1] == matrix_at(many, now_ms)).all()
        assert (matrix_at(every_third, now_ms) == alone[0]).all()
        assert (matrix_at(many, np.full(2 * len(many), now_ms)[::2]) == matrix_at(many, now_ms)).all()


@quick
@given(histories(), nows, nows)
def test_what_is_said_to_stand_still_does(history, now_ms, then_ms):
    states = folded(history)
    features, then = natural(states, now_ms), natural(states, then_ms)
    for name, entry in NATURAL_COLUMNS.items():
        if not entry.moves:
            np.testing.assert_array_equal(features[name], then[name], err_msg=name)
    standing = [name not in MOVING_COLUMNS for name in MODEL_COLUMNS]
    assert (matrix_of(features)[:, standing] == matrix_of(then)[:, standing]).all()


def test_no_customers_have_no_rows():
    assert model_matrix(folded([])[:0], START_MS).shape == (0, len(MODEL_COLUMNS))
    assert segment_matrix(folded([])[:0], START_MS).shape == (0, len(SEGMENT_COLUMNS))
