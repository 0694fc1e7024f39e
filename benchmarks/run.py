"""The whole benchmark: services, contestants, and what is put down at the end."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import alert_latency, lookups, offline_fold, offline_read, profiles, silence, stored_states, throughput
from benchmarks.agreement import States, require_agreement
from benchmarks.comparing import DECODE_LIMIT, EBB, OBVIOUS, QUIX, SMALL_EBB, small_summary, summary
from benchmarks.contestants import Stand
from benchmarks.kafka_log import fill, make_topics
from benchmarks.loads import CUSTOMERS, records
from benchmarks.throughput import Extent, Say
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
    log = [
        record
        for load in ("zipf", "sessions")
        for record in records(load, AGREEMENT_EVENTS // 2, plan.seed, now_ms(), AGREEMENT_CUSTOMERS)
    ]
    with stand() as small:
        fill(small.kafka.address, log)
        states = {name: _folded(small, name, len(log)) for name in plan.contestants if name != DECODE_LIMIT}
    customers = require_agreement(states) if states else 0
    say(f"{', '.join(states)} agree on {customers:,} customers")
    return customers


def _folded(small: Stand, name: str, records: int) -> States:
    """One process: with two, a rebalance makes the peers apply some events twice, as at-least-once does."""
    with small.start(name, 1) as running:
        running.work_off(records)
        read = {EBB: stored_states.of_ebb, SMALL_EBB: stored_states.of_small_ebb, OBVIOUS: stored_states.of_obvious}
        if name in read:
            return read[name](running.redis.address)
    if name != QUIX:
        raise ValueError(f"nobody knows where {name} keeps its states")
    return stored_states.of_quix(small.kafka.address)  # at its end it has written everything


def measure_loads(plan: Plan, say: Say) -> dict[str, Any]:
    """Every load on a broker of its own: load -> its figures, and `small`."""
    told: dict[str, Any] = {}
    small: dict[str, Any] = {}
    for load in plan.loads:
        log = records(load, plan.extent.events, plan.seed, now_ms())
        events, customers = len(log), len({record.key for record in log})
        say(f"{load}: {events:,} events of {customers:,} of {CUSTOMERS:,} customers")
        with stand() as filled:
            fill(filled.kafka.address, log)
            del log
            extent = replace(plan.extent, events=events)
            found = throughput.measure(filled, plan.contestants, extent, customers, say)
        told[load] = summary(found, plan.contestants) | {"customers": customers}
        small[load] = small_summary(found, plan.contestants)
    return told | {"small": small}


def measure_alert_latency(seconds: float, processes: Sequence[int], seed: int) -> dict[str, Any]:
    """From an event to its alert, ms: with the number of workers that is sooner at p50, and with each of them."""
    found: dict[str, dict[str, Any]] = {}
    for workers in processes:
        with stand() as empty:
            found[str(workers)] = alert_latency.measure(empty, workers, seconds, seed)
    best = min(found, key=lambda workers: float(found[workers]["p50"]))
    return found[best] | {"processes": int(best), "by_processes": found}


def measure_lookups(events: int, processes: int, seed: int) -> dict[str, Any]:
    """Lookups, ms, while a worker works off the uniform load and afterwards."""
    log = records("uniform", events, seed, now_ms())
    with stand() as filled:
        fill(filled.kafka.address, log, for_peers=False)
        with filled.ebb(processes) as ebb:
            return lookups.measure(ebb, events, seed)


def measure_offline(events: int, seed: int) -> dict[str, int]:
    """Events folded a second by one core, and events read from a file and folded."""
    return {
        "offline_events_per_s": offline_fold.events_per_s(events, seed),
        "offline_read_events_per_s": offline_read.events_per_s(events, seed),
    }


def measure_silence(customers: int, seed: int) -> dict[str, Any]:
    """What a day without events costs."""
    with stand() as empty:
        return silence.measure(empty, customers, seed)


def measure_profiles(events: int, seed: int, say: Say) -> dict[str, str]:
    """Where the time of one process of Ebb and of Quix Streams goes on the uniform load, as tables."""
    log = records("uniform", events, seed, now_ms())
    found: dict[str, str] = {}
    with stand() as filled:
        fill(filled.kafka.address, log)
        del log
        for name in (EBB, QUIX):
            with filled.start(name, 1) as running:
                try:
                    found[name] = profiles.profile(running, events)
                except profiles.CannotProfileError as reason:
                    say(f"no profile of {name}: {reason}")
    return found
