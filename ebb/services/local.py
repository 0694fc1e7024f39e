"""The embedded pair of a project folder, started by `ebb up` and the demo, and anything else kept running in the background."""

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
from stream.errors import ServiceError

FOLDER = ".ebb"
EMBEDDED_PAIR = (EmbeddedBroker.name, EmbeddedRedis.name)


@dataclass(frozen=True)
class Started:
    """What `start_embedded` did: what runs now, what of it ran before, and what it ended because it was left alone."""

    running: Sequence[RunningProcess]
    already: bool = False
    ended: Sequence[RunningProcess] = field(default_factory=list)


def start_embedded(folder: Path, kafka_port: int, redis_port: int) -> Started:
    """Start the embedded broker and Redis in the background, both empty, or say that they run.

    They begin and end together: the broker keeps nothing, and a Redis with positions in topics that are gone is of no use.

    Args:
        folder: the project's `.ebb` folder.
        kafka_port: for the broker, on loopback.
        redis_port: for Redis, on loopback.

    Raises:
        ServiceError: they run on other ports, a port is taken, or one did not start; then neither runs.
    """
    processes = RunningProcesses(folder)
    with processes.changing():
        pair = [process for process in processes.alive() if process.name in EMBEDDED_PAIR]
        services = (_broker(folder, kafka_port), EmbeddedRedis(folder / EmbeddedRedis.name, redis_port))
        if len(pair) == len(EMBEDDED_PAIR):
            _require_same(pair, services)
            return Started(pair, already=True)
        for left_alone in pair:
            processes.end(left_alone)
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


def _require_same(pair: Sequence[RunningProcess], services: Sequence[Service]) -> None:
    for service in services:
        process = next(process for process in pair if process.name == service.name)
        if process.address != service.address:
            raise ServiceError(
                f"{service.name} already runs at {process.address}, not at {service.address}. "
                f"Run `ebb down` first; it empties the embedded services."
            )
