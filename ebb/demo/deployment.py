"""The demo's deployment: embedded broker and Redis, a worker and a learner as processes of their own."""

import fcntl
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ebb.services.ebb_process import EbbProcess
from ebb.services.embedded_broker import EmbeddedBroker
from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.local import run_in_background
from ebb.services.model_keys import ensure_model_keys
from ebb.services.ports import free_port, require_free
from ebb.services.running import RunningProcesses
from ebb.services.service import Service
from ebb.topic_admin import create_topics
from stream.errors import ServiceError
from stream.redis_store.deployment import switch_clock
from stream.redis_store.inspection import stream_times
from stream.settings.common import CommonSettings
from stream.settings.load import load_common_settings

PARTITIONS = 4
SESSION_TIMEOUT_MS = 6_000  # the embedded broker lets a group begin after half of it
TICKING_WITHIN_S, LOOK_EVERY_S = 30.0, 0.1
WORKER_METRICS_PORT, LEARNER_METRICS_PORT = 9464, 9465


@dataclass(frozen=True)
class Ports:
    """Where the demo serves."""

    kafka: int
    redis: int


class DemoBroker(EmbeddedBroker):
    """The embedded broker, on the demo's port."""

    port_option = "choose another with --kafka-port"


class DemoRedis(EmbeddedRedis):
    """The embedded Redis, on the demo's port."""

    port_option = "choose another with --redis-port"


@dataclass
class DemoDeployment:
    """What runs. `stay` says that it outlives the command, to be ended by `ebb down`; `name` is its folder's."""

    folder: Path
    ports: Ports
    currency: str
    stay: bool
    name: str = "demo"
    broker: DemoBroker = field(init=False)
    redis: DemoRedis = field(init=False)
    processes: list[EbbProcess] = field(default_factory=list)
    _is_warm: bool = False

    def __post_init__(self) -> None:
        """Everything is kept below `.ebb/demo`, or another name."""
        home = self.home
        self.broker = DemoBroker(home / EmbeddedBroker.name, self.ports.kafka, binaries=self.folder / "bin")
        self.redis = DemoRedis(home / EmbeddedRedis.name, self.ports.redis)

    @property
    def home(self) -> Path:
        """Where everything is kept."""
        return self.folder / self.name

    @property
    def settings(self) -> CommonSettings:
        """What a command of this deployment would read."""
        return load_common_settings(self._environ())

    def _environ(self) -> dict[str, str]:
        return {
            "EBB_KAFKA_SERVERS": self.broker.address,
            "EBB_REDIS_URL": self.redis.address,
            "EBB_CURRENCY": self.currency,
            "EBB_PARTITIONS": str(PARTITIONS),
        }

    def start(self, mode: Mapping[str, str]) -> None:
        """Start everything empty, since another run's Redis knows topics that are gone.

        Args:
            mode: settings of worker and learner that say how time and models go on.
        """
        for service in (self.broker, self.redis):
            require_free(service.port, service.name, service.port_option)
            shutil.rmtree(service.folder, ignore_errors=True)
        self._start(self.broker)
        self._start(self.redis)
        create_topics([self.broker.address], PARTITIONS)
        self._start_processes(mode)

    def go_live(self) -> None:
        """Replay has ended: the same states and models go on with the wall's time."""
        for process in reversed(self.processes):
            self._stop(process)
        self.processes.clear()
        replayed_until_ms = max(stream_times(self.redis.address).values())
        switch_clock(self.redis.address, "live")
        self._start_processes({"EBB_CLOCK": "live"})
        self._wait_until_ticking(replayed_until_ms)

    def _wait_until_ticking(self, replayed_until_ms: int) -> None:
        """Return when time has moved on with the wall; a partition without customers has nothing to note.

        Raises:
            ServiceError: a process ended, or a partition stands still.
        """
        deadline_s = time.monotonic() + TICKING_WITHIN_S
        while max(stream_times(self.redis.address).values()) <= replayed_until_ms:
            self.check_processes()
            if time.monotonic() > deadline_s:
                raise ServiceError(f"No time passes after {TICKING_WITHIN_S:.0f} s. See {self.home / 'worker'}.")
            time.sleep(LOOK_EVERY_S)

    def _start_processes(self, mode: Mapping[str, str]) -> None:
        keys = ensure_model_keys(self.folder)
        for name, port in (("worker", WORKER_METRICS_PORT), ("learner", LEARNER_METRICS_PORT)):
            settings = self._environ() | dict(mode)
            settings["EBB_MODEL_KEYS_FILE"] = str(keys.resolve())
            settings["EBB_SESSION_TIMEOUT_MS"] = str(SESSION_TIMEOUT_MS)
            settings[f"EBB_{name.upper()}_GROUP"] = f"ebb-{name}-{uuid.uuid4().hex[:8]}"
            process = EbbProcess(name, self.home / name, settings, free_port(usual=port))
            self.processes.append(process)
            self._start(process)

    def _start(self, service: Service) -> None:
        if self.stay:
            run_in_background(RunningProcesses(self.folder), service)
            return
        service.start()
        service.wait_until_ready()

    def _stop(self, service: Service) -> None:
        service.stop()

    def check_processes(self) -> None:
        """See that worker and learner still run.

        Raises:
            ServiceError: one ended; the message carries its last words.
        """
        for process in self.processes:
            if process.has_ended():
                raise ServiceError(f"The {process.name} ended. {process.last_words()}")

    def is_warm(self) -> bool:
        """Whether the worker has compiled everything: nothing is applied before."""
        self._is_warm = self._is_warm or any(each.has_warmed_up() for each in self.processes)
        return self._is_warm

    def stop(self) -> None:
        """End everything, the last started first."""
        for service in (*reversed(self.processes), self.redis, self.broker):
            service.stop()


@contextmanager
def only_demo(folder: Path) -> Iterator[None]:
    """Keep a second demo of the same folder from starting.

    Raises:
        ServiceError: one runs, or left its services running with --keep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise ServiceError("Another demo runs in this folder. Wait for it, or stop it with Ctrl-C there.") from busy
        kept = RunningProcesses(folder).named(EbbProcess.__name__) or RunningProcesses(folder).named("worker")
        if kept is not None:
            raise ServiceError("A demo started with --keep still runs here. Stop it with `ebb down`.")
        yield
