"""How soon others take over, how fast a worker starts, and what delivery costs: `make bench-delivery`.

    python -m benchmarks.delivery --only rolling start --rounds 1 --customers 10000

Every section prints what it measures as it goes; the whole is written as JSON.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import Any

from benchmarks import full_start, handovers, safety_share, second_worker
from benchmarks.cpu import load_average, machine
from benchmarks.handovers import Say
from benchmarks.results import RESULTS
from benchmarks.run import stand

OUTPUT = RESULTS.with_name("delivery.json")
SECTIONS = ("killed", "rolling", "start", "safety", "second_worker", "held_back")
LOADS = ("uniform", "zipf")
CHUNK_CUSTOMERS = 1_000
CORE_OF_EACH = 0.2  # two workers, broker and Redis then need .7 of a core: even a busy machine has that


def main() -> None:
    """Measure, write, print."""
    given = _arguments()
    result = measured(given, _say)
    if given.output:
        given.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2) if given.json else table(result))


def measured(given: argparse.Namespace, say: Say) -> dict[str, Any]:
    """The result of the sections that were asked for."""
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "killed": lambda: _on_a_stand(lambda place: handovers.measure_kills(place, given.rounds, say)),
        "rolling": lambda: _on_a_stand(lambda place: handovers.measure_rolling(place, given.rounds, say)),
        "start": lambda: full_start.measure(given.customers, given.rounds, given.seed, say),
        "safety": lambda: safety_share.measure(CHUNK_CUSTOMERS, given.chunks, given.seed),
        "second_worker": lambda: second_worker.measure(LOADS, given.events, given.rounds, given.seed, say),
        "held_back": lambda: second_worker.measure(
            LOADS, given.events // 3, given.rounds, given.seed, say, CORE_OF_EACH
        ),
    }
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "seed": given.seed,
        "bytecode_kept": _bytecode_is_kept(),
        "load_average": {},
    }
    for name in given.only:
        say(name)
        before = load_average()
        result[name] = sections[name]()
        result["load_average"][name] = [round(before, 1), round(load_average(), 1)]
    return result


def _on_a_stand(measure: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    with stand() as place:
        return measure(place)


def _bytecode_is_kept() -> bool:
    """Whether what Python has compiled of libraries and Ebb is kept; else each start compiles it, in seconds."""
    specs = (find_spec(name) for name in ("numba", "aiokafka", "stream.engine"))
    return all(spec and spec.origin and Path(cache_from_source(spec.origin)).exists() for spec in specs)


def table(result: dict[str, Any]) -> str:
    """A result for people."""
    lines = [
        "" if result["bytecode_kept"] else "Python compiles anew at each start here: python -m compileall keeps it",
        *_killed(result.get("killed")),
        *_rolling(result.get("rolling")),
        *_start(result.get("start")),
        *_safety(result.get("safety")),
        *_second_worker(result.get("second_worker")),
        *_second_worker(result.get("held_back")),
    ]
    loads = (f"{name} {before} to {after}" for name, (before, after) in result["load_average"].items())
    cores = result["machine"]["cores"]
    return "\n".join(filter(None, [*lines, f"load average on {cores} cores: " + ", ".join(loads)]))


def _killed(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    above = found["above_timeout_s"]
    return [
        f"SIGKILL to the first commit by others, above the session timeout of {found['session_timeout_s']:g} s: "
        f"median {above['median']} s, at most {above['max']} s of 2 ({above['times']} times)"
    ]


def _rolling(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    ways = {
        "followed_s": "a successor starts beside it",
        "in_place_s": "stopped and started under its instance id",
        "left_s": "stopped and started without one",
    }
    lines = ["rolling restart, the longest that any partition rested, s of 3:"]
    for key, words in ways.items():
        lines.append(f"  {words:<44} median {found[key]['median']}, at most {found[key]['max']}")
    return [*lines, f"  {'in place':<12} {_steps(found['in_place'])}"]


def _start(found: dict[str, Any] | None) -> list[str]:
    lines = ["start to the first commit, s of 3:"] if found else []
    for count, start in (found or {}).items():
        first, every = start["first_commit_s"], start["all_partitions_s"]
        lines.append(f"  {int(count):>9,} customers: {first:.2f}, to all partitions {every:.2f}")
        lines.append(f"  {'':<12} {_steps(start)}")
    return lines


def _steps(start: dict[str, Any]) -> str:
    steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in start["steps_s"].items())
    return f"CPU of the worker {start['cpu_s']:.2f}; {steps}"


def _safety(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    cpu, wall, chunk_ms = found["share_of_cpu"], found["share_of_wall"], found["chunk_ms"]["cpu"]
    return [
        f"position check and journal of a chunk of {found['customers']:,} customers: {cpu:.1%} of CPU, "
        f"{wall:.1%} of the wall, of 5 % (a chunk: {chunk_ms} ms of CPU)"
    ]


def _second_worker(found: dict[str, Any] | None) -> list[str]:
    lines = []
    for load, figures in (found or {}).items():
        share = figures["core_of_each"]
        cores = f", of which each has {share:g} of a core" if share < second_worker.WHOLE else ""
        lines.append(f"two workers on {load}{cores}: {figures['times']} times one, of 1.5 where the cores allow it")
        for count in map(str, second_worker.COUNTS):
            run = figures[count]
            cpu = ", ".join(f"{name} {us}" for name, us in run["cpu_us_per_event"].items())
            lines.append(
                f"  {count}: {run['events_per_s']:,} events/s, {run['busy_cores']} cores busy; CPU us an event: {cpu}"
            )
    return lines


def _say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--customers", type=int, default=1_000_000, help="in Redis at a start")
    parser.add_argument("--events", type=int, default=300_000, help="worked off by one worker and by two")
    parser.add_argument("--chunks", type=int, default=100, help="committed with and without check and journal")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help=f"a full run is for {OUTPUT.name} beside the others")
    return parser.parse_args()


if __name__ == "__main__":
    main()
