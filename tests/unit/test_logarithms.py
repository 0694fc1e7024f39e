"""Logarithms and exponentials of many numbers at once are those of the C library, whoever stands beside."""

from collections.abc import Callable

import numpy as np
import pytest

from stream.logarithms import fill_exponentials, fill_logarithms

RANDOM = np.random.default_rng(3)
ODD = [1.0, 1.0 + 2.0**-52, 2.0, 1e-300, 1e300]
NUMBERS = {
    fill_logarithms: np.concatenate([ODD, np.exp(RANDOM.uniform(-80, 80, 4_000))]),
    fill_exponentials: np.concatenate([[0.0, -708.0, 708.0, 1e-300], RANDOM.uniform(-700, 700, 4_000)]),
}
LIBRARY = {fill_logarithms: np.log, fill_exponentials: np.exp}


@pytest.mark.parametrize("fill", NUMBERS)
def test_they_are_those_of_the_library(fill: Callable[[np.ndarray, int], None]) -> None:
    found, exact = NUMBERS[fill].copy(), LIBRARY[fill](NUMBERS[fill])
    fill(found, len(found))
    np.testing.assert_allclose(found, exact, rtol=1e-15, atol=1e-15 if fill is fill_logarithms else 0.0)


@pytest.mark.parametrize("fill", NUMBERS)
@pytest.mark.parametrize("together", [*range(1, 40), 100])
def test_a_number_has_the_same_bits_alone_and_beside_others(
    fill: Callable[[np.ndarray, int], None], together: int
) -> None:
    at_once, apart = NUMBERS[fill][:100].copy(), NUMBERS[fill][:100].copy()
    fill(at_once, together)
    for place in range(together):
        fill(apart[place:], 1)
    assert at_once.tobytes() == apart.tobytes(), "and what comes after them stays"


def test_exponentials_end_where_floats_do() -> None:
    numbers = np.array([-np.inf, -1e9, 1e9])
    fill_exponentials(numbers, 3)
    assert numbers.tolist() == pytest.approx([np.exp(-708.0), np.exp(-708.0), np.exp(708.0)], rel=1e-15)
