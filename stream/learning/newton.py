"""Recursive Newton steps to a logistic regression: a Kalman filter on the logit, compiled.

Beside the weights there is how sure they are and how they hang together (`covariance`), so it learns as much from few
labels as a batch regression does. Fahrmeir and Kaufmann, Metrika 38, 1991.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays
from stream.scoring.linear import sigmoid

FloatArray = NDArray[np.float64]

PRIOR_VARIANCE = 0.1  # of a weight before the first label; of 1, .3 and .1 the best over six outcomes of two shops
INTERCEPT_VARIANCE = 10.0  # of the intercept: how rare an outcome is, is for labels to say, not for a prior
INTERCEPT_DRIFT = 2e-5  # a day, added to it: shops change; .09 of a logit in a year, where labels say nothing else
SETTLED_LABELS = 200  # until then means of columns jump, and weights have hardly been learned


def prior(columns: int) -> FloatArray:
    """How sure the weights of so many columns are before the first label, the intercept last."""
    return np.diag([*[PRIOR_VARIANCE] * columns, INTERCEPT_VARIANCE])


@compiled
def newton_logit(weights: Any, z: Any) -> Any:
    """What weights make of standardised columns; the intercept is the last weight."""
    logit = weights[len(z)]
    for k in range(len(z)):
        logit += weights[k] * z[k]
    return logit


@making_arrays
def newton_step(weights: Any, covariance: Any, z: Any, happened: bool) -> None:
    """Learn a label, in place: an extended Kalman filter whose observation is the label.

    With information p (1 - p) the covariance is the inverse Hessian so far.

    Args:
        weights: shape (k + 1,), the intercept last.
        covariance: shape (k + 1, k + 1), of the weights.
        z: shape (k,), standardised columns.
        happened: the label.

    >>> weights, covariance = np.zeros(2), prior(columns=1)
    >>> newton_step(weights, covariance, np.array([1.0]), True)
    >>> weights.round(3).tolist(), covariance.diagonal().round(3).tolist()
    ([0.014, 1.418], [0.099, 2.908])
    """
    size = len(weights)
    p = sigmoid(newton_logit(weights, z))
    moved = np.empty(size)  # covariance times row
    for i in range(size):
        total = covariance[i, size - 1]
        for k in range(size - 1):
            total += covariance[i, k] * z[k]
        moved[i] = total
    uncertain = moved[size - 1]
    for k in range(size - 1):
        uncertain += moved[k] * z[k]
    information = p * (1.0 - p)
    scale = 1.0 + information * uncertain
    surprise = ((1.0 if happened else 0.0) - p) / scale
    for i in range(size):
        weights[i] += moved[i] * surprise
        for k in range(size):
            covariance[i, k] -= information / scale * moved[i] * moved[k]


@making_arrays
def move_means(weights: Any, covariance: Any, shifts: Any) -> None:
    """Let weights mean what they meant, now that the means of the columns have moved, in place.

    A history grows older, and with it the average customer: standardised by a later mean, the same customer would have
    another logit. What the columns lose, the intercept gets.

    Args:
        weights: shape (k + 1,), the intercept last.
        covariance: shape (k + 1, k + 1).
        shifts: shape (k,), by how many standard deviations each mean has grown.
    """
    last = len(weights) - 1
    row = covariance[last].copy()
    for k in range(last):
        if shifts[k] != 0.0:
            weights[last] += weights[k] * shifts[k]
            for i in range(last + 1):
                row[i] += shifts[k] * covariance[k, i]
    variance = row[last]
    for k in range(last):
        variance += row[k] * shifts[k]
        covariance[last, k] = covariance[k, last] = row[k]
    covariance[last, last] = variance


@compiled
def grow_unsure(covariance: Any, days: float) -> None:
    """Let the intercept be less sure than so many days ago, in place."""
    covariance[-1, -1] += INTERCEPT_DRIFT * days
