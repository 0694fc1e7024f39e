"""From samples of how far somebody is to events per second and CPU per event; percentiles; medians of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

import numpy as np

STEADY_FROM = 0.2  # of all events: before that, processes warm up and fetch queues fill


@dataclass(frozen=True)
class Sample:
    """How far somebody is.

    Attributes:
        time_s: of the sample, monotonic.
        done: events so far.
        spent: CPU seconds by process, and anything else that only grows, so far; some names in some samples only.
        all_work: whether every process has its share of the work.
    """

    time_s: float
    done: int
    spent: Mapping[str, float]
    all_work: bool = True


@dataclass(frozen=True)
class Steady:
    """The steady part of a run; `all_work` says whether every process worked in it."""

    events_per_s: float
    cpu_us: dict[str, float]
    seconds: float
    all_work: bool = True


def steady(samples: Sequence[Sample], events: int, first: float = STEADY_FROM) -> Steady:
    """Rate and costs per event from `first` of the events, or from when every process works, to the last event.

    Between two samples everything grows along a straight line.

    Args:
        samples: in the order of time; the last one has all events done.
        events: of the whole run.
        first: share of the events that does not count.

    >>> samples = [Sample(0, 0, {"worker": 0}), Sample(5, 20, {"worker": 4}), Sample(9, 100, {"worker": 8})]
    >>> steady(samples, 100)
    Steady(events_per_s=20.0, cpu_us={'worker': 50000.0}, seconds=4.0, all_work=True)
    """
    begin = first * events
    all_work = next((sample.done for sample in samples if sample.all_work and sample.done < events), None)
    if all_work is not None:
        begin = max(begin, all_work)
    begin_s, end_s = (_when(samples, done) for done in (begin, events))
    names = dict.fromkeys(name for sample in samples for name in sample.spent)
    spent = {name: _spent(samples, name, end_s) - _spent(samples, name, begin_s) for name in names}
    cpu_us = {name: seconds / (events - begin) * 1e6 for name, seconds in spent.items()}
    return Steady((events - begin) / (end_s - begin_s), cpu_us, end_s - begin_s, all_work is not None)


def _when(samples: Sequence[Sample], done: float) -> float:
    """When so many events were done."""
    after = next(place for place, sample in enumerate(samples) if sample.done >= done)
    later, earlier = samples[after], samples[max(after - 1, 0)]
    part = (done - earlier.done) / (later.done - earlier.done) if later.done > earlier.done else 1.0
    return earlier.time_s + part * (later.time_s - earlier.time_s)


def _spent(samples: Sequence[Sample], name: str, time_s: float) -> float:
    """How much was spent until then; nothing at the first sample, if the name is not in it."""
    known = [sample for sample in samples if name in sample.spent]
    times_s, values = [sample.time_s for sample in known], [sample.spent[name] for sample in known]
    if known[0] is not samples[0]:
        times_s, values = [samples[0].time_s, *times_s], [0.0, *values]
    return float(np.interp(time_s, times_s, values))


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
