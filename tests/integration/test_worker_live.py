"""The live clock: a view within a second of its event, an alert out of silence, and nobody's clock drags time along."""

import asyncio
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
import redis

from ebb.services.embedded_broker import EmbeddedBroker
from ebb.services.embedded_redis import EmbeddedRedis
from schemas.partition import partition_of
from schemas.topics import CHURN_ALERTS, CLOCK, ENGAGEMENT, PURCHASES
from stream.redis_store import keys
from stream.redis_store.inspection import shop_totals, stream_times
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import encode
from stream.signing import Keyring, seal
from tests.integration.processes import MODEL_KEYS, PARTITIONS, Deployment, deployed, eventually, without_topics
from tests.world import silence_document

DAY_MS = 86_400_000
OPENS_AFTER_DAYS = math.expm1(2.0 + math.log(4.0) / 1.5)
"""Silence at which the silence model of tests.world says four in five: 17.6 days."""

GRID_IS_LATE_MS = 32_336
"""A crossing is known to a 4,096th of the seven days looked ahead; this one lies so long before the next such point."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def purchase(customer: str, time_ms: int, event_id: str) -> dict[str, Any]:
    lines = [{"product_id": "85048", "quantity": 2, "unit_price": "12.50"}]
    event = {"type": "purchase", "event_id": event_id, "customer_id": customer, "event_time_ms": time_ms}
    return event | {"currency": "GBP", "lines": lines}


def customers_of(partition: int, count: int, name: str) -> list[str]:
    """Customers who live in one partition."""
    ids = (f"{name}-{number}" for number in range(1_000))
    return [customer for customer in ids if partition_of(customer, PARTITIONS) == partition][:count]


def view_of(client: redis.Redis, customer: str) -> dict[str, Any] | None:
    found = client.get(keys.view(partition_of(customer, PARTITIONS), customer))
    return msgspec.json.decode(found) if found else None


def publish_silence_model(redis_url: str) -> None:
    """What a learner would publish."""

    async def publish() -> None:
        store = RedisModelStore(redis_url)
        sealed = seal(encode(silence_document()), Keyring.from_text(MODEL_KEYS))
        await store.publish("churn_30d", "v1", sealed, 0)
        await store.close()

    asyncio.run(publish())


@pytest.fixture(scope="module", params=["apache", "embedded"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker on the live clock, which has started."""
    folder = tmp_path_factory.mktemp(f"live-{request.param}")
    with ExitStack() as running:
        if request.param == "apache":
            servers = without_topics(request.getfixturevalue("apache_kafka"))
        else:
            binaries = request.config.rootpath / ".ebb" / "bin"
            servers = running.enter_context(EmbeddedBroker(folder / "kafka", binaries=binaries)).address
        redis_url = running.enter_context(EmbeddedRedis(folder / "redis")).address
        shop = running.enter_context(deployed(servers, redis_url, folder, broker=request.param, clock="live"))
        publish_silence_model(redis_url)
        worker = shop.start("worker")
        eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
        yield shop


def test_one_purchase_has_its_view_within_a_second(live: Deployment) -> None:
    waits_ms = []
    with redis.Redis.from_url(live.redis_url) as client:
        for number in range(20):
            customer = f"visitor-{number}"
            began_s = time.monotonic()
            live.send(PURCHASES, purchase(customer, now_ms(), f"visit-{number}"))
            sent_s = time.monotonic()
            view = eventually(lambda customer=customer: view_of(client, customer), 10)
            waits_ms.append((time.monotonic() - sent_s) * 1000)
            assert (view["customer_id"], view["features"]["purchases"]) == (customer, 1)
            assert time.monotonic() - began_s < 5
    assert statistics.median(waits_ms) < 1_000
    print(f"{live.broker}: view after {statistics.median(waits_ms):.0f} ms (median), {max(waits_ms):.0f} ms (longest)")


def test_an_alert_is_raised_by_time_alone(live: Deployment) -> None:
    """Crossings are looked for on a grid: one customer crosses its threshold in 3 s, for the other the grid does."""
    for customer, crosses_ms in (("silent", now_ms() + 3_000), ("quiet", now_ms() + 3_000 - GRID_IS_LATE_MS)):
        last_ms = crosses_ms - round(OPENS_AFTER_DAYS * DAY_MS)
        live.send(PURCHASES, purchase(customer, last_ms - 2 * DAY_MS, f"{customer}-1"))
        live.send(PURCHASES, purchase(customer, last_ms, f"{customer}-2"))
    live.wait_until_applied()
    everything_came_ms = now_ms()
    alert = eventually(lambda: next((m for m in messages(live) if m["opened_ms"] > everything_came_ms), None), 20)
    raised_ms = now_ms()
    assert (alert["type"], alert["partition"]) == ("churn-alert.opened", partition_of(alert["customer_id"], PARTITIONS))
    assert alert["probability"] == pytest.approx(0.8, abs=0.001)
    with redis.Redis.from_url(live.redis_url) as client:
        assert view_of(client, alert["customer_id"])["alert"] == {"open": True, "episode_ms": alert["episode_ms"]}
    live.send(PURCHASES, purchase(alert["customer_id"], now_ms(), "back again"))
    closed = eventually(lambda: next((m for m in messages(live) if m["type"] == "churn-alert.closed"), None), 20)
    assert (closed["opened_message_id"], closed["cause"]) == (alert["message_id"], "purchase")
    print(f"{live.broker}: on Kafka {raised_ms - alert['opened_ms']} ms after its moment")


def messages(shop: Deployment) -> list[dict[str, Any]]:
    """The alerts so far; one that closes has no time of opening."""
    return [{"opened_ms": 0} | msgspec.json.decode(record.value) for record in shop.messages(CHURN_ALERTS)]


def test_neither_a_customer_in_the_future_nor_a_clock_record_drags_time_along(live: Deployment) -> None:
    ahead_ms, began_ms = now_ms() + DAY_MS - 60_000, now_ms()
    for partition in range(PARTITIONS):
        early, *others = customers_of(partition, 4, f"{live.broker}-future")
        live.send(CLOCK, msgspec.json.encode({"type": "clock", "time_ms": ahead_ms}), partition=partition)
        live.send(PURCHASES, purchase(early, ahead_ms, f"f-{partition}"))
        events = [purchase(customer, now_ms(), f"o-{customer}") for customer in others]
        live.send(PURCHASES, *events)
        live.send(ENGAGEMENT, {"type": "page_view", "event_id": f"v-{partition}", "customer_id": early, "event_time_ms": ahead_ms})
    live.wait_until_applied()
    for stream_time_ms in stream_times(live.redis_url).values():
        assert began_ms - 5_000 <= stream_time_ms <= now_ms()
    assert shop_totals(live.redis_url).get("dead_letters", 0) == 0

