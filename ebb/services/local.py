"""The embedded pair of a project folder, as `ebb up` starts it, and whatever else runs in the background."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ebb.services.embedded_broker import EmbeddedBroker
from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.ports import require_free
from ebb.services.running import RunningProcess, RunningProcesses
from ebb.services.service import Service

FOLDER = ".ebb"
EMBEDDED_PAIR = (EmbeddedBroker.name, EmbeddedRedis.name)


@dataclass(frozen=True)
class Started:
    """What `start_embedded` did: what runs now, what of it ran before, and what it ended because it was left alone."""

    running: Sequence[RunningProcess]
    already: bool = False
    ended: Sequence[RunningProcess] = field(default_factory=list)


def start_embedded(folder: Path, kafka_port: int, redis_port: int) -> Started:
    """Start the embedded broker and Redis in the background, both empty, unless they run, on whatever ports.

    They begin and end together: the broker keeps nothing, and Redis with positions in topics that are gone is no use.

    Args:
        folder: the project's `.ebb` folder.
        kafka_port: for the broker, on loopback.
        redis_port: for Redis, on loopback.

    Raises:
        ServiceError: a port is taken, or one did not start; then neither runs.
    """
    processes = RunningProcesses(folder)
    with processes.changing():
        pair = [process for process in processes.alive() if process.name in EMBEDDED_PAIR]
        if len(pair) == len(EMBEDDED_PAIR):
            return Started(pair, already=True)
        for left_alone in pair:
            processes.end(left_alone)
        services = (_broker(folder, kafka_port), EmbeddedRedis(folder / EmbeddedRedis.name, redis_port))
        for service in services:
            require_free(service.port, service.name, service.port_option)
            shutil.rmtree(service.folder, ignore_errors=True)
        with _all_or_none(processes):
            return Started([run_in_background(processes, service) for service in services], ended=pair)


def run_in_background(processes: RunningProcesses, service: Service) -> RunningProcess:
    """Start a service that outlives us, wait until it is ready, and remember it.

    Raises:
        ServiceError: it did not start, and does not run.
    """
    service.start(tied=False)
    process = RunningProcess(
        name=service.name,
        address=service.address,
        log=str(service.log),
        pid=service.identity.pid,
        began=service.identity.began,
        stop_signal=int(service.stop_signal),
        stop_within_s=service.stop_within_s,
    )
    processes.remember(process)
    try:
        service.wait_until_ready()
    except BaseException:
        service.stop()
        raise
    return process


def stop_everything(folder: Path) -> list[RunningProcess]:
    """End everything that runs in the background for this folder, the last started first. Returns what was ended."""
    processes = RunningProcesses(folder)
    with processes.changing():
        return processes.end_all()


def _broker(folder: Path, port: int) -> EmbeddedBroker:
    return EmbeddedBroker(folder / EmbeddedBroker.name, port, binaries=folder / "bin")


@contextmanager
def _all_or_none(processes: RunningProcesses) -> Iterator[None]:
    """End what was started inside when something inside fails."""
    before = processes.alive()
    try:
        yield
    except BaseException:
        for process in reversed(processes.alive()):
            if process not in before:
                processes.end(process)
        raise
