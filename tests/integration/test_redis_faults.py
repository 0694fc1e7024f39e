"""Everything that befalls a Redis under load, one after another: the worker waits or goes back, and nothing is lost."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from ebb.services.embedded_redis import EmbeddedRedis
from stream.redis_store.inspection import outbox_depths
from tests.hurting import RedisOfThisMachine, Snapshot
from tests.integration.feed import Feed
from tests.integration.live_events import publish_silence_model
from tests.integration.processes import (
    PARTITIONS,
    SESSION_TIMEOUT_MS,
    TestedProcess,
    deployed,
    eventually,
    while_it_lasts,
)
from tests.integration.recomputation import counted, equals_recomputation
from tests.line import Line

SEEK_BACK = "redis is behind what was applied, seeking back"
AWAY = "redis does not answer, trying until it does"
OUTAGES_S = (2 * SESSION_TIMEOUT_MS["apache"] / 1000, pytest.param(30.0, marks=pytest.mark.long))
MORE_MEMORY_MAX = 60_000_000
LINES_MAX = 80  # ten of a start, and a few of each fault and lane


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def waits(worker: TestedProcess, since: int) -> None:
    """Wait until the lanes have noticed that Redis does not work."""
    eventually(lambda: len(worker.said(AWAY)) > since, what="the worker has noticed")


@pytest.mark.parametrize("away_s", OUTAGES_S)
def test_a_redis_that_fails_in_every_way_costs_no_event_and_no_rebalance(
    away_s: float, empty_apache_kafka: str, running: ExitStack, tmp_path: Path
) -> None:
    first = running.enter_context(EmbeddedRedis(tmp_path / "first"))
    replica = running.enter_context(RedisOfThisMachine(tmp_path / "replica"))
    line = running.enter_context(Line(first.port))
    settings = {"EBB_QUEUE_BYTES": "2000000", "EBB_CHUNK_BYTES": "1000000"}
    told: dict[str, float] = {}
    with deployed(empty_apache_kafka, line.redis_url, tmp_path, clock="live", settings=settings) as shop:
        publish_silence_model(shop.redis_url)
        worker = shop.start("worker")
        eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
        with redis.Redis.from_url(first.address) as client, Feed(shop.servers) as feed:
            shop.more()
            memory = worker.resident_bytes()

            line.is_silent = True
            while_it_lasts(away_s)
            line.is_silent = False
            told["silent"] = shop.more()

            noticed = len(worker.said(AWAY))
            client.config_set("maxmemory", 1)
            waits(worker, noticed)
            client.config_set("maxmemory", 0)
            told["without memory"] = shop.more()

            noticed = len(worker.said(AWAY))
            client.config_set("requirepass", "another")
            client.client_kill_filter(_type="normal", skipme=True)
            waits(worker, noticed)
            client.config_set("requirepass", "")
            told["with another password"] = shop.more()

            line.delay_s = 0.03
            told["slow"] = shop.more()
            line.delay_s = 0.0

            older = Snapshot(first, tmp_path / "older")
            shop.more()
            older.restore()
            eventually(lambda: worker.said(SEEK_BACK))
            told["older under load"] = shop.more()

            with redis.Redis.from_url(replica.address) as follower, Line(first.port) as replication:
                follower.replicaof("127.0.0.1", replication.own_port)
                eventually(lambda: follower.info("replication")["master_link_status"] == "up")
                replication.is_silent = True
                shop.more()
                first.kill()
                follower.replicaof("NO", "ONE")
            seeks = len(worker.said(SEEK_BACK))
            line.lead_to(replica.port)
            eventually(lambda: len(worker.said(SEEK_BACK)) > seeks)
            told["failed over to a replica that lagged"] = shop.more()

            older = Snapshot(replica, tmp_path / "older-replica")
            shop.more()
            feed.stop()
        shop.wait_until_applied()
        memory = worker.resident_bytes() - memory
        seeks = len(worker.said(SEEK_BACK))
        older.restore()
        eventually(lambda: len(worker.said(SEEK_BACK)) > seeks, what="idle partitions have noticed an older Redis")
        shop.wait_until_applied()
        eventually(lambda: not any(outbox_depths(shop.redis_url).values()), what="everything is sent")
        assert len(worker.said("lane started")) == PARTITIONS, "a partition was given up"
        assert memory < MORE_MEMORY_MAX
        assert len(worker.output().splitlines()) < LINES_MAX, worker.output()
        worker.stop()
        shop.processes.clear()
        assert counted(shop.redis_url) == (feed.events, feed.garbage)
        messages = equals_recomputation(shop)
    print(f"{feed.events} events, {messages} messages, {memory / 1e6:.0f} MB more memory; first commits after faults:")
    print("; ".join(f"{fault} {seconds:.1f} s" for fault, seconds in told.items()))
