"""Gain and lift are of rows, in whatever order these come."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offline.training.chances import gains
from offline.training.ranking import reached

ROWS = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=60).filter(
    lambda rows: any(happened for _, happened in rows)
)


@given(rows=ROWS, random=st.randoms(use_true_random=False))
def test_gain_and_lift_do_not_depend_on_the_order_of_rows(rows, random):
    exchanged = random.sample(rows, len(rows))
    one, other = (gains(*np.array(each, np.float64).T) for each in (rows, exchanged))
    assert one == other


@given(rows=ROWS, random=st.randoms(use_true_random=False))
def test_what_is_reached_is_the_mean_over_all_orders_of_rows_of_one_probability(rows, random):
    probability, value = np.array(rows, np.float64).T
    taken, ones = reached(probability, value)
    asked = random.randint(1, len(rows))
    last = np.sort(probability)[::-1][asked - 1]
    above, level = probability > last, probability == last
    expected = value[above].sum() + (asked - above.sum()) * value[level].mean()
    assert np.isclose(np.interp(asked, taken, ones), expected)
