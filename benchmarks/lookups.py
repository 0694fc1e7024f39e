"""How long a lookup takes, from a process of its own: `python -m benchmarks.lookups --redis URL`."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any

from benchmarks.contestants import RunningEbb
from benchmarks.loads import CUSTOMERS, customer_id
from benchmarks.steady import percentile
from ebb import Lookup
from stream.errors import UnknownCustomerError

PER_S = 500  # a reader that never pauses would take a core from the worker
WARM_UP = 50
BUSY_AT_MOST_S, IDLE_S = 15.0, 10.0


Timed = tuple[float, float]
"""(monotonic time in s, how long the lookup then took in ms)."""


def timed(redis_url: str, seconds: float, seed: int) -> list[Timed]:
    """Lookups of customers drawn at random, at a steady pace; unknown ones do not count."""
    random, found = Random(seed), []
    with Lookup(redis_url) as lookup:
        began_s = time.monotonic()
        for number in range(int(seconds * PER_S)):
            time.sleep(max(0.0, began_s + number / PER_S - time.monotonic()))
            customer, before_s = customer_id(random.randrange(CUSTOMERS)), time.monotonic()
            try:
                lookup.get(customer)
            except UnknownCustomerError:
                continue
            found.append((before_s, (time.monotonic() - before_s) * 1000))
    return found[WARM_UP:]


def measure(ebb: RunningEbb, records: int, seed: int) -> dict[str, Any]:
    """Percentiles in ms while a worker works off a log that is filled, and when it has done so."""
    url = ebb.redis.address
    busy = start(url, BUSY_AT_MOST_S, seed)
    done_s = ebb.work_off(records)[-1].time_s
    during = [took_ms for at_s, took_ms in answer(busy) if at_s < done_s]
    after = [took_ms for _, took_ms in answer(start(url, IDLE_S, seed))]
    return told(after, "idle") | told(during, "busy") | {"lookups_idle": len(after), "lookups_busy": len(during)}


def told(found: Sequence[float], prefix: str) -> dict[str, float | None]:
    """Percentiles in ms, named; None where there were no lookups."""
    shares = {"p50": 0.5, "p99": 0.99}
    return {f"{prefix}_{name}": round(percentile(found, share), 3) if found else None for name, share in shares.items()}


def start(redis_url: str, seconds: float, seed: int) -> "subprocess.Popen[str]":
    """Look customers up in a process of its own; its output is read by `answer`."""
    command = [sys.executable, "-m", "benchmarks.lookups", "--redis", redis_url]
    command += ["--seconds", str(seconds), "--seed", str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answer(process: "subprocess.Popen[str]") -> list[Timed]:
    """The lookups, when it has ended."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the lookups ended with {process.returncode}")
    return [(at_s, took_ms) for at_s, took_ms in json.loads(said)]


def main() -> None:
    """Print the lookups as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--redis", required=True, help="URL of a deployment")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    given: Any = parser.parse_args()
    print(json.dumps(timed(given.redis, given.seconds, given.seed)))


if __name__ == "__main__":
    main()
