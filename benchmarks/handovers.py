"""How long partitions rest when their worker is killed, followed by another, or stopped and started again."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.contestants import Stand
from benchmarks.deployed_workers import Start, Workers, workers
from benchmarks.kafka_log import PARTITIONS
from stream.settings.worker import WorkerSettings
from tests.integration.feed import Feed
from tests.integration.processes import eventually

NAMES = ("one", "two")
JUST_BEFORE_S = 0.5  # a pause begins with the last commit before it
Say = Callable[[str], None]


@contextmanager
def at_work(place: Stand, group: str, *, static: bool) -> Iterator[Workers]:
    """Two workers under a hundred events a second."""
    with workers(place, group, static=static) as two:
        for name in NAMES:
            two.start(name)
        with Feed(two.shop.servers, partitions=PARTITIONS) as feed:
            two.settle()
            yield two
            feed.stop()


def measure_kills(place: Stand, rounds: int, say: Say) -> dict[str, Any]:
    """From SIGKILL until others have committed to all partitions of the killed worker, s."""
    timeout_s = WorkerSettings().session_timeout_ms / 1000
    taken: list[float] = []
    with at_work(place, "killed", static=False) as two:
        for round_ in range(rounds):
            name = NAMES[round_ % len(NAMES)]
            taken.append(_killed(two, name))
            say(
                f"  killed: {taken[-1]:.2f} s until all its partitions were committed to, session timeout {timeout_s} s"
            )
            two.start(name)
            two.settle()
    return {"session_timeout_s": timeout_s, "above_timeout_s": _spread([s - timeout_s for s in taken])}


def _killed(two: Workers, name: str) -> float:
    owner, killed_s = two.watch.owner_of_process(two.running[name].identity.pid), time.monotonic()
    two.kill(name)
    until_s: float = eventually(lambda: two.watch.first_commit_by_another_s(owner, killed_s))
    return until_s - killed_s


def measure_rolling(place: Stand, rounds: int, say: Say) -> dict[str, Any]:
    """The longest time that any partition rested while one worker after the other was replaced, s."""
    told: dict[str, Any] = {}
    starts: list[Start] = []
    ways: dict[str, tuple[bool, Callable[[Workers, str], Any]]] = {
        "followed": (True, _followed),
        "in_place": (True, lambda two, name: starts.append(_again(two, name))),
        "left": (False, _again),
    }
    for way, (static, replace) in ways.items():
        with at_work(place, way, static=static) as two:
            pauses = []
            for name in NAMES * rounds:
                pauses.append(_pause(two, name, replace))
                say(f"  {way.replace('_', ' ')}: a partition rested {pauses[-1]:.2f} s")
            told[f"{way}_s"] = _spread(pauses)
    return told | {"in_place": summary(starts)}


def _pause(two: Workers, name: str, replace: Callable[[Workers, str], Any]) -> float:
    since_s = time.monotonic() - JUST_BEFORE_S
    replace(two, name)
    two.settle()
    pause_s: float = two.watch.longest_pause_s(since_s)
    return pause_s


def _followed(two: Workers, name: str) -> None:
    """A successor starts while the predecessor works, which ends when the other has its place."""
    predecessor = two.running.pop(name)
    two.start(name)
    predecessor.exit_code()
    two.shop.processes.remove(predecessor)


def _again(two: Workers, name: str) -> Start:
    """SIGTERM, wait for the end, start again."""
    partitions = two.watch.partitions_of(two.running[name].identity.pid)
    asked_s = time.monotonic()
    two.running[name].send(signal.SIGTERM)
    code = two.ended(name)
    if code:
        raise RuntimeError(f"{name} ended with {code} when it was asked to stop")
    stopped_s = time.monotonic() - asked_s
    start = two.started(name, partitions)
    return Start(start.seconds, start.cpu_s, {"stopping": stopped_s, **start.steps_s})


def summary(starts: list[Start]) -> dict[str, Any]:
    """Medians of several starts."""
    return {
        "cpu_s": round(median(start.cpu_s for start in starts), 2),
        "steps_s": {step: round(median(start.steps_s[step] for start in starts), 2) for step in starts[0].steps_s},
    }


def _spread(values: list[float]) -> dict[str, Any]:
    return {"median": round(median(values), 2), "max": round(max(values), 2), "times": len(values)}
