"""How many clusters: three measures, each with a vote, and how far the clusters come again in resampled shops."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from offline.backtest.rows import FloatArray, IntArray
from offline.scikit_learn import (
    AgglomerativeClustering,
    KMeans,
    adjusted_rand_score,
    davies_bouldin_score,
    silhouette_score,
)

SEED = 20
STARTS = 10  # of k-means, from other first centres; the best is kept
MEASURED = 3_000  # customers for measures that compare each with each
REFERENCES = 8  # shops without clusters, for the gap
RESAMPLED = 10  # shops for stability


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks for a number of clusters.

    Attributes:
        clusters: how many.
        silhouette: mean of how much nearer a customer is to its own cluster than to the next (Rousseeuw 1987); more
            is better.
        davies_bouldin: how wide clusters are for the distance of their centres (Davies and Bouldin 1979); less is
            better.
        gap: how much tighter they are than those of customers spread evenly, in logarithms (Tibshirani, Walther and
            Hastie 2001), and `gap_error`, its standard error.
        stability: mean adjusted Rand index of clusters and those of resampled shops (Hubert and Arabie 1985): 1 where
            all customers come together again, 0 as by chance.
    """

    clusters: int
    silhouette: float
    davies_bouldin: float
    gap: float
    gap_error: float
    stability: float


class Votes(msgspec.Struct, frozen=True, kw_only=True):
    """The number of clusters each measure is for, and the middle one of the three."""

    silhouette: int
    davies_bouldin: int
    gap: int

    @property
    def chosen(self) -> int:
        """The middle one: a measure that goes for the fewest or the most is outvoted."""
        return sorted((self.silhouette, self.davies_bouldin, self.gap))[1]


@dataclass(frozen=True)
class Hierarchy:
    """Ward's clusters of a sample.

    Attributes:
        heights: of the last merges, the largest first: how far apart was what they joined.
        agreement: adjusted Rand index of k-means and of as many of Ward's clusters, on the sample.
        customers: in the sample.
    """

    heights: Sequence[float]
    agreement: float
    customers: int


def k_means(places: FloatArray, clusters: int, starts: int = STARTS) -> tuple[FloatArray, IntArray]:
    """Centres, shape (clusters, columns), and the cluster of each customer."""
    fitted = KMeans(clusters, n_init=starts, random_state=SEED).fit(places)
    return fitted.cluster_centers_, fitted.labels_.astype(np.int64)


def measure(places: FloatArray, clusters: int, told: Callable[[], None]) -> Measures:
    """Measure a number of clusters.

    Args:
        places: shape (customers, columns), standardised.
        clusters: at least 2, fewer than customers.
        told: hears when it is done.
    """
    some = _some(places)
    _, labels = k_means(some, clusters)
    gap, error = _gap(some, clusters)
    measures = Measures(
        clusters=clusters,
        silhouette=float(silhouette_score(some, labels)),
        davies_bouldin=float(davies_bouldin_score(some, labels)),
        gap=gap,
        gap_error=error,
        stability=_stability(some, labels, clusters),
    )
    told()
    return measures


def votes(measures: Sequence[Measures]) -> Votes:
    """What each measure is for; that of the gap is the fewest clusters that more do not improve beyond its error.

    >>> of = dict(silhouette=.3, davies_bouldin=1.0, gap_error=.01, stability=.9)
    >>> votes([Measures(clusters=k, gap=gap, **of) for k, gap in ((3, .1), (4, .3), (5, .3))])
    Votes(silhouette=3, davies_bouldin=3, gap=4)
    """
    enough = [one for one, more in pairwise(measures) if one.gap >= more.gap - more.gap_error]
    return Votes(
        silhouette=max(measures, key=lambda each: each.silhouette).clusters,
        davies_bouldin=min(measures, key=lambda each: each.davies_bouldin).clusters,
        gap=(enough or measures[-1:])[0].clusters,
    )


def hierarchy(places: FloatArray, clusters: int, shown: int = 20) -> Hierarchy:
    """Ward's hierarchical clusters of a sample (Ward 1963), beside k-means of the same."""
    some = _some(places)
    ward = AgglomerativeClustering(clusters, linkage="ward", compute_distances=True).fit(some)
    agreement = float(adjusted_rand_score(k_means(some, clusters)[1], ward.labels_))
    return Hierarchy(np.sort(ward.distances_)[::-1][:shown].tolist(), agreement, len(some))


def _some(places: FloatArray) -> FloatArray:
    some: FloatArray = places[np.sort(np.random.default_rng(SEED).permutation(len(places))[:MEASURED])]
    return some


def _gap(places: FloatArray, clusters: int) -> tuple[float, float]:
    drawn = np.random.default_rng(SEED)
    low, high = places.min(axis=0), places.max(axis=0)
    even = np.array([_spread(drawn.uniform(low, high, places.shape), clusters) for _ in range(REFERENCES)])
    return float(even.mean() - _spread(places, clusters)), float(even.std() * np.sqrt(1 + 1 / REFERENCES))


def _spread(places: FloatArray, clusters: int) -> float:
    """The logarithm of the squares within clusters."""
    return float(np.log(KMeans(clusters, n_init=2, random_state=SEED).fit(places).inertia_))


def _stability(places: FloatArray, labels: IntArray, clusters: int) -> float:
    drawn = np.random.default_rng(SEED)
    agreements = []
    for _ in range(RESAMPLED):
        resampled = places[drawn.integers(len(places), size=len(places))]
        again = KMeans(clusters, n_init=3, random_state=SEED).fit(resampled).predict(places)
        agreements.append(adjusted_rand_score(labels, again))
    return float(np.mean(agreements))
