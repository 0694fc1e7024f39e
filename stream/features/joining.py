"""How two stored values of one customer become one: counters that stop at the end of their type, and latest values.

Two bytes hold 65,535: enough for shares and for what a person does. Four bytes hold seconds and points. A latest value
(the last rating, the newest profile) belongs to an order that only grows; among equal orders the largest value stays,
so that neither the order of arrival nor a merge can matter.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CountArray = NDArray[Any]
"""Unsigned, of 2 or 4 bytes."""


def add(a: CountArray, b: CountArray) -> CountArray:
    """Sums of equally shaped counters of one type.

    >>> add(np.array([65_000], np.uint16), np.array([1_000], np.uint16)).tolist()
    [65535]
    """
    return np.minimum(a.astype(np.int64) + b, np.iinfo(a.dtype).max).astype(a.dtype)


def merge_latest(a: NDArray[Any], order_a: NDArray[Any], b: NDArray[Any], order_b: NDArray[Any]) -> NDArray[Any]:
    """The value of the later order; of equal ones the larger.

    >>> merge_latest(np.array([5, 5]), np.array([10, 10]), np.array([2, 2]), np.array([20, 10])).tolist()
    [2, 5]
    """
    nothing = a.dtype.type(0)
    merged: NDArray[Any] = np.maximum(
        np.where(order_a >= order_b, a, nothing), np.where(order_b >= order_a, b, nothing)
    )
    return merged
