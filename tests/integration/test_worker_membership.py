"""Workers that come, go, sleep and are killed under load: how long their partitions rest, and that all counts once."""

import signal
import time
from pathlib import Path

from stream.redis_store.inspection import outbox_depths
from tests.integration.commit_watch import CommitWatch
from tests.integration.feed import Feed
from tests.integration.live_events import publish_silence_model
from tests.integration.processes import (
    PARTITIONS,
    SESSION_TIMEOUT_MS,
    Deployment,
    TestedProcess,
    deployed,
    eventually,
)
from tests.integration.recomputation import counted, equals_recomputation

FENCED = "another worker claimed a partition"


def stopped_in_order(worker: TestedProcess) -> float:
    """Ask it to leave; how long that took, in s."""
    asked_s = time.monotonic()
    worker.send(signal.SIGTERM)
    assert worker.exit_code() == 0
    took_s = time.monotonic() - asked_s
    assert "Traceback" not in worker.output()
    assert "\x1b" not in worker.output(), "it wrote on a terminal that is none"
    assert len(worker.said("lane stopped")) == len(worker.said("lane started"))
    return took_s


def succeeded(shop: Deployment, predecessor: TestedProcess, name: str) -> TestedProcess:
    """Start another under the same instance id; when it has the partitions, the one before ends by itself."""
    successor = shop.start("worker", EBB_WORKER_INSTANCE_ID=name)
    assert predecessor.exit_code() == 1
    assert "was started after this one" in predecessor.output().splitlines()[-1]
    shop.processes.remove(predecessor)
    shop.more()
    return successor


def slept(watch: CommitWatch, sleeper: TestedProcess, other: TestedProcess) -> float:
    """Let one sleep until the other has taken over, and come back; how long that took, in s."""
    owner, began_s = watch.owner_of_process(sleeper.identity.pid), time.monotonic()
    lanes = len(sleeper.said("lane started"))
    sleeper.send(signal.SIGSTOP)
    taken_s = eventually(lambda: watch.first_commit_by_another_s(owner, began_s)) - began_s
    sleeper.send(signal.SIGCONT)
    eventually(lambda: len(sleeper.said("lane started")) > lanes, what="the sleeper is a member again")
    eventually(lambda: watch.owner_of_process(sleeper.identity.pid) and watch.owner_of_process(other.identity.pid))
    return taken_s


def killed(shop: Deployment, watch: CommitWatch, worker: TestedProcess) -> float:
    """Kill one; after how long all its partitions were committed to by another, in s."""
    owner, killed_s = watch.owner_of_process(worker.identity.pid), time.monotonic()
    shop.kill(worker)
    return eventually(lambda: watch.first_commit_by_another_s(owner, killed_s)) - killed_s


def test_of_workers_that_are_followed_sleep_or_are_killed_every_event_counts_once(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        publish_silence_model(redis_url)
        first, other = (shop.start("worker", EBB_WORKER_INSTANCE_ID=name) for name in ("one", "two"))
        eventually(lambda: first.said("lane started") and other.said("lane started"))
        with Feed(shop.servers) as feed, CommitWatch(redis_url) as watch:
            shop.more()
            began_s = time.monotonic()
            successor = succeeded(shop, first, "one")
            pause_s = watch.longest_pause_s(began_s)
            assert not other.said(FENCED)
            asleep_s = slept(watch, other, successor)
            shop.more()
            killed_s = killed(shop, watch, other)
            shop.more()
            feed.stop()
            shop.wait_until_applied()
        eventually(lambda: not any(outbox_depths(redis_url).values()), what="everything is sent")
        assert len(successor.said("lane started")) > PARTITIONS
        left_s = stopped_in_order(successor)
        shop.processes.clear()
        assert counted(redis_url) == (feed.events, feed.garbage)
        messages = equals_recomputation(shop)
    print(
        f"{feed.events} events, {messages} messages; session timeout {SESSION_TIMEOUT_MS['apache'] / 1000} s; "
        f"rested {pause_s:.2f} s when a successor started; committed by another {asleep_s:.1f} s after SIGSTOP and "
        f"{killed_s:.1f} s after SIGKILL; left {left_s:.1f} s after SIGTERM; fenced {len(other.said(FENCED))} times"
    )
