"""A day of silence of a million customers: what it costs to notice what nobody says, and to decide everybody anew.

The log holds purchases of two years, in random order, and ends a day ago: events of some customers carry the time on
through the week before, so that customers were decided at all hours of it, as in a shop that has run for long. A worker
whose clock is a day behind reads everything and fires what was due until then. Then its clock is put right: a day has
passed in which nothing happened, and everything due in it is fired. Meanwhile single live events are sent, to see how
long each waits. Then new models are published, and the sweep that follows is measured the same way.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis
from confluent_kafka import Producer

from benchmarks.contestants import RunningEbb, Stand, metric_total
from benchmarks.kafka_log import PARTITIONS, QUIET, fill
from benchmarks.loads import Record, customer_id, written
from benchmarks.models import publish_to
from benchmarks.steady import percentile
from benchmarks.worker_of_yesterday import WorkerOfYesterday
from schemas.partition import partition_of
from schemas.units import DAY_MS
from stream.redis_store import keys
from stream.redis_store.inspection import heads, stream_times

BATCH = 100_000
HISTORY_DAYS, WEEK_DAYS, SILENT_DAYS = 730, 7, 1
BOUGHT_TWICE_SHARE = 0.6
RECENT_EVERY = 100  # one event in so many is of the moment it is sent; three in a thousand carry the time on
DONE_WITHIN_S = 900.0
IDLE_EVENTS = 200
FIRED = "ebb_deadlines_fired_total"


def measure(stand: Stand, customers: int, seed: int) -> dict[str, Any]:
    """CPU seconds of the worker for what came due, and what live events waited, ms."""
    filled = 0
    for records in history(customers, int(time.time() * 1000), seed):
        fill(stand.kafka.address, records, for_peers=False)
        filled += len(records)
    with stand.ebb(1, WorkerOfYesterday) as ebb:
        ebb.work_off(filled, patience_s=1_800)
        _wait_until_nothing_is_due(ebb)
        probe = Probe(ebb.kafka.address, ebb.redis.address, customers)
        return {"customers": customers} | _drain(ebb, probe) | _sweep(ebb, probe)


def history(customers: int, now_ms: int, seed: int) -> Iterator[list[Record]]:
    """Every customer's purchases, batch by batch."""
    random = np.random.default_rng([seed, 4])
    ids = random.permutation(customers)
    for start in range(0, customers, BATCH):
        chosen = ids[start : start + BATCH]
        who = np.concatenate([chosen, chosen[random.random(len(chosen)) < BOUGHT_TWICE_SHARE]])
        random.shuffle(who)
        part = (start + np.arange(len(who)) / len(who) * len(chosen)) / customers
        moment_ms = now_ms - ((SILENT_DAYS + WEEK_DAYS * (1 - part)) * DAY_MS).astype(np.int64)
        ago_ms = (random.random(len(who)) * HISTORY_DAYS * DAY_MS).astype(np.int64)
        recent = np.arange(len(who)) % RECENT_EVERY == 0
        yield written(who, moment_ms - np.where(recent, 0, ago_ms), random, purchase_share=1.0)


