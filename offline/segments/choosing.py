"""How many clusters: three measures, each with a vote, and how far the clusters come again in resampled shops.

Each measure is the mean over several draws of customers, and its standard error tells what another draw would say:
nothing closer than that decides.
"""

from collections.abc import Callable, Iterator, Sequence
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
DRAWS = 8  # of customers, for each measure; of the gap also as many shops without clusters
DRAWN = 1_500  # customers of a draw, or half of all: the silhouette compares each with each, .04 s of CPU a time
DRAW_STARTS = 4  # of k-means in a draw
MEASURED = 3_000  # customers for stability and for Ward's clusters
RESAMPLED = 10  # shops for stability


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks for a number of clusters.

    Draws are halves of all customers, of which a mean differs from one to the other as it would between whole shops
    (the delete-half jackknife; Shao and Wu 1989). Of more than twice `DRAWN` customers they are smaller, and errors
    larger than that.

    Attributes:
        clusters: how many.
        silhouette: mean of how much nearer a customer is to its own cluster than to the next (Rousseeuw 1987); more
            is better. `silhouette_error` is its standard error, the standard deviation between draws.
        davies_bouldin: how wide clusters are for the distance of their centres (Davies and Bouldin 1979); less is
            better. `davies_bouldin_error` likewise.
        gap: how much tighter they are than those of customers spread evenly, in logarithms (Tibshirani, Walther and
            Hastie 2001), and `gap_error`, its standard error.
        stability: mean adjusted Rand index of clusters and those of resampled shops (Hubert and Arabie 1985): 1 where
            all customers come together again, 0 as by chance.
    """

    clusters: int
    silhouette: float
    silhouette_error: float
    davies_bouldin: float
    davies_bouldin_error: float
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
    """The best of some runs of k-means.

    Args:
        places: shape (customers, columns), standardised.
        clusters: how many.
        starts: how many runs, each from other centres.

    Returns:
        Centres, shape (clusters, columns), and the cluster of each customer.
    """
    fitted = KMeans(clusters, n_init=starts, random_state=SEED).fit(places)
    return fitted.cluster_centers_, fitted.labels_.astype(np.int64)


def measure(places: FloatArray, clusters: int, told: Callable[[], None]) -> Measures:
    """Measure a number of clusters.

    Args:
        places: shape (customers, columns), standardised. Draws depend on their order, so `in_order` comes first.
        clusters: at least 2, fewer than customers.
        told: hears when it is done.
    """
    found = np.array([_of_draw(some, clusters) for some in _draws(places, clusters)])
    (silhouette, davies_bouldin, spread), errors = found.mean(axis=0), found.std(axis=0, ddof=1)
    even = np.array([_spread(some, clusters)[0] for some in _even_draws(places, clusters)])
    some = _some(places)
    measures = Measures(
        clusters=clusters,
        silhouette=float(silhouette),
        silhouette_error=float(errors[0]),
        davies_bouldin=float(davies_bouldin),
        davies_bouldin_error=float(errors[1]),
        gap=float(even.mean() - spread),
        gap_error=float(even.std() * np.sqrt(1 + 1 / DRAWS)),
        stability=_stability(some, k_means(some, clusters)[1], clusters),
    )
    told()
    return measures


def in_order(matrix: FloatArray) -> IntArray:
    """Places of rows in an order that only their values make: what is drawn by it is drawn whoever comes first.

    >>> in_order(np.array([[2.0, 1.0], [1.0, 3.0], [1.0, 2.0]])).tolist()
    [2, 1, 0]
    """
    order: IntArray = np.lexsort(matrix.T[::-1]).astype(np.int64)
    return order


def votes(measures: Sequence[Measures]) -> Votes:
    """What each measure is for: of the fewest clusters that are no worse than the best by more than its standard error.

    The gap is for the fewest that one more does not improve beyond the error of that (Tibshirani et al. 2001).

    >>> of = dict(silhouette_error=.01, davies_bouldin=1.0, davies_bouldin_error=.1, gap_error=.01, stability=.9)
    >>> found = ((3, .30, .1), (4, .34, .3), (5, .345, .3))
    >>> votes([Measures(clusters=k, silhouette=silhouette, gap=gap, **of) for k, silhouette, gap in found])
    Votes(silhouette=4, davies_bouldin=3, gap=4)
    """
    enough = [one for one, more in pairwise(measures) if one.gap >= more.gap - more.gap_error]
    clearest = max(measures, key=lambda each: each.silhouette)
    tightest = min(measures, key=lambda each: each.davies_bouldin)
    at_least = clearest.silhouette - clearest.silhouette_error
    at_most = tightest.davies_bouldin + tightest.davies_bouldin_error
    return Votes(
        silhouette=next(each.clusters for each in measures if each.silhouette >= at_least),
        davies_bouldin=next(each.clusters for each in measures if each.davies_bouldin <= at_most),
        gap=(enough or measures[-1:])[0].clusters,
    )


def hierarchy(places: FloatArray, clusters: int, shown: int = 20) -> Hierarchy:
    """Ward's hierarchical clusters of a sample (Ward 1963), beside k-means of the same.

    Args:
        places: shape (customers, columns), standardised, of which at most `MEASURED` are taken.
        clusters: how many.
        shown: how many heights of joins are kept, the last ones.
    """
    some = _some(places)
    ward = AgglomerativeClustering(clusters, linkage="ward", compute_distances=True).fit(some)
    agreement = float(adjusted_rand_score(k_means(some, clusters)[1], ward.labels_))
    return Hierarchy(np.sort(ward.distances_)[::-1][:shown].tolist(), agreement, len(some))


def _some(places: FloatArray) -> FloatArray:
    some: FloatArray = places[np.sort(np.random.default_rng(SEED).permutation(len(places))[:MEASURED])]
    return some


def _draws(places: FloatArray, clusters: int) -> Iterator[FloatArray]:
    """Some of the customers, the same at every call; all where those are too much alike for so many clusters."""
    drawn, size = np.random.default_rng(SEED), min(DRAWN, len(places) // 2)
    for _ in range(DRAWS):
        some = places[np.sort(drawn.permutation(len(places))[:size])]
        yield some if len(np.unique(some, axis=0)) > clusters else places


def _even_draws(places: FloatArray, clusters: int) -> Iterator[FloatArray]:
    """As many customers as in the draws, spread evenly."""
    drawn = np.random.default_rng(SEED)
    for some in _draws(places, clusters):
        yield drawn.uniform(places.min(axis=0), places.max(axis=0), some.shape)


def _of_draw(some: FloatArray, clusters: int) -> tuple[float, float, float]:
    """Silhouette, Davies-Bouldin index, and spread."""
    spread, labels = _spread(some, clusters)
    return float(silhouette_score(some, labels)), float(davies_bouldin_score(some, labels)), spread


def _spread(some: FloatArray, clusters: int) -> tuple[float, IntArray]:
    """The logarithm of the squares within clusters, and the cluster of each."""
    fitted = KMeans(clusters, n_init=DRAW_STARTS, random_state=SEED).fit(some)
    return float(np.log(fitted.inertia_)), fitted.labels_.astype(np.int64)


def _stability(places: FloatArray, labels: IntArray, clusters: int) -> float:
    drawn = np.random.default_rng(SEED)
    agreements = []
    for _ in range(RESAMPLED):
        resampled = places[drawn.integers(len(places), size=len(places))]
        again = KMeans(clusters, n_init=3, random_state=SEED).fit(resampled).predict(places)
        agreements.append(adjusted_rand_score(labels, again))
    return float(np.mean(agreements))
