"""Worker and learner as processes of their own: started tied to the test, killed, waited for, looked at."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from ebb.services.ebb_process import EbbProcess
from ebb.services.processes import LOOK_EVERY_S
from ebb.topic_admin import create_topics
from offline.broker import end_offsets
from offline.history import History
from offline.replay import publish
from offline.verify import Parity, Recomputed, compare, recompute
from schemas.decode import DecodeRules
from schemas.partition import partition_of
from schemas.topics import INPUT_BYTES_MAX, INPUT_TOPICS, LABELS
from stream.errors import SettingError, StoreUnavailableError
from stream.redis_store import keys
from stream.redis_store.inspection import applied_positions, scan_states

MODEL_KEYS = "test:" + "5e" * 32
PATIENCE_S = 60.0
SESSION_TIMEOUT_MS = {"apache": 1_500, "embedded": 6_000}
"""How soon a killed member is missed. The embedded broker forms a group in half that time, and no sooner."""

PARTITIONS = 2


def eventually(condition: Callable[[], Any], within_s: float = PATIENCE_S, what: str = "") -> Any:
    """Wait until `condition` is true; what it returned."""
    until = time.monotonic() + within_s
    while not (result := condition()):
        assert time.monotonic() < until, f"not within {within_s:g} s: {what or condition}"
        time.sleep(LOOK_EVERY_S)
    return result


def while_it_lasts(seconds: float) -> None:
    """Return after so long: a fault has a length, which no condition tells."""
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > until, seconds + PATIENCE_S)


class TestedProcess(EbbProcess):
    """A worker or learner of a test."""

    __test__ = False

    script: Path | None = None

    def prepare(self) -> list[str]:
        """The command, or a script of the test in its place."""
        return super().prepare() if self.script is None else [sys.executable, str(self.script)]

    def environ(self) -> Mapping[str, str]:
        return {**super().environ(), "PYTHONPATH": str(Path(__file__).parents[2])}

    def send(self, what: signal.Signals) -> None:
        os.kill(self.identity.pid, what)

    def exit_code(self, within_s: float = PATIENCE_S) -> int:
        """Wait for the end."""
        assert self._process is not None
        return self._process.wait(within_s)

    def resident_bytes(self) -> int:
        """Memory in use."""
        pages = int(Path(f"/proc/{self.identity.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def output(self) -> str:
        """Everything it has said."""
        return self.log.read_text() if self.log.exists() else ""

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one event."""
        lines = (json.loads(line) for line in self.output().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == event]


@dataclass
class Deployment:
    """One Kafka, one Redis, and the processes a test starts on them."""

    servers: str
    redis_url: str
    folder: Path
    broker: str = "apache"
    clock: str = "replay"
    lockstep: bool = False
    partitions: int = PARTITIONS
    settings: dict[str, str] = field(default_factory=dict)
    processes: list[TestedProcess] = field(default_factory=list)
    started: int = 0

    def __post_init__(self) -> None:
        self.make_topics()

    def make_topics(self) -> None:
        """Make those that are missing."""
        create_topics([self.servers], self.partitions)

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "EBB_KAFKA_SERVERS": self.servers,
            "EBB_REDIS_URL": self.redis_url,
            "EBB_PARTITIONS": str(self.partitions),
            "EBB_CLOCK": self.clock,
            "EBB_LOCKSTEP": str(self.lockstep).lower(),
            "EBB_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS[self.broker]),
            "EBB_MODEL_KEYS": MODEL_KEYS,
            "EBB_TICK_MS": "50",
            "EBB_ALERT_OUTCOME": "churn_30d",  # which tests pin a model of; `lapsed` asks only who has a gap
            **self.settings,
            **more,
        }

    def start(self, name: str, script: Path | None = None, **more: str) -> TestedProcess:
        """Start a worker or learner and return at once. The embedded broker wants a new group at each start."""
        if self.broker == "embedded":
            more |= {f"EBB_{name.upper()}_GROUP": f"{name}-{self.started}"}
        self.started += 1
        process = TestedProcess(name, self.folder / f"{name}-{self.started}", self.environ(**more))
        process.script = script
        process.start()
        self.processes.append(process)
        return process

    def kill(self, process: TestedProcess) -> None:
        """End it as a crash would."""
        process.kill()
        self.processes.remove(process)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()

    def publish(self, history: History, rate: float | None = None) -> None:
        """Write a history with its clock records."""
        publish(history, [self.servers], self.partitions, rate=rate)

    def send(self, topic: str, *values: Any, partition: int | None = None, key: bytes | None = None) -> None:
        """Write records: events as dicts, to the partition of their customer, or bytes, or None."""
        send(self.servers, [(topic, value, partition, key, []) for value in values])

    def applied(self) -> int:
        """Records of all input topics applied so far."""
        return sum(self._positions().values())

    def more(self, records: int = 60) -> float:
        """Wait until so many more records are applied; how long it took until the first, in s."""
        began_s, before = time.monotonic(), sum(self.applied_when_asked())
        eventually(lambda: sum(self.applied_when_asked()) > before)
        took_s = time.monotonic() - began_s
        eventually(lambda: sum(self.applied_when_asked()) >= before + records)
        return took_s

    def applied_when_asked(self) -> list[int]:
        """Records applied of each partition, as soon as Redis says it."""
        told: list[Mapping[tuple[str, int], int]] = []

        def ask() -> bool:
            with suppress(StoreUnavailableError, SettingError):
                told.append(applied_positions(self.redis_url))
            return bool(told)

        eventually(ask, what="Redis answers")
        return [sum(at for (_, p), at in told[0].items() if p == of) for of in range(self.partitions)]

    def _positions(self) -> dict[tuple[str, int], int]:
        try:
            return applied_positions(self.redis_url)
        except SettingError:  # before the first process has said whose this Redis is
            return {}

    def lag(self) -> int:
        """Records in Kafka that are not applied."""
        done = self._positions()
        ends = end_offsets([self.servers], INPUT_TOPICS)
        return sum(end - done.get(place, 0) for place, end in ends.items())

    def wait_until_applied(self, within_s: float = PATIENCE_S) -> None:
        """Wait until nothing is left to apply, however slow the machine: `within_s` is how long nothing may be applied.

        A process that has ended will not do it.
        """
        ends = sum(end_offsets([self.servers], INPUT_TOPICS).values())
        while (applied := self.applied()) < ends:
            eventually(lambda so_far=applied: self._goes_on(so_far), within_s, f"{applied} of {ends} records applied")

    def _goes_on(self, applied: int) -> bool:
        for process in self.processes:
            assert not process.has_ended(), process.output()[-3000:]
        return self.applied() > applied

    def parity(self, history: History, rules: DecodeRules | None = None) -> Parity:
        """Compare what is stored with the history recomputed."""
        now_ms = time.time_ns() // 1_000_000
        expected = recompute(history, self.partitions, rules or DecodeRules(currency="GBP"), now_ms)
        return self.differences(expected)

    def differences(self, expected: Recomputed) -> Parity:
        """Compare what is stored with what was recomputed."""
        return compare(expected, asyncio.run(self._states()))

    async def _states(self) -> dict[str, bytes]:
        return {customer: packed async for customer, packed in scan_states(self.redis_url)}

    def messages(self, topic: str) -> list[Any]:
        """The records of a topic, in the order of their partitions."""
        return read_all(self.servers, topic)

    def learned_offset(self, learner: str) -> int:
        """How far a learner that is saved has read the labels log."""
        with redis.Redis.from_url(self.redis_url) as client:
            return int(client.hget(keys.learner(learner), "next_offset") or 0)

    def labels(self) -> list[dict[str, Any]]:
        """The labels log without repeats, in an order of its own."""
        decoded = [msgspec.json.decode(record.value) for record in self.messages(LABELS)]
        unique = {record["message_id"]: record for record in decoded}
        return [unique[name] for name in sorted(unique)]


