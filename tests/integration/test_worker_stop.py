"""Processes asked to stop under load, also where Redis does not answer: they leave in order, and everything counts."""

import signal
import time
from pathlib import Path

from tests.hurting import RedisOfThisMachine
from tests.integration.feed import Feed
from tests.integration.live_events import publish_silence_model
from tests.integration.processes import PARTITIONS, Deployment, TestedProcess, deployed, eventually
from tests.integration.recomputation import counted, equals_recomputation
from tests.integration.test_redis_faults import AWAY
from tests.line import Line


def started(shop: Deployment) -> TestedProcess:
    worker = shop.start("worker")
    eventually(lambda: len(worker.said("lane started")) >= PARTITIONS)
    return worker


def left(shop: Deployment, process: TestedProcess) -> float:
    """Ask it to stop; how long it took, in s."""
    asked_s = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.exit_code() == 0, process.output()[-3000:]
    assert "Traceback" not in process.output()
    assert len(process.said("lane stopped")) == len(process.said("lane started"))
    shop.processes.remove(process)
    return time.monotonic() - asked_s


def test_who_is_asked_to_stop_leaves_in_order_under_load_and_while_redis_does_not_answer(
    empty_apache_kafka: str, tmp_path: Path
) -> None:
    with (
        RedisOfThisMachine(tmp_path / "redis") as redis,
        Line(redis.port) as line,
        deployed(empty_apache_kafka, line.redis_url, tmp_path, clock="live") as shop,
    ):
        publish_silence_model(redis.address)
        worker, learner = started(shop), shop.start("learner")
        eventually(lambda: learner.said("learner started"))
        told: dict[str, float] = {}
        with Feed(shop.servers) as feed:
            shop.more()
            told["under load"] = left(shop, worker)
            worker = started(shop)
            shop.more()
            line.is_silent = True
            eventually(lambda: worker.said(AWAY), what="the lanes wait for Redis")
            told["while Redis is silent"] = left(shop, worker)
            told["the learner"] = left(shop, learner)
            line.is_silent = False
            worker = started(shop)
            shop.more()
            feed.stop()
        shop.wait_until_applied()
        told["idle"] = left(shop, worker)
        assert counted(redis.address) == (feed.events, feed.garbage)
        shop.redis_url = redis.address
        equals_recomputation(shop)
    print("left after SIGTERM: " + ", ".join(f"{when} {seconds:.1f} s" for when, seconds in told.items()))
