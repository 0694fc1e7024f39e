"""A start with many customers in Redis beside one with few: from the start of the process to its commits."""

import signal
from contextlib import ExitStack
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import redis

from benchmarks.contestants import Stand
from benchmarks.deployed_workers import Start, Workers, workers
from benchmarks.handovers import Say, summary
from benchmarks.kafka_log import PARTITIONS, fill
from benchmarks.loads import Record, written
from benchmarks.run import now_ms, stand
from schemas.partition import partition_of
from schemas.topics import ENGAGEMENT, PURCHASES
from stream.redis_store import keys
from stream.worker.seen import BLOCK_RECORDS, WINDOW_RECORDS

BATCH = 100_000
FEW = 1_000
FILLED_WITHIN_S = 300.0
SPREAD_MS = 3_600_000  # the customers have bought within the last hour


def measure(customers: int, rounds: int, seed: int, say: Say) -> dict[str, Any]:
    """Starts with few and with many customers in turn, s."""
    starts: dict[int, list[Start]] = {FEW: [], customers: []}
    with ExitStack() as stack:
        shops = {count: _filled(stack, count, seed, say) for count in starts}
        for round_ in range(rounds):
            for count, (place, one) in shops.items():
                fill(place.kafka.address, one_of_each(seed, round_), for_peers=False)
                starts[count].append(_start(one))
                first_s, all_s = starts[count][-1].seconds
                say(f"  {count:,} customers: first commit after {first_s:.2f} s, all partitions after {all_s:.2f} s")
    return {
        str(count): {
            "first_commit_s": round(median(start.seconds[0] for start in of_count), 2),
            "all_partitions_s": round(median(start.seconds[1] for start in of_count), 2),
            **summary(of_count),
        }
        for count, of_count in starts.items()
    }


def _filled(stack: ExitStack, customers: int, seed: int, say: Say) -> tuple[Stand, Workers]:
    """A shop that so many customers have bought at, its worker stopped."""
    place = stack.enter_context(stand())
    one = stack.enter_context(workers(place, f"start-{customers}"))
    random = np.random.default_rng([seed, 12])
    for first in range(0, customers, BATCH):
        who = np.arange(first, min(first + BATCH, customers))
        times = np.full(len(who), now_ms()) - random.integers(0, SPREAD_MS, len(who))
        fill(place.kafka.address, written(who, times, random, purchase_share=1.0), for_peers=False)
    one.start("filling")
    one.shop.wait_until_applied(FILLED_WITHIN_S)
    _stop(one, "filling")
    if customers > FEW:
        _fill_windows(one.shop.redis_url, random)
    say(f"  {customers:,} customers in Redis")
    return place, one


def _fill_windows(redis_url: str, random: np.random.Generator) -> None:
    """Event ids of a million records each of purchases and engagement in every partition, as after some weeks."""
    with redis.Redis.from_url(redis_url) as client:
        for partition, topic in product(range(PARTITIONS), (PURCHASES, ENGAGEMENT)):
            key = keys.seen(partition, topic)
            hashes = random.integers(1, 2**63, (WINDOW_RECORDS // BLOCK_RECORDS, BLOCK_RECORDS), dtype=np.uint64)
            client.delete(key)
            client.rpush(key, *(block.tobytes() for block in hashes))


def one_of_each(seed: int, round_: int) -> list[Record]:
    """A purchase on every partition, so that each has something to commit; none that an earlier round has made."""
    random = np.random.default_rng([seed, 13, round_])
    found: dict[int, Record] = {}
    while len(found) < PARTITIONS:
        [record] = written(random.integers(0, FEW, 1), np.array([now_ms()]), random, purchase_share=1.0)
        found[partition_of(record.key.decode(), PARTITIONS)] = record
    return list(found.values())


def _start(one: Workers) -> Start:
    start = one.started("one", PARTITIONS)
    _stop(one, "one")
    return start


def _stop(one: Workers, name: str) -> None:
    one.running[name].send(signal.SIGTERM)
    code = one.ended(name)
    if code:
        raise RuntimeError(f"the worker ended with {code}: {one.shop.folder}")
