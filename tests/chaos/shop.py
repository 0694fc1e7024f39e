"""The deployment that is hurt: Apache Kafka, Redis behind a line of its own, three workers and a learner under load."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ebb.services.apache_kafka import ApacheKafka
from ebb.services.embedded_redis import EmbeddedRedis
from tests.chaos.load import Written, write_history
from tests.hurting import RedisOfThisMachine
from tests.integration.processes import Deployment, TestedProcess, deployed, eventually
from tests.line import Line

WORKERS = 3
PARTITIONS = 3  # one for each, so that nobody is idle
SETTINGS = {
    "EBB_QUEUE_BYTES": "2000000",
    "EBB_CHUNK_BYTES": "1000000",
    "EBB_PUBLISH_EVERY_MS": "20000",
    "EBB_LOG_LEVEL": "info",
}

AWAY = ("Check EBB_KAFKA_SERVERS", "or set EBB_REDIS_URL")
"""What the last word of a process holds that found a service away when it started."""


@dataclass
class Shop:
    """Everything that can be hurt, and the dice that say what is."""

    kafka: ApacheKafka
    kafka_line: Line
    redis: EmbeddedRedis
    line: Line
    running: Deployment
    folder: Path
    dice: Random
    workers: list[TestedProcess]
    learner: TestedProcess
    history: Written
    redis_servers: int = 1
    restarts: int = 0

    def any_worker(self) -> TestedProcess:
        """One of those that run."""
        return self.dice.choice(self.workers)

    def restart_missing(self) -> None:
        """As a supervisor does, once Kafka and Redis are there: a process does not start without them."""
        self.workers += [self.running.start("worker") for _ in range(WORKERS - len(self.workers))]
        if self.learner not in self.running.processes:
            self.learner = self.running.start("learner")

    def revive(self) -> None:
        """Start again whoever was starting when a service went away, as a supervisor does; nobody else may have ended.

        Raises:
            AssertionError: a process has ended for another reason.
        """
        for process in [*self.workers, self.learner]:
            if process.has_ended():
                assert found_a_service_away(process), f"{process.name} has ended:\n{process.output()[-3000:]}"
                self.running.processes.remove(process)
                self.workers = [worker for worker in self.workers if worker is not process]
                self.restarts += 1
        self.restart_missing()

    def another_redis(self) -> EmbeddedRedis:
        """A new, empty one that is not started yet."""
        self.redis_servers += 1
        return RedisOfThisMachine(self.folder / f"redis-{self.redis_servers}")

    def stop(self) -> None:
        """Let every process end in order."""
        for process in [*self.workers, self.learner]:
            ask_to_end(process)
        for process in [*self.workers, self.learner]:
            require_orderly_end(process)
        self.running.processes.clear()


def found_a_service_away(process: TestedProcess) -> bool:
    """Whether a process that has ended says that Kafka or Redis was away while it was starting."""
    last = "".join(process.output().splitlines()[-1:])
    return any(hint in last for hint in AWAY)


def ask_to_end(process: TestedProcess) -> None:
    """One that has ended by itself hears nothing."""
    if not process.has_ended():
        process.send(signal.SIGTERM)


def require_orderly_end(process: TestedProcess) -> None:
    """Wait for the end of a process that was asked to end. One that has said nothing was not there yet to hear it, and
    one that was starting may have found a service away.

    Raises:
        AssertionError: it failed.
    """
    code, output = process.exit_code(), process.output()
    if code and found_a_service_away(process):
        return
    assert code == 0 or (code == -signal.SIGTERM and not output), f"{process.name} ended with {code}:\n{output[-3000:]}"
    assert "Traceback" not in output, output[-3000:]


class KafkaBehindALine(ApacheKafka):
    """Sends its clients to a line that leads to it."""

    line_port: int

    def _properties(self) -> str:
        return f"{super()._properties()}advertised.listeners=PLAINTEXT://127.0.0.1:{self.line_port}\n"


@contextmanager
def opened(folder: Path, seed: int) -> Iterator[Shop]:
    """Services that run, and processes that have their partitions."""
    with ExitStack() as stack:
        kafka = KafkaBehindALine(folder / "kafka")
        kafka_line = stack.enter_context(Line(kafka.port))
        kafka.line_port = kafka_line.own_port
        stack.enter_context(kafka)
        redis = RedisOfThisMachine(folder / "redis-1")
        redis.start()
        redis.wait_until_ready()
        line = stack.enter_context(Line(redis.port))
        shop = stack.enter_context(
            deployed(kafka.address, line.redis_url, folder, clock="live", partitions=PARTITIONS, settings=SETTINGS)
        )
        history = write_history(kafka.address, seed, PARTITIONS)
        opened = Shop(kafka, kafka_line, redis, line, shop, folder, Random(seed), [], shop.start("learner"), history)
        try:
            opened.restart_missing()
            eventually(lambda: any(worker.said("lane started") for worker in opened.workers), what="a worker works")
            yield opened
        finally:
            opened.redis.kill()
            shop.stop()
            kafka.kill()
