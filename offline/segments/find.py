"""Segments of a history: clusters of the active customers of a day, named as the stream names its own."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from offline.backtest.report import day_text
from offline.backtest.rows import FloatArray, IntArray
from offline.features.at_instants import Folding, fold_all
from offline.features.batches import Batch
from offline.scikit_learn import threadpool_limits
from offline.segments.choosing import Measures, Votes, hierarchy, in_order, k_means, measure, votes
from schemas.money import exponent_of
from schemas.units import DAY_MS
from stream.customers.segments import COLUMN_WEIGHTS, SEGMENTS, UNSEGMENTED, name_centres
from stream.errors import OfflineError
from stream.features.columns import SEGMENT_COLUMNS, natural, segments_of
from stream.features.layout import LAYOUT
from stream.features.model_columns import MAJOR
from stream.outcomes.declaration import ACTIVE_WITHIN_DAYS
from stream.scoring.clusters import assign
from stream.scoring.documents import SegmentDocument

Told = Callable[[int, int], None]
"""Is told how much is done, of how much."""

CUSTOMERS_AT_LEAST = 100
FEWEST, MOST = 3, 12  # clusters


@dataclass(frozen=True)
class Customers:
    """The active customers of a midnight.

    Attributes:
        day: days since 1970.
        ids: shape (customers,).
        matrix: shape (customers, len(SEGMENT_COLUMNS)), as the stream has them.
    """

    day: int
    ids: Sequence[str]
    matrix: FloatArray

    @property
    def data_hash(self) -> str:
        """SHA-256 of layout, day, customers and columns."""
        ids = "\n".join(self.ids)
        hashed = hashlib.sha256(f"{LAYOUT}\n{self.day}\n{ids}\n".encode())
        hashed.update(np.ascontiguousarray(self.matrix.astype("<f8")).tobytes())
        return hashed.hexdigest()


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster: its name, how many customers it has, and its centre in the units people use."""

    name: str
    customers: int
    silence_days: float
    purchase_days: float
    spend: float
    tenure_days: float


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; `metrics.json`, and what `--json` prints.

    Attributes:
        day: the midnight of the customers, YYYY-MM-DD.
        customers: how many.
        currency: of all money, such as "GBP".
        clusters: the named centres, the largest cluster first.
        sizes: segment -> customers, by the rule of the stream: nearest centre whose name fits the customer.
        measures: of each number of clusters that was looked at; empty where it was given.
        votes: what they are for; None where it was given.
        ward_agreement: adjusted Rand index of k-means and as many clusters of Ward's.
        ward_heights: of Ward's last merges, the largest first.
        ward_customers: in Ward's sample.
        stability: of the chosen number, as in `Measures`.
    """

    day: str
    customers: int
    currency: str
    clusters: Sequence[Cluster]
    sizes: dict[str, int]
    measures: Sequence[Measures]
    votes: Votes | None
    ward_agreement: float
    ward_heights: Sequence[float]
    ward_customers: int
    stability: float

    @property
    def titles(self) -> list[str]:
        """Number and name of each cluster, since several may share a name."""
        return [f"{number}: {each.name}" for number, each in enumerate(self.clusters, start=1)]


@dataclass(frozen=True)
class Finding:
    """What was found, the centres as data, and for plots each customer's place and cluster.

    Attributes:
        found: for people.
        document: the centres.
        places: shape (customers, len(SEGMENT_COLUMNS)), standardised.
        cluster: shape (customers,), of each its place in `found.clusters`.
    """

    found: Segments
    document: SegmentDocument
    places: FloatArray
    cluster: IntArray


def customers_of(
    batches: Iterable[Batch],
    instants_ms: IntArray,
    folder: Path,
    memory_bytes: int,
    told: Callable[[int], None] | None,
) -> Customers:
    """The active customers at the last of the instants that is not after the last event.

    Args:
        batches: of events.
        instants_ms: ascending midnights.
        folder: for what does not fit into memory.
        memory_bytes: of what does.
        told: hears how many events have been read.

    Raises:
        OfflineError: there are too few of them.
    """
    folding = Folding(instants_ms, folder, memory_bytes)
    fold_all(batches, folding, told)
    if not folding.events:
        raise OfflineError(
            "The history holds no event of a customer. Check the files, and --columns if they are files."
        )
    before = instants_ms[instants_ms <= folding.last_ms]
    at_ms = int(before[-1]) if len(before) else int(instants_ms[0])
    standings = list(folding.standings(since_ms=at_ms, until_ms=at_ms))
    parts = [segments_of(natural(each.states, at_ms)) for each in standings]
    matrix = np.concatenate([np.zeros((0, len(SEGMENT_COLUMNS))), *parts])
    names = folding.names
    customers = Customers(at_ms // DAY_MS, [names[at] for each in standings for at in each.place.tolist()], matrix)
    _refuse(customers)
    return customers


def _refuse(customers: Customers) -> None:
    day, count = day_text(customers.day * DAY_MS), len(customers.matrix)
    if count < CUSTOMERS_AT_LEAST:
        raise OfflineError(
            f"Only {count} had bought within {ACTIVE_WITHIN_DAYS} days before {day}: segments take "
            f"{CUSTOMERS_AT_LEAST} customers. Choose another --at, or give a longer history."
        )
    if not (customers.matrix.std(axis=0) > 0).any():
        raise OfflineError(
            f"All {count} customers of {day} are alike in silence, frequency, spend and tenure: there is nothing to "
            "tell apart. Check that times and amounts of the events are read (--columns)."
        )


def find(customers: Customers, clusters: int | None, currency: str, told: Told | None) -> Finding:
    """Cluster customers.

    Args:
        customers: of a day.
        clusters: how many; None lets the measures choose.
        currency: of all money, such as "GBP".
        told: hears of progress.

    Raises:
        OfflineError: there are fewer different customers than clusters.
    """
    order = in_order(customers.matrix)
    means, scales = _standards(customers.matrix[order])
    places = (customers.matrix[order] - means) / scales
    numbers = _numbers(places, clusters)
    with threadpool_limits(1):  # of so few customers threads wait for each other: on a busy machine five times the CPU
        measured = [measure(places, each, _step(told, at, len(numbers))) for at, each in enumerate(numbers, start=1)]
        voted = votes(measured)
        chosen = voted.chosen
        centres, cluster = k_means(places, chosen)
        tree = hierarchy(places, chosen)
    document = _document(customers, centres, means, scales)
    counts = np.bincount(cluster, minlength=chosen)
    largest_first = np.argsort(-counts, kind="stable")
    found = Segments(
        day=day_text(customers.day * DAY_MS),
        customers=len(places),
        currency=currency,
        clusters=[_cluster(document, place, int(counts[place]), currency) for place in largest_first.tolist()],
        sizes=_sizes(document, customers.matrix),
        measures=[] if clusters else measured,
        votes=None if clusters else voted,
        ward_agreement=tree.agreement,
        ward_heights=tree.heights,
        ward_customers=tree.customers,
        stability=next(each.stability for each in measured if each.clusters == chosen),
    )
    back = np.argsort(order)
    return Finding(found, document, places[back], np.argsort(largest_first)[cluster[back]])


def _numbers(places: FloatArray, clusters: int | None) -> list[int]:
    """The numbers of clusters to be measured: the one asked for, or as many as there may be.

    Raises:
        OfflineError: there are fewer different customers than clusters.
    """
    fewest, different = clusters or FEWEST, len(np.unique(places, axis=0))
    if different <= fewest:
        raise OfflineError(f"{different} different customers make no {fewest} clusters. Give more customers.")
    return [clusters] if clusters else list(range(FEWEST, min(MOST, different - 1) + 1))


def _document(customers: Customers, centres: FloatArray, means: FloatArray, scales: FloatArray) -> SegmentDocument:
    """The centres as the stream takes them."""
    return SegmentDocument(
        version=f"kmeans-{day_text(customers.day * DAY_MS)}-{customers.data_hash[:8]}",
        epoch_day=customers.day,
        layout=LAYOUT,
        means=tuple(means.tolist()),
        scales=tuple(scales.tolist()),
        centres=tuple(map(tuple, centres.tolist())),
        names=tuple(name_centres(centres.tolist(), means.tolist(), scales.tolist())),
        samples=len(customers.matrix),
    )


def _step(told: Told | None, done: int, of: int) -> Callable[[], None]:
    return (lambda: told(done, of)) if told else (lambda: None)


def _standards(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means, and what columns are divided by: a standard deviation over its weight; 1 where there is none."""
    deviations = matrix.std(axis=0)
    scales = np.where(deviations > 0, deviations / np.array(COLUMN_WEIGHTS), 1.0)
    return matrix.mean(axis=0), scales


def _cluster(document: SegmentDocument, place: int, customers: int, currency: str) -> Cluster:
    """A centre in the units people use."""
    row = np.expm1(np.array(document.centres[place]) * document.scales + document.means).tolist()
    return Cluster(
        name=document.names[place],
        customers=customers,
        silence_days=row[0],
        purchase_days=row[1],
        spend=row[2] * MAJOR / 10.0 ** exponent_of(currency),
        tenure_days=row[3],
    )


def _sizes(document: SegmentDocument, matrix: FloatArray) -> dict[str, int]:
    codes = assign(document, matrix, np.full(len(matrix), UNSEGMENTED, np.uint8))
    counts = np.bincount(codes, minlength=len(SEGMENTS)).tolist()
    return {name: count for name, count in zip(SEGMENTS, counts, strict=True) if count}
