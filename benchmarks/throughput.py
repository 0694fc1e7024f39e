"""Events per second of everybody on one load, in turn and several times over, so that the machine's moods hit all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.comparing import EBB, OBVIOUS, Throughput
from benchmarks.contestants import Stand
from benchmarks.cpu import load_average
from benchmarks.redis_memory import bytes_per_customer
from benchmarks.steady import Steady, steady

Say = Callable[[str], None]


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        events: of the load.
        obvious_events: of those the obvious way works off: it is slow.
        rounds: how often everybody runs.
        processes: numbers of processes to try in the first round; the faster one goes on.
    """

    events: int
    obvious_events: int
    rounds: int
    processes: Sequence[int]

    def events_of(self, name: str) -> int:
        """How many events a contestant works off."""
        return min(self.obvious_events, self.events) if name == OBVIOUS else self.events


def measure(stand: Stand, names: Sequence[str], extent: Extent, customers: int, say: Say) -> Throughput:
    """Let everybody work off the log that is filled."""
    found = Throughput()
    for round_ in range(extent.rounds):
        for name in names:
            for processes in extent.processes if round_ == 0 else [found.best_processes(name)]:
                found.load_averages.append(load_average())
                run = _run(stand, name, processes, extent.events_of(name), found, customers)
                found.runs[name][processes].append(run)
                apart = "" if run.all_work else ", not all of them working"
                say(f"  {name} ×{processes}: {run.events_per_s:,.0f} events/s over {run.seconds:.1f} s{apart}")
    return found


def _run(stand: Stand, name: str, processes: int, events: int, found: Throughput, customers: int) -> Steady:
    with stand.start(name, processes) as running:
        measured = steady(running.work_off(events), events)
        if name == EBB and not found.bytes_per_customer:
            found.bytes_per_customer = bytes_per_customer(running.redis.address, customers)
    return measured
