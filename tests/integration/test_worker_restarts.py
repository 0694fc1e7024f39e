"""SIGKILL in the middle, again and again: nothing is lost, nothing counts twice."""

import random
import signal
import time
from pathlib import Path

import pytest

from stream.redis_store.inspection import outbox_depths, shop_totals
from tests.integration.processes import deployed, eventually
from tests.integration.retail import first_events

SEED = 20_101_209


def killed_at(total: int, kills: int, seed: int) -> list[int]:
    """Numbers of applied records at which the worker is killed: somewhere in each equal part of the replay."""
    draw = random.Random(seed)
    return [round((part + draw.random()) * total / (kills + 1)) for part in range(kills)]


@pytest.mark.parametrize(("broker", "kills"), [("apache", 3), ("embedded", 1)])
def test_a_worker_killed_at_random_moments_of_a_replay_ends_in_parity(
    broker: str, kills: int, request: pytest.FixtureRequest, redis_url: str, tmp_path: Path
) -> None:
    servers = request.getfixturevalue("empty_apache_kafka" if broker == "apache" else "embedded_kafka")
    history = first_events(2_500)
    small_chunks = {"EBB_CHUNK_RECORDS": "20"}
    with deployed(servers, redis_url, tmp_path, broker=broker, settings=small_chunks) as shop:
        shop.publish(history)
        restarts, killed_s = [], 0.0
        for applied in killed_at(2_500, kills, SEED):
            before = shop.applied()
            worker = shop.start("worker")
            eventually(lambda before=before: shop.applied() > before)
            restarts.append(time.monotonic() - killed_s)
            eventually(lambda applied=applied: shop.applied() >= applied)
            shop.kill(worker)
            killed_s = time.monotonic()
            assert shop.lag() > 0, "it was killed too late to prove anything"
        worker = shop.start("worker")
        shop.wait_until_applied()
        totals = shop_totals(redis_url)
        assert (totals["events"], totals.get("duplicates", 0), totals.get("dead_letters", 0)) == (2_500, 0, 0)
        parity = shop.parity(history)
        assert (parity.customers, list(parity.mismatches)) == (history.summary.customers, [])
        eventually(lambda: not any(outbox_depths(redis_url).values()), what="all messages published and forgotten")
        worker.send(signal.SIGTERM)
        assert worker.exit_code() == 0
    print(f"{broker}: {kills} kills, going on after {_seconds(restarts[1:])}")


def _seconds(waits: list[float]) -> str:
    return ", ".join(f"{wait:.1f} s" for wait in waits) or "not measured"
