"""Runs of everybody on one load, compared: medians, ratios within a round, and how they are written down."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.steady import Steady, median_run

EBB, SMALL_EBB, OBVIOUS, QUIX, DECODE_LIMIT = "ebb", "small_ebb", "obvious", "quix", "decode_limit"
CONTESTANTS = (EBB, SMALL_EBB, OBVIOUS, QUIX, DECODE_LIMIT)
STAGE, COMMITS = "stage_", "commits"


@dataclass
class Throughput:
    """Runs by contestant and number of processes."""

    runs: dict[str, dict[int, list[Steady]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    bytes_per_customer: dict[str, float] = field(default_factory=dict)
    load_averages: list[float] = field(default_factory=list)

    def best_processes(self, name: str) -> int:
        """The number of processes with which the contestant was faster in the first round."""
        return max(self.runs[name], key=lambda processes: self.runs[name][processes][0].events_per_s)

    def best(self, name: str) -> list[Steady]:
        """The runs with that many processes, one a round."""
        return self.runs[name][self.best_processes(name)]

    def ratio(self, name: str, other: str) -> float:
        """How many times as fast: the median over rounds, each compared with the same round."""
        pairs = zip(self.best(name), self.best(other), strict=True)
        return median(ours.events_per_s / theirs.events_per_s for ours, theirs in pairs)


def summary(found: Throughput, names: Sequence[str]) -> dict[str, Any]:
    """One load of the result, in the form of `benchmarks/results/latest.json`."""
    medians = {name: median_run(found.best(name)) for name in names}
    rates = {name: round(run.events_per_s) for name, run in medians.items()}
    told: dict[str, Any] = {name: rates.get(name) for name in (EBB, OBVIOUS, QUIX, DECODE_LIMIT)}
    told["cpu_us"] = _cpu(medians[EBB]) if EBB in medians else None
    commits = medians[EBB].cpu_us.get(COMMITS) if EBB in medians else None
    told["events_per_commit"] = round(1e6 / commits, 1) if commits else None
    told["cpu_us_peers"] = {name: _cpu(run) for name, run in medians.items() if name != EBB}
    told["bytes_per_customer"] = found.bytes_per_customer or None
    told["ratios"] = _ratios(found, EBB, names)
    told["processes"] = {name: found.best_processes(name) for name in names}
    told["rounds"] = {
        name: {str(count): [round(run.events_per_s) for run in runs] for count, runs in found.runs[name].items()}
        for name in names
    }
    told["load_average"] = [round(value, 2) for value in found.load_averages]
    return told


def small_summary(found: Throughput, names: Sequence[str]) -> dict[str, Any] | None:
    """The same load like for like."""
    if SMALL_EBB not in names:
        return None
    rates = {
        name: round(median_run(found.best(name)).events_per_s) for name in (SMALL_EBB, OBVIOUS, QUIX) if name in names
    }
    return {EBB: rates.pop(SMALL_EBB), **rates, "ratios": _ratios(found, SMALL_EBB, names)}


def _ratios(found: Throughput, name: str, names: Sequence[str]) -> dict[str, float]:
    others = (other for other in (OBVIOUS, QUIX, DECODE_LIMIT) if other in names and name in names)
    return {other: round(found.ratio(name, other), 3) for other in others}


def _cpu(run: Steady) -> dict[str, Any]:
    """CPU us per event by process; stages apart, since they are times of the wall."""
    processes = {
        name: round(us, 2) for name, us in run.cpu_us.items() if name != COMMITS and not name.startswith(STAGE)
    }
    stages = {name.removeprefix(STAGE): round(us, 2) for name, us in run.cpu_us.items() if name.startswith(STAGE)}
    return processes | ({"stages": stages} if stages else {})
