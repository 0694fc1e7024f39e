"""What a second worker brings on one machine, broker and Redis on the same cores.

Where two workers need more cores than there are, they share; so each may be held back to a share of one.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from typing import Any

from benchmarks.comparing import EBB
from benchmarks.contestants import Running
from benchmarks.handovers import Say
from benchmarks.held_back import HeldBack
from benchmarks.kafka_log import fill
from benchmarks.loads import records
from benchmarks.run import now_ms, stand
from benchmarks.steady import Steady, median_run, steady

COUNTS = (1, 2)
CPU_OF = ("worker", "redis", "kafka")
WHOLE = 1.0  # which an interpreter hardly exceeds


def measure(
    loads: Sequence[str], events: int, rounds: int, seed: int, say: Say, share: float = WHOLE
) -> dict[str, Any]:
    """Events a second and busy cores of one worker and of two, in turn; each may compute on `share` of a core."""
    return {load: _measured(load, events, rounds, seed, say, share) for load in loads}


def _measured(load: str, events: int, rounds: int, seed: int, say: Say, share: float) -> dict[str, Any]:
    runs: dict[int, list[Steady]] = {count: [] for count in COUNTS}
    with stand() as place:
        fill(place.kafka.address, records(load, events, seed, now_ms()), for_peers=False)
        for _ in range(rounds):
            for count in COUNTS:
                with place.start(EBB, count) as running, _held_back(running, share):
                    run = steady(running.work_off(events), events)
                runs[count].append(run)
                say(f"  {load}, {count} workers: {run.events_per_s:,.0f} events/s, {_busy(run):.2f} cores busy")
    ratios = [two.events_per_s / one.events_per_s for one, two in zip(*runs.values(), strict=True)]
    return {"times": round(median(ratios), 2), "rounds": rounds, "core_of_each": share} | {
        str(count): _told(median_run(of_count), all_work=all(run.all_work for run in of_count))
        for count, of_count in runs.items()
    }


def _held_back(running: Running, share: float) -> AbstractContextManager[object]:
    pids = [process.identity.pid for process in running.processes]
    return HeldBack(pids, share) if share < WHOLE else nullcontext()


def _told(run: Steady, *, all_work: bool) -> dict[str, Any]:
    return {
        "events_per_s": round(run.events_per_s),
        "cpu_us_per_event": {name: round(run.cpu_us[name], 1) for name in CPU_OF},
        "busy_cores": round(_busy(run), 2),
        "all_worked": all_work,
    }


def _busy(run: Steady) -> float:
    """Cores that workers, Redis and broker kept busy."""
    return sum(run.cpu_us[name] for name in CPU_OF) * run.events_per_s / 1e6
