"""The pieces of the benchmark of delivery that need no Kafka; those that do are the tests' own."""

import asyncio
import subprocess
import sys
import time
from typing import Any

import redis

from benchmarks.cpu import cpu_seconds
from benchmarks.delivery import SECTIONS, table
from benchmarks.deployed_workers import Start
from benchmarks.full_start import one_of_each
from benchmarks.handovers import summary
from benchmarks.held_back import HeldBack
from benchmarks.kafka_log import PARTITIONS
from benchmarks.safety_share import BareStore, Chunk, Spent, share, store_bare, store_whole
from schemas.partition import partition_of
from stream.ports import Commit, LogPosition
from stream.redis_store.partition import RedisPartitionStore
from tests.integration.processes import eventually

COMMIT = Commit(
    positions={"events.purchases": LogPosition(1, 2, 3)},
    stream_time_ms=9,
    sequence=0,
    states={"ada": b"state"},
    views={"ada": b"view"},
    journal=b"entry",
    totals={"purchases": 1},
)
PAUSES = {"median": 0.25, "max": 0.5, "times": 4}
START = {"cpu_s": 1.5, "steps_s": {"imports": 1.0, "warming": 0.5}}
RUN = {"events_per_s": 20_000, "busy_cores": 1.9, "cpu_us_per_event": {"worker": 40.0}, "all_worked": True}
MEASURED: dict[str, Any] = {
    "machine": {"cores": 2},
    "bytecode_kept": True,
    "load_average": {name: [0.5, 2.0] for name in SECTIONS},
    "killed": {"session_timeout_s": 10.0, "above_timeout_s": PAUSES},
    "rolling": {"followed_s": PAUSES, "in_place_s": PAUSES, "left_s": PAUSES, "in_place": START},
    "start": {"1000000": {"first_commit_s": 1.9, "all_partitions_s": 2.0, **START}},
    "safety": {"customers": 1_000, "share_of_cpu": 0.012, "share_of_wall": 0.009, "chunk_ms": {"cpu": 35.0}},
    "second_worker": {"zipf": {"times": 1.1, "rounds": 3, "core_of_each": 1.0, "1": RUN, "2": RUN}},
    "held_back": {"zipf": {"times": 1.9, "rounds": 3, "core_of_each": 0.2, "1": RUN, "2": RUN}},
}


def test_without_check_and_journal_the_rest_of_a_commit_is_the_same(redis_url: str) -> None:
    async def store() -> None:
        whole, bare = RedisPartitionStore(redis_url, 0), BareStore(redis_url, 1)
        await whole.claim("test")
        await store_whole(whole, COMMIT)
        await store_bare(bare, COMMIT)
        await whole.close()
        await bare.close()

    asyncio.run(store())
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        families = {p: {key.split(":")[0] for key in client.scan_iter(f"*:{{{p}}}*")} for p in (0, 1)}
    assert families[0] - families[1] == {"partition", "journal"}
    assert families[1] == {"state", "customer", "shop"}


def test_a_share_is_what_is_stored_and_computed_more_of_the_whole_chunk() -> None:
    chunk = Chunk(computed=Spent(8.0, 6.0), for_safety=Spent(0.25, 0.5), whole=Spent(2.0, 2.0), bare=Spent(1.75, 1.5))
    assert share([chunk], lambda spent: spent.cpu_s) == 0.125
    assert share([chunk], lambda spent: spent.wall_s) == 0.05


def test_every_partition_has_something_to_commit_at_a_start() -> None:
    records = one_of_each(seed=1, round_=0)
    assert {partition_of(record.key.decode(), PARTITIONS) for record in records} == set(range(PARTITIONS))
    again = one_of_each(seed=1, round_=1)
    assert not {record.value for record in records} & {record.value for record in again}, "a round repeats another"


def test_a_process_that_is_held_back_computes_its_share_of_a_core_and_goes_on_afterwards() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        with HeldBack([busy.pid], 0.2):
            began_s = time.monotonic()
            eventually(lambda: cpu_seconds([busy.pid]) > 0.3)
            share = cpu_seconds([busy.pid]) / (time.monotonic() - began_s)
        computed_s = cpu_seconds([busy.pid])
        eventually(lambda: cpu_seconds([busy.pid]) > computed_s, what="it goes on")
        busy.kill()
    assert share < 0.3


def test_of_several_starts_each_step_has_its_own_median() -> None:
    starts = [Start((1.0, 1.1), cpu, {"imports": cpu, "warming": 9 - cpu}) for cpu in (1.0, 2.0, 4.0)]
    assert summary(starts) == {"cpu_s": 2.0, "steps_s": {"imports": 2.0, "warming": 7.0}}


def test_a_result_is_told_beside_what_was_asked_for() -> None:
    told = table(MEASURED)
    for words in (
        "above the session timeout of 10 s: median 0.25 s, at most 0.5 s of 2",
        "stopped and started under its instance id    median 0.25, at most 0.5",
        "1,000,000 customers: 1.90, to all partitions 2.00",
        "1.2% of CPU",
        "two workers on zipf: 1.1 times one",
        "two workers on zipf, of which each has 0.2 of a core: 1.9 times one",
        "load average on 2 cores: killed 0.5 to 2.0",
    ):
        assert words in told
    assert "compileall" in table(MEASURED | {"bytecode_kept": False})
