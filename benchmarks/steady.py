"""From samples of how far somebody is to events per second and CPU per event; percentiles; medians of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

STEADY_FROM = 0.2  # of all events: before that, processes warm up and fetch queues fill


@dataclass(frozen=True)
class Sample:
    """At `time_s` so many events were `done`; CPU seconds by process, and anything else that only grows, so far."""

    time_s: float
    done: int
    spent: Mapping[str, float]


@dataclass(frozen=True)
class Steady:
    """The steady part of a run."""

    events_per_s: float
    cpu_us: dict[str, float]
    seconds: float


def steady(samples: Sequence[Sample], events: int, first: float = STEADY_FROM) -> Steady:
    """Rate and costs per event from `first` of the events to the last one.

    Args:
        samples: in the order of time; the last one has all events done.
        events: of the whole run.
        first: share of the events that does not count.

    >>> samples = [Sample(0, 0, {"worker": 0}), Sample(5, 20, {"worker": 4}), Sample(9, 100, {"worker": 8})]
    >>> steady(samples, 100)
    Steady(events_per_s=20.0, cpu_us={'worker': 50000.0}, seconds=4.0)
    """
    begin, end = _at(samples, first * events), _at(samples, events)
    counted, seconds = end.done - begin.done, end.time_s - begin.time_s
    spent = {name: (end.spent[name] - begin.spent.get(name, 0.0)) / counted * 1e6 for name in end.spent}
    return Steady(counted / seconds, spent, seconds)


def _at(samples: Sequence[Sample], done: float) -> Sample:
    """Where the straight line between two samples reaches `done`."""
    after = next(place for place, sample in enumerate(samples) if sample.done >= done)
    later, earlier = samples[after], samples[max(after - 1, 0)]
    part = (done - earlier.done) / (later.done - earlier.done) if later.done > earlier.done else 1.0
    spent = {
        name: earlier.spent.get(name, 0.0) + part * (later.spent[name] - earlier.spent.get(name, 0.0))
        for name in later.spent
    }
    return Sample(earlier.time_s + part * (later.time_s - earlier.time_s), round(done), spent)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed.

    >>> [percentile([5, 1, 3, 2, 4], share) for share in (0.5, 0.8, 0.99)]
    [3, 4, 5]
    """
    if not values:
        raise ValueError("there are no values to take a percentile of")
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def median_run(runs: Sequence[Steady]) -> Steady:
    """Medians over several runs, name by name."""
    names = dict.fromkeys(name for run in runs for name in run.cpu_us)
    return Steady(
        median(run.events_per_s for run in runs),
        {name: median(run.cpu_us.get(name, 0.0) for run in runs) for name in names},
        median(run.seconds for run in runs),
    )
