"""Redis or Kafka goes away while a worker works: it waits, loses nothing, gives nothing up, and fills no log."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebb.services.apache_kafka import ApacheKafka
from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.service import Service
from stream.redis_store.inspection import shop_totals
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually
from tests.integration.retail import first_events

EVENTS = 4_000
AWAY_S = 10.0
MORE_MEMORY_MAX = 60_000_000  # the queues of this test hold 16 MB
AOF = "appendonly.aof"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as service:
        yield service


def again(service: Service) -> None:
    service.start()
    service.wait_until_ready()


def in_parity(shop: Deployment) -> None:
    """Everything counts once."""
    history = first_events(EVENTS)
    parity = shop.parity(history)
    assert (parity.customers, list(parity.mismatches)) == (history.summary.customers, [])
    totals = shop_totals(shop.redis_url)
    assert (totals["events"], totals.get("duplicates", 0), totals.get("dead_letters", 0)) == (EVENTS, 0, 0)


def test_a_redis_that_comes_back_after_ten_seconds_and_older_costs_no_event_and_no_rebalance(
    empty_apache_kafka: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    settings = {"EBB_CHUNK_RECORDS": "20", "EBB_CHUNK_BYTES": "1000000", "EBB_QUEUE_BYTES": "2000000"}
    with deployed(empty_apache_kafka, own_redis.address, tmp_path, settings=settings) as shop:
        worker = shop.start("worker")
        eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
        shop.publish(first_events(EVENTS))
        eventually(lambda: shop.applied() > 300)
        older = (own_redis.folder / AOF).read_bytes()
        eventually(lambda: shop.applied() > 900)
        memory = worker.resident_bytes()
        own_redis.kill()
        killed_s = time.monotonic()
        (own_redis.folder / AOF).write_bytes(older)
        eventually(lambda: time.monotonic() > killed_s + AWAY_S)
        memory = worker.resident_bytes() - memory
        again(own_redis)
        applied, back_s = shop.applied(), time.monotonic()
        eventually(lambda: shop.applied() > applied)
        going_on_s = time.monotonic() - back_s
        shop.wait_until_applied()
        in_parity(shop)
        assert worker.said("redis is behind what was applied, seeking back")
        assert len(worker.said("lane started")) == PARTITIONS, "a partition was given up"
        assert memory < MORE_MEMORY_MAX
        assert len(worker.output().splitlines()) < 30, worker.output()
        print(f"redis back: going on after {going_on_s:.1f} s, {memory / 1e6:.0f} MB more memory meanwhile")


def test_kafka_killed_and_back_costs_no_event(redis_url: str, tmp_path: Path) -> None:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        with deployed(kafka.address, redis_url, tmp_path, settings={"EBB_CHUNK_RECORDS": "50"}) as shop:
            worker = shop.start("worker")
            shop.publish(first_events(EVENTS))
            eventually(lambda: shop.applied() > 500)
            kafka.kill()
            again(kafka)
            shop.wait_until_applied()
            in_parity(shop)
            eventually(lambda: len(worker.said("lane started")) > PARTITIONS, what="the group has formed anew")
            kafka.kill()
            sent_s = time.monotonic()
            worker.send(signal.SIGTERM)
            assert worker.exit_code() == 0
            print(f"without Kafka: left after {time.monotonic() - sent_s:.1f} s")
            assert "Traceback" not in worker.output()
        kafka.kill()