@contextmanager
def deployed(servers: str, redis_url: str, folder: Path, **arguments: Any) -> Iterator[Deployment]:
    """A deployment whose processes end with the block."""
    made = Deployment(servers, redis_url, folder, **arguments)
    try:
        yield made
    finally:
        made.stop()


Record = tuple[str, Any, int | None, bytes | None, Sequence[tuple[str, bytes]]]
"""(topic, value, partition or None for the customer's, key, headers)."""


def send(servers: str, records: Sequence[Record]) -> list[tuple[str, int, int]]:
    """Write records in order; (topic, partition, offset) of each."""
    producer = KafkaProducer(
        bootstrap_servers=servers, acks="all", max_request_size=INPUT_BYTES_MAX, enable_idempotence=False
    )
    with closing(producer):
        answers = [_sent(producer, *record) for record in records]
        producer.flush()
        return [(done.topic, done.partition, done.offset) for done in (answer.get(30) for answer in answers)]


def _sent(
    producer: KafkaProducer,
    topic: str,
    value: Any,
    partition: int | None,
    key: bytes | None,
    headers: Sequence[tuple[str, bytes]],
) -> Any:
    if isinstance(value, dict):
        customer = value.get("customer_id")
        if partition is None and customer:
            partition = partition_of(customer, PARTITIONS)
        key = key or (customer or value["event_id"]).encode()
        value = msgspec.json.encode(value)
    return producer.send(topic, value=value, key=key, partition=partition, headers=list(headers))


def read_all(servers: str, topic: str, isolation_level: str = "read_uncommitted") -> list[Any]:
    """Every record of a topic that is there now."""
    ends = {TopicPartition(*place): end for place, end in end_offsets([servers], [topic]).items() if end}
    records: list[Any] = []
    if not ends:
        return records
    with closing(consumer_of(servers, isolation_level)) as consumer:
        consumer.assign(list(ends))
        consumer.seek_to_beginning()
        until = time.monotonic() + PATIENCE_S
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            assert time.monotonic() < until, f"{topic} cannot be read to its end"
            for found in consumer.poll(200).values():
                records += found
    return sorted(records, key=lambda record: (record.partition, record.offset))


def consumer_of(servers: str, isolation_level: str) -> KafkaConsumer:
    return KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, isolation_level=isolation_level)


def without_topics(servers: str) -> str:
    """Delete all topics of a broker but its own, and wait until they are gone."""
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        while topics := [name for name in admin.list_topics() if not name.startswith("__")]:
            admin.delete_topics(topics, raise_errors=False)  # those already on their way out answer with an error
    return servers
