"""Erasing and merging on real services, under load and with a worker killed in the middle of it."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from offline.history import History
from offline.verify import compare, recompute
from schemas.decode import DecodeRules
from schemas.partition import partition_of
from schemas.topics import INVALID, PURCHASES, REROUTED
from stream.redis_store.identities import all_identities, stored_of
from stream.redis_store.inspection import outbox_depths, scan_states, shop_totals, stream_times
from tests.integration.live_events import purchase
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually, send
from tests.integration.retail import first_events

EVENTS = 2_500


def ebb(shop: Deployment, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "ebb", *arguments],
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", **shop.environ()},
        cwd=Path(__file__).parents[2],
        timeout=120,
        check=False,
    )
    return done.returncode, msgspec.json.decode(done.stdout) if done.stdout else None


def busy(history: History) -> list[str]:
    """Customers by how often they come, the most frequent first."""
    customers = [event.customer_id for event in history.events if event.customer_id]
    return sorted(set(customers), key=lambda customer: (-customers.count(customer), customer))


def test_customers_are_erased_and_merged_exactly_though_the_worker_is_killed_meanwhile(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history = first_events(EVENTS)
    erased, visitor, *others = busy(history)
    known = next(name for name in others if partition_of(name, PARTITIONS) != partition_of(visitor, PARTITIONS))
    with deployed(empty_apache_kafka, redis_url, tmp_path, settings={"EBB_CHUNK_RECORDS": "20"}) as shop:
        shop.publish(History(history.events[: EVENTS // 2]))
        worker = shop.start("worker")
        shop.wait_until_applied()
        shop.kill(worker)
        assert ebb(shop, "erase", erased, "--no-wait", "--json")[0] == 0
        assert ebb(shop, "merge-customers", visitor, known, "--no-wait", "--json")[0] == 0
        shop.publish(History(history.events[EVENTS // 2 :]))
        worker = shop.start("worker")
        eventually(lambda: any(identity.into for identity in all_identities(redis_url).values()))
        shop.kill(worker)
        assert shop.lag() > 0, "it was killed too late to prove anything"
        shop.start("worker")
        shop.wait_until_applied()
        eventually(lambda: not any(outbox_depths(redis_url).values()))
        shop.wait_until_applied()
        identities = all_identities(redis_url)
        assert sum(bool(identity.erased_ms) for identity in identities.values()) == 1
        assert sum(identity.into == known for identity in identities.values()) == 1
        expected = recompute(history, PARTITIONS, DecodeRules(currency="GBP"), 2**42, identities=identities)
        assert visitor not in expected.customers
        assert list(compare(expected, states(shop)).mismatches) == []
        assert shop_totals(redis_url)["erasures"] == shop_totals(redis_url)["merges"] == 1

        receipt_file = tmp_path / "receipt.json"
        code, receipt = ebb(shop, "erase", known, "--json", "--receipt", str(receipt_file))
        assert (code, receipt["customer_id"], receipt["also"]) == (0, known, [visitor])
        assert receipt["removed"]["states"] == 1
        now_ms = max(stream_times(redis_url).values())
        assert [stored_of(redis_url, customer, now_ms) for customer in (known, visitor)] == [[], []]
        assert ebb(shop, "erase", "--verify", str(receipt_file), "--json") == (
            0,
            {"valid": True, "customer_id": known, "key_id": "test"},
        )
        old_ms, dropped = history.events[0].event_time_ms, shop_totals(redis_url).get("erased_events", 0)
        again = [purchase(name, old_ms, f"sent again for {name}") for name in (known, visitor, erased)]
        send(shop.servers, [(PURCHASES, event, None, None, []) for event in again])
        shop.wait_until_applied()
        assert shop_totals(redis_url)["erased_events"] == dropped + len(again)
        assert not states(shop).keys() & {known, visitor}
        assert ebb(shop, "erase", "nobody ☃", "--json")[1]["removed"] == {}
        assert shop.messages(INVALID) == []
        assert shop.messages(REROUTED)


def states(shop: Deployment) -> dict[str, bytes]:
    async def scan() -> dict[str, bytes]:
        return {customer: packed async for customer, packed in scan_states(shop.redis_url)}

    return asyncio.run(scan())
