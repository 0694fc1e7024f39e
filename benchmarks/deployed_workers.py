"""Workers with the settings a user starts with, under a steady load, and what is seen of them from outside."""

import datetime
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.contestants import Stand
from benchmarks.cpu import cpu_seconds
from benchmarks.kafka_log import PARTITIONS
from benchmarks.models import KEYS, publish_to
from ebb.services.embedded_redis import EmbeddedRedis
from stream.settings.worker import WorkerSettings
from tests.integration.commit_watch import CommitWatch
from tests.integration.processes import Deployment, TestedProcess, deployed, eventually

LOADED = 200
"""Records that are applied before something else is measured."""

STEPS = {
    "checked Redis and Kafka": "imports and checks",
    "warmed up": "warming",
    "partitions assigned": "joining",
    "lane started": "claiming",
}
"""Line of the log -> what a worker does from the line before it to its last one."""


@dataclass(frozen=True)
class Start:
    """One start of a worker.

    Attributes:
        seconds: from the start of the process until it had committed to its first and to all its partitions.
        cpu_s: of the process by then: what a machine left alone needs at least.
        steps_s: where the time went.
    """

    seconds: tuple[float, float]
    cpu_s: float
    steps_s: Mapping[str, float]


@dataclass
class Workers:
    """Workers by name. Those that are `static` are members of the group under their names."""

    shop: Deployment
    watch: CommitWatch
    static: bool = False
    running: dict[str, TestedProcess] = field(default_factory=dict)

    def start(self, name: str) -> TestedProcess:
        """Start one under a name; nothing is waited for."""
        more = {"EBB_WORKER_INSTANCE_ID": name} if self.static else {}
        self.running[name] = self.shop.start("worker", **more)
        return self.running[name]

    def settle(self) -> None:
        """Wait until every worker has partitions and the load goes through them."""
        for worker in self.running.values():
            eventually(lambda pid=worker.identity.pid: self.watch.partitions_of(pid), what="it has partitions")
        self.shop.more(LOADED)

    def ended(self, name: str) -> int:
        """Wait for the end of one; its exit code."""
        worker = self.running.pop(name)
        code: int = worker.exit_code()
        self.shop.processes.remove(worker)
        return code

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.shop.kill(self.running.pop(name))

    def started(self, name: str, partitions: int) -> Start:
        """Start one and wait until it has committed to so many partitions."""
        began, began_s = time.time(), time.monotonic()
        worker = self.start(name)
        pid = worker.identity.pid
        eventually(lambda: len(self.watch.first_commits_s(pid)) >= partitions, what=f"{partitions} partitions commit")
        cpu_s = cpu_seconds([pid])
        commits_s = [at_s - began_s for at_s in self.watch.first_commits_s(pid)]
        return Start((commits_s[0], commits_s[-1]), cpu_s, _steps(worker, began, commits_s[-1]))


def _steps(worker: TestedProcess, began: float, seconds: float) -> dict[str, float]:
    ends = [0.0]
    for event in STEPS:
        said = worker.said(event)[-1]["timestamp"]
        ends.append(datetime.datetime.fromisoformat(said).timestamp() - began)
    steps = dict(zip(STEPS.values(), (after - before for before, after in pairwise(ends)), strict=True))
    return steps | {"first chunk": seconds - ends[-1]}


@contextmanager
def workers(place: Stand, name: str, *, static: bool = False) -> Iterator[Workers]:
    """None yet, on a Redis of their own with published models."""
    defaults = WorkerSettings()
    settings = {
        "EBB_MODEL_KEYS": KEYS,
        "EBB_SESSION_TIMEOUT_MS": str(defaults.session_timeout_ms),
        "EBB_TICK_MS": str(defaults.tick_ms),
        "EBB_WORKER_GROUP": name,
    }
    folder = Path(place.folder) / name
    with EmbeddedRedis(folder / "redis") as redis:
        publish_to(redis.address)
        with (
            deployed(
                place.kafka.address, redis.address, folder, clock="live", partitions=PARTITIONS, settings=settings
            ) as shop,
            CommitWatch(redis.address, PARTITIONS) as watch,
        ):
            yield Workers(shop, watch, static)
