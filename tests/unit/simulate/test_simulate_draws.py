"""Draws depend on what they are for, and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebb.simulate.draws import Draws

WHO = np.arange(50_000)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000), st.lists(st.integers(0, 2**31), min_size=1, max_size=30))
def test_a_draw_is_the_same_alone_and_among_others(seed, day, customers):
    draws = Draws(seed)
    together = draws.bits("need", np.array(customers), day)
    assert together.tolist() == [int(draws.bits("need", customer, day)[0]) for customer in customers]


def test_other_seeds_purposes_and_counters_give_other_draws():
    drawn = [
        Draws(1).bits("need", WHO, 3),
        Draws(2).bits("need", WHO, 3),
        Draws(1).bits("looks", WHO, 3),
        Draws(1).bits("need", WHO, 4),
        Draws(1).bits("need", 3, WHO),
    ]
    assert len(np.unique(np.concatenate(drawn))) == 5 * len(WHO) - 2  # (3, 3) and (3, 4) are in two of them


@pytest.mark.parametrize(
    ("kind", "mean", "deviation"),
    [("uniform", 0.5, 12**-0.5), ("exponential", 1, 1), ("gamma4", 1, 0.5), ("normal", 0, 1)],
)
def test_distributions_have_the_mean_and_deviation_they_say(kind, mean, deviation):
    drawn = getattr(Draws(7), kind)("test", WHO)
    assert drawn.mean() == pytest.approx(mean, abs=5 * deviation / len(WHO) ** 0.5)
    assert drawn.std() == pytest.approx(deviation, rel=0.02)


def test_draws_of_neighbours_are_not_alike():
    drawn = Draws(7).uniform("test", WHO, 1)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.02
    assert abs(np.corrcoef(drawn, Draws(7).uniform("test", WHO, 2))[0, 1]) < 0.02
