"""The whole benchmark: services, contestants, and what is put down at the end."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import agreement, throughput
from benchmarks.agreement import States
from benchmarks.contestants import Stand
from benchmarks.kafka_log import fill, make_topics
from benchmarks.loads import CUSTOMERS, records
from benchmarks.throughput import DECODE_LIMIT, EBB, OBVIOUS, QUIX, SMALL_EBB, Extent, Say
from ebb.services.apache_kafka import ApacheKafka

AGREEMENT_EVENTS, AGREEMENT_CUSTOMERS = 20_000, 2_000


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    loads: Sequence[str]
    contestants: Sequence[str]
    extent: Extent
    seed: int


@contextmanager
def stand() -> Iterator[Stand]:
    """A new broker with empty topics, in a folder that goes away."""
    with TemporaryDirectory(prefix="ebb-benchmark-") as folder, ApacheKafka(Path(folder) / "kafka") as kafka:
        make_topics(kafka.address)
        yield Stand(kafka, Path(folder))
        kafka.kill()  # its data goes away: nothing to write down first


def now_ms() -> int:
    """The wall's time."""
    return time.time_ns() // 1_000_000


def check_agreement(plan: Plan, say: Say) -> int:
    """Let everybody fold the same small log, and compare.

    Raises:
        DisagreementError: they do not come to the same numbers.
    """
    log = records("zipf", AGREEMENT_EVENTS, plan.seed, now_ms(), AGREEMENT_CUSTOMERS)
    with stand() as small:
        fill(small.kafka.address, log)
        states = {name: _folded(small, name) for name in plan.contestants if name != DECODE_LIMIT}
    customers = agreement.require_agreement(states) if states else 0
    say(f"{', '.join(states)} agree on {customers:,} customers")
    return customers


def _folded(small: Stand, name: str) -> States:
    """One process: with two, a rebalance makes the peers apply some events twice, as at-least-once does."""
    with small.start(name, 1) as running:
        running.work_off(AGREEMENT_EVENTS)
        read = {EBB: agreement.of_ebb, SMALL_EBB: agreement.of_small_ebb, OBVIOUS: agreement.of_obvious}
        if name in read:
            return read[name](running.redis.address)
    if name != QUIX:
        raise ValueError(f"nobody knows where {name} keeps its states")
    return agreement.of_quix(small.kafka.address)  # at its end it has written everything


def measure_loads(plan: Plan, say: Say) -> dict[str, Any]:
    """Every load on a broker of its own: load -> its figures, and `small`."""
    told: dict[str, Any] = {}
    small: dict[str, Any] = {}
    for load in plan.loads:
        log = records(load, plan.extent.events, plan.seed, now_ms())
        customers = len({record.key for record in log})
        say(f"{load}: {len(log):,} events of {customers:,} of {CUSTOMERS:,} customers")
        with stand() as filled:
            fill(filled.kafka.address, log)
            del log
            found = throughput.measure(filled, plan.contestants, plan.extent, customers, say)
        told[load] = throughput.summary(found, plan.contestants) | {"customers": customers}
        small[load] = throughput.small_summary(found, plan.contestants)
    return told | {"small": small}
