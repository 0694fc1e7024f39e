"""Several workers, and one that sleeps through the loss of its partitions: a second writer does not exist."""

import signal
import time
from pathlib import Path

from offline.history import History
from stream.redis_store.inspection import shop_totals
from tests.integration.processes import PARTITIONS, Deployment, TestedProcess, deployed, eventually, without_topics
from tests.integration.retail import first_events

EVENTS = 12_000
STOP_WITHIN_S = 3.0
FENCED = "another worker claimed a partition"


def stop(process: TestedProcess) -> float:
    """Ask it to leave; how long that took."""
    asked_s = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.exit_code() == 0
    took_s = time.monotonic() - asked_s
    assert "Traceback" not in process.output()
    assert "\x1b" not in process.output(), "it wrote on a terminal that is none"
    assert len(process.said("lane stopped")) == len(process.said("lane started"))
    return took_s


def test_partitions_move_between_workers_and_every_event_counts_once(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history = first_events(EVENTS)
    with deployed(empty_apache_kafka, redis_url, tmp_path, settings={"EBB_CHUNK_RECORDS": "2"}) as shop:
        shop.publish(history)
        first = shop.start("worker")
        eventually(lambda: shop.applied() > 100)
        second = shop.start("worker")
        eventually(lambda: second.said("lane started") and len(first.said("lane started")) == PARTITIONS + 1)
        first.send(signal.SIGSTOP)
        eventually(lambda: len(second.said("lane started")) >= 1 + PARTITIONS, what="the second has taken over all")
        first.send(signal.SIGCONT)
        lanes = len(first.said("lane started"))
        eventually(lambda: len(first.said("lane started")) > lanes, what="the first is a member again")
        assert shop.lag() > 500, "too fast to prove anything"
        took_s = stop(first)
        shop.processes.remove(first)
        shop.wait_until_applied()
        parity = shop.parity(history)
        assert (parity.customers, list(parity.mismatches)) == (history.summary.customers, [])
        totals = shop_totals(redis_url)
        assert (totals["events"], totals.get("duplicates", 0)) == (EVENTS, 0)
        took_s = max(took_s, stop(second))
        assert took_s < STOP_WITHIN_S
        print(f"left {took_s:.1f} s after SIGTERM; the sleeper was {len(first.said(FENCED))} times fenced")


def test_a_log_that_is_not_the_one_redis_has_applied_is_refused(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history = first_events(300)
    later = History([event for event in first_events(1_000).events if event not in history.events])
    with deployed(empty_apache_kafka, redis_url, tmp_path) as shop:
        shop.publish(history)
        worker = shop.start("worker")
        shop.wait_until_applied()
        stop(worker)
        assert "ends at offset" in refusal(shop, History(history.events[:50]))
        assert "holds another record at offset" in refusal(shop, later)


def refusal(shop: Deployment, instead: History) -> str:
    """What a worker says that finds another history in the topics."""
    shop.processes.clear()
    without_topics(shop.servers)
    shop.make_topics()
    shop.publish(instead)
    worker = shop.start("worker")
    assert worker.exit_code() == 1
    return worker.output().splitlines()[-1]
