"""Amounts of many at once read as one by one."""

import numpy as np
import pytest

from schemas.money import major_units
from stream.amounts import many_in_major_units

AMOUNTS = [0, 1, 9, 10, 99, 100, 101, 12_345, 10**15, 2**63 - 1, -1, -99, -100, -12_345, -(2**63) + 1]


@pytest.mark.parametrize("exponent", [0, 2, 3, 4])
def test_many_amounts_read_as_one_by_one(exponent):
    expected = [major_units(amount, exponent) for amount in AMOUNTS]
    assert many_in_major_units(np.array(AMOUNTS), exponent) == expected
