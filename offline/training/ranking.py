"""Who is reached first: rows taken from the highest figure to the lowest, those of one figure evenly.

Rows come in the order of time. To take equal ones so would show what changed with time as if a model knew it:
one probability for everybody had a lift of 1.11 in the first tenth where an outcome became rarer, and .77 backwards.
"""

import numpy as np

from offline.backtest.rows import FloatArray, IntArray


def reached(figure: FloatArray, value: FloatArray) -> tuple[IntArray, FloatArray]:
    """How many rows are taken down to each level of a figure, and the sum of their values; both begin with 0.

    Between two levels both grow evenly.

    Args:
        figure: shape (rows,).
        value: shape (rows,).

    >>> reached(np.array([0.5, 0.9, 0.5]), np.array([1.0, 1.0, 0.0]))
    (array([0, 1, 3]), array([0., 1., 2.]))
    """
    place = np.unique(-figure, return_inverse=True)[1]
    rows, values = np.cumsum(np.bincount(place)), np.cumsum(np.bincount(place, value))
    return np.append(0, rows), np.append(0.0, values)
