"""Cluster centres learned row by row, compiled: River's StandardScaler | KMeans (a test holds them together).

Sequential k-means: the nearest centre moves a step towards each row. MacQueen, Fifth Berkeley Symposium, 1967.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import cluster

from stream.compiled import compiled, making_arrays
from stream.scoring.linear import CLIP

FloatArray = NDArray[np.float64]


class Clusters(NamedTuple):
    """Everything learned, as arrays that are changed in place; k columns, c centres.

    Attributes:
        rows: shape (1,), rows learned.
        means, variances: shape (k,), of the columns so far (Welford).
        centres: shape (c, k), in weighted standard deviations.
    """

    rows: FloatArray
    means: FloatArray
    variances: FloatArray
    centres: FloatArray


def fresh(centres: int, columns: int, spread: float, seed: int) -> Clusters:
    """Nothing learned yet: centres where River draws them.

    Args:
        centres: how many.
        columns: how many.
        spread: standard deviations between the first centres and the average row.
        seed: of the draw.
    """
    drawn = cluster.KMeans(n_clusters=centres, mu=0, sigma=spread, seed=seed)
    drawn.predict_one(dict.fromkeys(range(columns), 0.0))  # River draws a centre when it is first looked at
    places = np.array([[centre[place] for place in range(columns)] for centre in drawn.centers.values()])
    return Clusters(np.zeros(1), np.zeros(columns), np.zeros(columns), places)


@making_arrays
def learn_rows(learned: Clusters, matrix: FloatArray, weights: FloatArray, first_step: float, step: float) -> None:
    """Learn rows one after another.

    Args:
        learned: is changed.
        matrix: shape (rows, k).
        weights: shape (k,), of the columns' standard deviations in a distance.
        first_step: how much of the way a centre moves at first, at most.
        step: at least; between the two it is the number of centres over that of rows.
    """
    at = np.empty(matrix.shape[1])
    for i in range(len(matrix)):
        _learn_moments(learned, matrix[i])
        for k in range(len(at)):
            deviation = np.sqrt(learned.variances[k])
            at[k] = (matrix[i, k] - learned.means[k]) / deviation if deviation > 0.0 else 0.0
            at[k] = min(max(at[k], -CLIP), CLIP) * weights[k]
        nearest = _nearest(learned.centres, at)
        share = max(step, min(first_step, len(learned.centres) / learned.rows[0]))
        for k in range(len(at)):
            learned.centres[nearest, k] += share * (at[k] - learned.centres[nearest, k])


@compiled
def _learn_moments(learned: Any, row: Any) -> None:
    learned.rows[0] += 1.0
    for k in range(len(row)):
        old = learned.means[k]
        learned.means[k] += (row[k] - old) / learned.rows[0]
        spread = (row[k] - old) * (row[k] - learned.means[k])
        learned.variances[k] += (spread - learned.variances[k]) / learned.rows[0]


@compiled
def _nearest(centres: Any, at: Any) -> int:
    """The first of the centres that are nearest."""
    nearest, least = 0, np.inf
    for place in range(len(centres)):
        distance = 0.0
        for k in range(len(at)):
            distance += (centres[place, k] - at[k]) ** 2
        if distance < least:
            nearest, least = place, distance
    return nearest
