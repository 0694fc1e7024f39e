"""Who works the log off: Ebb as a user runs it, and the peers. Each run has a Redis and consumer groups of its own."""

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.cpu import children, cpu_seconds
from benchmarks.kafka_log import PARTITIONS, new_group
from benchmarks.models import KEYS, publish_to
from benchmarks.peers.started import reported
from benchmarks.steady import Sample
from ebb.services.apache_kafka import ApacheKafka
from ebb.services.ebb_process import EbbProcess
from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.service import Service
from schemas.topics import ENGAGEMENT, PURCHASES
from stream.errors import SettingError
from stream.redis_store.inspection import applied_positions, heads

REPOSITORY = Path(__file__).parents[1]
LOOK_EVERY_S = 0.1
ASK_EVERY_S = 2.0  # a worker needs 3 ms of its core to write down all metrics
STAGE_SECONDS, COMMITS = "ebb_stage_seconds_sum", "ebb_commits_total"
PATIENCE_S = 600.0


class Peer(Service):
    """One process of a peer."""

    stop_within_s = 30.0

    def __init__(self, name: str, folder: Path, options: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.name, self._options = name, options
        self.progress = self.folder / "progress"

    @property
    def address(self) -> str:
        """It serves nobody."""
        return ""

    def prepare(self) -> list[str]:
        """The command."""
        options = {**self._options, "--progress": str(self.progress)}
        return [
            sys.executable,
            "-m",
            f"benchmarks.peers.{self.name}",
            *(part for pair in options.items() for part in pair),
        ]

    def environ(self) -> Mapping[str, str]:
        """Ours, and where the benchmarks are."""
        return {**inherited(), "PYTHONPATH": str(REPOSITORY)}

    def answers(self) -> bool:
        """Whether it has begun to report."""
        return self.progress.exists()

    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None


def inherited() -> dict[str, str]:
    """Our environment without settings of Ebb."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EBB_")}


@dataclass
class Running(ABC):
    """A contestant at work."""

    kafka: ApacheKafka
    redis: EmbeddedRedis
    processes: list[Any] = field(default_factory=list)

    @abstractmethod
    def done(self) -> int:
        """Records applied so far."""

    def all_work(self) -> bool:
        """Whether every process has its share of the work."""
        return True

    def said(self) -> dict[str, float]:
        """What processes say of themselves that only grows; they are not asked often."""
        return {}

    def spent(self) -> dict[str, float]:
        """CPU seconds so far."""
        own = [pid for process in self.processes for pid in children(process.identity.pid)]
        return {
            "worker": cpu_seconds(own),
            "redis": cpu_seconds(children(self.redis.identity.pid)),
            "kafka": cpu_seconds(children(self.kafka.identity.pid)),
        }

    def sample(self, *, asking: bool = True) -> Sample:
        """Now; processes are asked what they say of themselves."""
        done, spent = self.done(), self.spent()
        return Sample(time.monotonic(), done, spent | (self.said() if asking else {}), self.all_work())

    def work_off(self, records: int, patience_s: float = PATIENCE_S) -> list[Sample]:
        """Samples until all records are done.

        Raises:
            RuntimeError: a process ended, or it takes too long.
        """
        samples, until_s = [self.sample()], time.monotonic() + patience_s
        ask_s = samples[0].time_s + ASK_EVERY_S
        while samples[-1].done < records:
            self._require_all_run()
            if time.monotonic() > until_s:
                raise RuntimeError(f"{samples[-1].done:,} of {records:,} records after {patience_s:.0f} s")
            time.sleep(LOOK_EVERY_S)
            is_time = time.monotonic() >= ask_s
            samples.append(self.sample(asking=is_time))
            ask_s += ASK_EVERY_S if is_time else 0.0
        return [*samples, self.sample()]

    def _require_all_run(self) -> None:
        for process in self.processes:
            if process.has_ended():
                raise RuntimeError(f"{process.name} ended:\n{process.log.read_text(errors='replace')[-3000:]}")


class RunningPeer(Running):
    """A peer at work."""

    def done(self) -> int:
        """As its processes say."""
        return sum(self._reported())

    def all_work(self) -> bool:
        """Whether each has done something."""
        return all(self._reported())

    def _reported(self) -> list[int]:
        return [reported(process.progress) for process in self.processes if isinstance(process, Peer)]


class RunningEbb(Running):
    """Workers at work."""

    def done(self) -> int:
        """As Redis says."""
        try:
            positions = applied_positions(self.redis.address)
        except SettingError:  # no worker has looked at this Redis yet
            return 0
        return sum(next_offset for (topic, _), next_offset in positions.items() if topic in (PURCHASES, ENGAGEMENT))

    def all_work(self) -> bool:
        """Whether each owns a partition, as Redis says."""
        try:
            owners = {head.owner for head in heads(self.redis.address)}
        except SettingError:
            return False
        return len(owners) >= len(self.processes)

    def said(self) -> dict[str, float]:
        """What the workers' metrics say: seconds of each stage (of the wall), and commits."""
        counted: dict[str, float] = {}
        for worker in self.processes:
            for sample in _metrics(worker.address):
                if sample.name == STAGE_SECONDS:
                    stage = f"stage_{sample.labels['stage']}"
                    counted[stage] = counted.get(stage, 0.0) + sample.value
                elif sample.name == COMMITS:
                    counted["commits"] = counted.get("commits", 0.0) + sample.value
        return counted


def metric_total(running: "RunningEbb", name: str) -> float:
    """A metric summed over workers and labels."""
    samples = (sample for worker in running.processes for sample in _metrics(worker.address))
    return float(sum(sample.value for sample in samples if sample.name == name))


def _metrics(url: str) -> list[Any]:
    try:
        with urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return []
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


@dataclass(frozen=True)
class Stand:
    """Where runs take place."""

    kafka: ApacheKafka
    folder: Path

    def start(self, name: str, processes: int) -> AbstractContextManager[Running]:
        """Start a contestant by its name."""
        return self.ebb(processes) if name == "ebb" else self.peer(name, processes)

    @contextmanager
    def peer(self, name: str, processes: int, **more: str) -> Iterator[RunningPeer]:
        """Start a peer."""
        with ExitStack() as stack:
            folder = self.folder / new_group(name)
            redis = stack.enter_context(EmbeddedRedis(folder / "redis"))
            running = RunningPeer(self.kafka, redis)
            options = {
                "--servers": self.kafka.address,
                "--redis": redis.address,
                "--group": new_group(name),
                "--partitions": str(PARTITIONS),
                **more,
            }
            for number in range(processes):
                running.processes.append(stack.enter_context(Peer(name, folder / f"{name}-{number}", options)))
            yield running

    @contextmanager
    def ebb(self, processes: int, worker: type[EbbProcess] = EbbProcess, **settings: str) -> Iterator[RunningEbb]:
        """Start workers with published models, on a Redis that keeps AOF everysec."""
        with ExitStack() as stack:
            folder = self.folder / new_group("ebb")
            redis = stack.enter_context(EmbeddedRedis(folder / "redis"))
            publish_to(redis.address)
            environ = self.settings(redis.address) | settings
            running = RunningEbb(self.kafka, redis)
            for number in range(processes):
                process = worker("worker", folder / f"worker-{number}", environ)
                running.processes.append(stack.enter_context(process))
            yield running

    def settings(self, redis_url: str) -> dict[str, str]:
        """EBB_* of a run: everything else is the default."""
        return {
            "EBB_KAFKA_SERVERS": self.kafka.address,
            "EBB_REDIS_URL": redis_url,
            "EBB_PARTITIONS": str(PARTITIONS),
            "EBB_WORKER_GROUP": new_group("ebb"),
            "EBB_MODEL_KEYS": KEYS,
            "EBB_LOG_LEVEL": "warning",
        }
