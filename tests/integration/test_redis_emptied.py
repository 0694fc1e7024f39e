"""A Redis that loses everything under running workers: they end and say so, and do not begin anew unseen."""

from pathlib import Path

import redis

from schemas.topics import PURCHASES
from stream.redis_store import keys
from stream.redis_store.inspection import applied_positions
from tests.integration.live_events import customers_of, now_ms, purchase
from tests.integration.processes import PARTITIONS, Deployment, TestedProcess, deployed, eventually
from tests.line import Line

EACH = 20


def order(shop: Deployment, times: str) -> None:
    """A purchase of some customers of each partition."""
    at_ms = now_ms()
    names = [name for partition in range(PARTITIONS) for name in customers_of(partition, EACH, times)]
    shop.send(PURCHASES, *(purchase(name, at_ms, f"{name}-{times}") for name in names))
    shop.wait_until_applied()


def ends_saying_what_is_lost(worker: TestedProcess) -> None:
    assert worker.exit_code(60) == 1
    last = worker.output().splitlines()[-1]
    assert last.startswith("ebb: Partition ")
    assert "in Redis is empty, and this worker had applied version " in last
    assert "ebb recover --from ARCHIVE" in last
    assert worker.said("another worker claimed a partition") == []


def test_workers_of_a_redis_that_loses_everything_end_and_say_so(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    """One is idle; one has just stopped its lanes for an assignment, and claims what has gone meanwhile."""
    with (
        redis.Redis.from_url(redis_url) as client,
        Line(int(redis_url.rpartition(":")[2].partition("/")[0])) as line,
        deployed(empty_apache_kafka, line.redis_url, tmp_path, clock="live") as shop,
    ):
        idle = shop.start("worker")
        order(shop, "first")
        client.flushall()
        ends_saying_what_is_lost(idle)
        shop.processes.clear()
        assert not client.exists(*(keys.partition_head(partition) for partition in range(PARTITIONS)))

        left = shop.start("worker")  # begins anew with what Kafka has
        eventually(lambda: left.said("lane started"))  # else it may be the other that has all partitions first
        other = shop.start("worker")
        eventually(lambda: other.said("lane started"))
        order(shop, "second")
        assert sum(applied_positions(redis_url).values()) == 2 * PARTITIONS * EACH
        line.is_silent = True
        assigned = len(left.said("partitions assigned"))
        shop.kill(other)
        eventually(lambda: len(left.said("partitions assigned")) > assigned)
        client.flushall()
        line.is_silent = False
        ends_saying_what_is_lost(left)
        shop.processes.clear()


def test_a_redis_that_is_older_than_its_worker_s_claim_is_counted_as_one_that_came_back_older(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    """It names the owner before, so that the worker is fenced, and nobody else would say what was lost."""
    heads = [keys.partition_head(partition) for partition in range(PARTITIONS)]
    with (
        redis.Redis.from_url(redis_url) as client,
        deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop,
    ):
        before = shop.start("worker")
        order(shop, "first")
        before.stop()
        shop.processes.clear()
        older = [client.hgetall(head) for head in heads]
        worker = shop.start("worker")
        order(shop, "second")
        with client.pipeline(transaction=True) as pipeline:
            for head, fields in zip(heads, older, strict=True):
                pipeline.delete(head).hset(head, mapping=fields)
            pipeline.execute()
        eventually(lambda: len(worker.said("redis came back older than what was applied")) == PARTITIONS)
        shop.wait_until_applied()