@dataclass
class Probe:
    """Sends one live event at a time and waits until its partition has applied it."""

    kafka: str
    redis_url: str
    customers: int

    def __post_init__(self) -> None:
        self._producer = Producer({"bootstrap.servers": self.kafka, "partitioner": "murmur2_random", **QUIET})
        self._redis = redis.Redis.from_url(self.redis_url)
        self._random = np.random.default_rng(0)

    def waits_ms(self) -> float:
        """How long one event waits to be applied."""
        number = int(self._random.integers(0, self.customers))
        [record] = written(np.array([number]), np.array([time.time_ns() // 1_000_000]), self._random, 0.0)
        offsets: list[int] = []
        began_s = time.monotonic()
        self._producer.produce(
            record.topic, record.value, record.key, on_delivery=lambda _, message: offsets.append(message.offset())
        )
        self._producer.flush(10)
        key = keys.partition_head(partition_of(customer_id(number), PARTITIONS))
        while self._applied(key, record.topic) <= offsets[0]:
            time.sleep(0.001)
        return (time.monotonic() - began_s) * 1000

    def _applied(self, key: bytes, topic: str) -> int:
        stored: Any = self._redis.hget(key.decode(), f"position:{topic}")
        return int(stored.split(b'"next_offset":')[1].split(b",")[0]) if stored else 0


def _wait_until_nothing_is_due(ebb: RunningEbb) -> None:
    """Until all deadlines up to a day ago, the worker's own time, have fired."""
    read_ms = time.time() * 1000 - SILENT_DAYS * DAY_MS
    until_s = time.monotonic() + DONE_WITHIN_S
    while left := _due(ebb, read_ms):
        if time.monotonic() > until_s:
            raise RuntimeError(f"{left:,} deadlines before the silence are left after {DONE_WITHIN_S:.0f} s")
        time.sleep(0.1)


def _due(ebb: RunningEbb, until_ms: float) -> int:
    """Customers with a deadline up to then."""
    with redis.Redis.from_url(ebb.redis.address) as client:
        counts: list[Any] = [client.zcount(keys.due(p).decode(), "-inf", until_ms) for p in range(PARTITIONS)]
    return sum(counts)


def _drain(ebb: RunningEbb, probe: Probe) -> dict[str, Any]:
    """From the moment a day of silence is over until stream time is that of the wall."""
    fired, until_ms = metric_total(ebb, FIRED), time.time() * 1000
    due = _due(ebb, until_ms)
    for worker in ebb.processes:
        worker.put_clock_right()
    spent, waits_ms = _until(lambda: min(stream_times(ebb.redis.address).values()) >= until_ms, ebb, probe)
    fired, late = metric_total(ebb, FIRED) - fired, _due(ebb, until_ms)
    idle_ms = [probe.waits_ms() for _ in range(IDLE_EVENTS)]
    return {
        "recheck_s": round(spent["worker"], 2),
        "recheck_redis_s": round(spent["redis"], 2),
        "recheck_elapsed_s": round(spent["elapsed"], 2),
        "deadlines_due": due,
        "deadlines": int(fired),
        "deadlines_late": late,
        "live_event_p50_ms": round(percentile(waits_ms, 0.5), 1),
        "live_event_p99_ms": round(percentile(waits_ms, 0.99), 1),
        "live_events": len(waits_ms),
        "live_event_idle_p50_ms": round(percentile(idle_ms, 0.5), 1),
        "live_event_idle_p99_ms": round(percentile(idle_ms, 0.99), 1),
    }


def _sweep(ebb: RunningEbb, probe: Probe) -> dict[str, Any]:
    """From the publication of new models until everybody has been decided anew."""
    url = ebb.redis.address
    before = [head.sweep.under for head in heads(url)]
    publish_to(url, version="swept")

    def is_swept() -> bool:
        return all(
            head.sweep.under != under and not head.sweep.cursor for head, under in zip(heads(url), before, strict=True)
        )

    spent, waits_ms = _until(is_swept, ebb, probe)
    return {
        "sweep_s": round(spent["worker"], 2),
        "sweep_redis_s": round(spent["redis"], 2),
        "sweep_elapsed_s": round(spent["elapsed"], 2),
        "sweep_live_event_p50_ms": round(percentile(waits_ms, 0.5), 1),
        "sweep_live_event_p99_ms": round(percentile(waits_ms, 0.99), 1),
    }


def _until(is_over: Callable[[], bool], ebb: RunningEbb, probe: Probe) -> tuple[dict[str, float], list[float]]:
    """Seconds spent until it is over, CPU by process and `elapsed`; and what live events waited meanwhile, ms."""
    before, began_s = ebb.spent(), time.monotonic()
    waits_ms = [probe.waits_ms()]
    while not is_over():
        waits_ms.append(probe.waits_ms())
        if time.monotonic() - began_s > DONE_WITHIN_S:
            raise RuntimeError(f"the customers are not worked off after {DONE_WITHIN_S:.0f} s")
    spent = {name: seconds - before.get(name, 0.0) for name, seconds in ebb.spent().items()}
    return spent | {"elapsed": time.monotonic() - began_s}, waits_ms
