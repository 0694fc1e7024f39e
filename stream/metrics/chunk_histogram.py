"""A histogram that takes the observations of a whole chunk at once: one pass over an array, not a call an event."""

from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class ChunkHistogram(Collector):
    """A histogram without labels, scraped as any other.

    Args:
        name: as Prometheus sees it, with its unit.
        documentation: what is observed.
        registry: to register with.
        buckets: upper bounds, rising; +Inf is added.

    >>> waits = ChunkHistogram("wait_seconds", "Waits.", registry=CollectorRegistry(), buckets=(0.1, 1.0))
    >>> waits.observe(np.array([0.05, 0.1, 7.0]))
    >>> [(sample.labels.get("le"), sample.value) for sample in next(iter(waits.collect())).samples][:3]
    [('0.1', 2.0), ('1.0', 2.0), ('+Inf', 3.0)]
    """

    def __init__(self, name: str, documentation: str, *, registry: CollectorRegistry, buckets: Sequence[float]) -> None:
        self.name, self.documentation = name, documentation
        self._bounds = np.array(buckets, np.float64)
        self._counts, self._sum = np.zeros(len(buckets) + 1, np.int64), 0.0
        self._lock = Lock()  # the process observes, a thread of the metrics server collects
        registry.register(self)

    def observe(self, values: NDArray[np.float64]) -> None:
        """Take in all values. What lies below zero, as the clocks of two machines have it, counts as zero."""
        values = np.maximum(values, 0.0)
        counts = np.bincount(np.searchsorted(self._bounds, values, side="left"), minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(values.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What has been observed so far."""
        with self._lock:
            below, total = np.cumsum(self._counts).tolist(), self._sum
        bounds = [*map(str, self._bounds.tolist()), "+Inf"]
        family = HistogramMetricFamily(self.name, self.documentation)
        family.add_metric([], list(zip(bounds, map(float, below), strict=True)), total)
        return [family]
