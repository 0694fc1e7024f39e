"""Gauges that name one version: the old name goes when a new one comes, so that versions do not pile up as series."""

from prometheus_client import Gauge


def show_version(info: Gauge, shown: dict[str, str], name: str, version: str) -> None:
    """Set `info` to 1 for this version of `name` and forget the one in `shown` before it.

    >>> from prometheus_client import CollectorRegistry
    >>> info, shown = Gauge("model", "Version.", ["name", "version"], registry=CollectorRegistry()), {}
    >>> for version in ("1", "2"):
    ...     show_version(info, shown, "churn", version)
    >>> [sample.labels["version"] for metric in info.collect() for sample in metric.samples]
    ['2']
    """
    before = shown.get(name)
    if before is not None and before != version:
        info.remove(name, before)
    info.labels(name, version).set(1)
    shown[name] = version
