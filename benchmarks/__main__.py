"""Measure Ebb beside others: `make bench`, or `python -m benchmarks --help`."""

import argparse
import datetime
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.comparing import CONTESTANTS
from benchmarks.cpu import machine, redis_version
from benchmarks.loads import LOADS
from benchmarks.page import write_page
from benchmarks.results import RESULTS, table, write
from benchmarks.run import (
    Plan,
    check_agreement,
    measure_alert_latency,
    measure_loads,
    measure_lookups,
    measure_offline,
    measure_profiles,
    measure_silence,
)
from benchmarks.throughput import Extent
from ebb.services.embedded_redis import redis_server

OFFLINE_EVENTS = 1_000_000
QUICK = Extent(events=20_000, obvious_events=5_000, rounds=1, processes=(1,))
QUICK_ALERT_SECONDS, QUICK_SILENCE_CUSTOMERS = 2.0, 20_000
SECTIONS = ("throughput", "alerts", "lookups", "silence", "offline", "profiles")
SHAPE = (
    *LOADS,
    "alert_latency_ms",
    "lookup_ms",
    "silence",
    "offline_events_per_s",
    "offline_read_events_per_s",
    "small",
)
"""What a result has, null where it was not measured."""


def main() -> None:
    """Measure, print, write."""
    given = _arguments()
    if given.quick:
        given.alert_seconds, given.silence_customers = QUICK_ALERT_SECONDS, QUICK_SILENCE_CUSTOMERS
    result, shown = _measured(given)
    output = given.output or (RESULTS if _is_complete(given) else None)
    if output:
        write(result, shown, output)
    if output == RESULTS:
        write_page(result)
    print(json.dumps(result, indent=2) if given.json else table(result))
    if not given.json:
        print(f"written to {output}" if output else "a part, or a few events: nothing written (--output FILE)")


def _measured(given: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """The result, and profiles by contestant."""
    extent = QUICK if given.quick else Extent(given.events, given.obvious_events, given.rounds, given.processes)
    plan, seed = Plan(given.loads, given.only, extent, given.seed), given.seed
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "throughput": lambda: {"agreed_customers": check_agreement(plan, _say)} | measure_loads(plan, _say),
        "alerts": lambda: {"alert_latency_ms": measure_alert_latency(given.alert_seconds, extent.processes, seed)},
        "lookups": lambda: {"lookup_ms": measure_lookups(extent.events, 1, seed)},
        "silence": lambda: {"silence": measure_silence(given.silence_customers, seed)},
        "offline": lambda: measure_offline(OFFLINE_EVENTS, seed),
        "profiles": lambda: {"profiles": measure_profiles(extent.events, seed, _say)},
    }
    result: dict[str, Any] = dict.fromkeys(SHAPE)
    result |= {"date": given.date, "seed": seed, "events": extent.events}
    result["machine"] = machine() | {"redis": redis_version(redis_server())}
    for section in given.sections:
        _say(section)
        result |= measures[section]()
    return result, result.pop("profiles", {})


def _is_complete(given: argparse.Namespace) -> bool:
    chosen = ((given.sections, SECTIONS), (given.only, CONTESTANTS), (given.loads, LOADS))
    return not given.quick and all(set(some) == set(everything) for some, everything in chosen)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=(__doc__ or "").strip())
    parser.add_argument("--loads", type=_names(LOADS), default=list(LOADS), help=f"some of {','.join(LOADS)}")
    parser.add_argument(
        "--only", type=_names(CONTESTANTS), default=list(CONTESTANTS), help=f"some of {','.join(CONTESTANTS)}"
    )
    parser.add_argument("--sections", type=_names(SECTIONS), default=list(SECTIONS), help=f"of {','.join(SECTIONS)}")
    parser.add_argument("--events", type=int, default=600_000, help="of each load")
    parser.add_argument("--obvious-events", type=int, default=80_000, help="of which the obvious way gets so many")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over so many")
    parser.add_argument("--processes", type=_numbers, default=[1, 2], help="numbers of processes to try, such as 1,2")
    parser.add_argument("--alert-seconds", type=float, default=30.0, help="how long events are sent at 2,000 a second")
    parser.add_argument("--silence-customers", type=int, default=1_000_000, help="who are silent for a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a few events, to see that everything runs")
    parser.add_argument("--date", default=datetime.datetime.now(datetime.UTC).date().isoformat(), help="to write down")
    parser.add_argument("--output", type=Path, help=f"file for the result; {RESULTS.name} when everything is measured")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args()


def _names(known: Any) -> Any:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return chosen

    return names


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
