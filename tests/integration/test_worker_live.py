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
from aiokafka import AIOKafkaProducer

from ebb.parity import wait_for_lag_zero
from ebb.services.embedded_broker import EmbeddedBroker
from ebb.services.embedded_redis import EmbeddedRedis
from schemas.partition import partition_of
from schemas.topics import CHURN_ALERTS, CLOCK, ENGAGEMENT, PURCHASES
from schemas.units import DAY_MS
from stream.redis_store import keys
from stream.redis_store.inspection import shop_totals, stream_times
from stream.scoring.deadlines import SHORTEST_SEARCH_MS
from tests.integration.live_events import customers_of, now_ms, publish_silence_model, purchase
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually, without_topics

OPENS_AFTER_DAYS = math.expm1(2.0 + math.log(4.0) / 1.5)
"""Silence at which the silence model of tests.world says four in five: 17.6 days."""

GRID_MS = 28 * DAY_MS // SHORTEST_SEARCH_MS + 5
"""A crossing is known to 4.6 seconds; each pass rounds down once."""

SILENT, SILENT_FOR_MS = "silent", round(OPENS_AFTER_DAYS * DAY_MS) - 1_000
"""A customer, and how long it has been silent when the test begins: it crosses the threshold a second later."""


def view_of(client: redis.Redis, customer: str) -> dict[str, Any] | None:
    found = client.get(keys.view(partition_of(customer, PARTITIONS), customer))
    return msgspec.json.decode(found) if found else None


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
        last_ms = now_ms() + 8_000 - SILENT_FOR_MS
        shop.send(PURCHASES, purchase(SILENT, last_ms - 2 * DAY_MS, "s1"), purchase(SILENT, last_ms, "s2"))
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
    """Its two purchases were there before the worker was, and nothing of this customer has come since."""
    alert = eventually(lambda: next(iter(messages(live)), None), 30)
    raised_ms = now_ms()
    assert (alert["type"], alert["customer_id"]) == ("churn-alert.opened", SILENT)
    assert alert["probability"] == pytest.approx(0.8, abs=0.001)
    late_ms = alert["opened_ms"] - alert["episode_ms"] - OPENS_AFTER_DAYS * DAY_MS
    assert 0 <= late_ms < GRID_MS
    assert alert["opened_ms"] <= raised_ms
    with redis.Redis.from_url(live.redis_url) as client:
        assert view_of(client, SILENT)["alert"] == {"open": True, "episode_ms": alert["episode_ms"]}
    live.send(PURCHASES, purchase(SILENT, now_ms(), "back again"))
    closed = eventually(lambda: next((m for m in messages(live) if m["type"] == "churn-alert.closed"), None), 20)
    assert (closed["opened_message_id"], closed["cause"]) == (alert["message_id"], "purchase")
    print(f"{live.broker}: on Kafka {raised_ms - alert['opened_ms']} ms after its moment")


def test_a_partition_that_somebody_else_claimed_is_claimed_back_by_its_member(live: Deployment) -> None:
    worker = live.processes[0]
    with redis.Redis.from_url(live.redis_url) as client:
        client.hset(keys.partition_head(0), "owner", "a worker that is no member")
        client.hincrby(keys.partition_head(0), "version", 1)
        eventually(lambda: worker.said("another worker claimed a partition"), 10)
        customer = customers_of(0, 1, "claimed")[0]
        live.send(PURCHASES, purchase(customer, now_ms(), "claimed back"))
        eventually(lambda: view_of(client, customer), 10)


def test_time_goes_on_behind_the_marker_of_a_transaction(live: Deployment) -> None:
    """The log ends with a record that nobody can read, and what was aborted has not happened."""
    if live.broker == "embedded":
        pytest.skip("the embedded broker has no transactions")
    kept, dropped = customers_of(1, 2, "transaction")
    twice = [purchase(kept, now_ms(), "t1"), purchase(kept, now_ms(), "t2")]
    asyncio.run(in_transactions(live.servers, [purchase(dropped, now_ms(), "t0")], twice))
    with redis.Redis.from_url(live.redis_url) as client:
        eventually(lambda: view_of(client, kept), 10)
        eventually(
            lambda: view_of(client, kept)["features"]["purchases"] == 2, 10, "the second decision, a second later"
        )
        assert view_of(client, dropped) is None
    wait_for_lag_zero([live.servers], live.redis_url, 10)  # or it says how much is missing


async def in_transactions(servers: str, aborted: list[dict[str, Any]], committed: list[dict[str, Any]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id="shop") as producer:
        for events, end in ((aborted, producer.abort_transaction), (committed, producer.commit_transaction)):
            await producer.begin_transaction()
            for event in events:
                value, customer = msgspec.json.encode(event), event["customer_id"]
                await producer.send(
                    PURCHASES, value, key=customer.encode(), partition=partition_of(customer, PARTITIONS)
                )
            await producer.flush()
            await end()


def messages(shop: Deployment) -> list[dict[str, Any]]:
    """The alerts so far."""
    return [msgspec.json.decode(record.value) for record in shop.messages(CHURN_ALERTS)]


def test_neither_a_customer_in_the_future_nor_a_clock_record_drags_time_along(live: Deployment) -> None:
    ahead_ms, began_ms = now_ms() + DAY_MS - 60_000, now_ms()
    for partition in range(PARTITIONS):
        early, *others = customers_of(partition, 4, f"{live.broker}-future")
        live.send(CLOCK, msgspec.json.encode({"type": "clock", "time_ms": ahead_ms}), partition=partition)
        live.send(PURCHASES, purchase(early, ahead_ms, f"f-{partition}"))
        events = [purchase(customer, now_ms(), f"o-{customer}") for customer in others]
        live.send(PURCHASES, *events)
        live.send(
            ENGAGEMENT,
            {"type": "page_view", "event_id": f"v-{partition}", "customer_id": early, "event_time_ms": ahead_ms},
        )
    live.wait_until_applied()
    for stream_time_ms in stream_times(live.redis_url).values():
        assert began_ms - 5_000 <= stream_time_ms <= now_ms()
    assert shop_totals(live.redis_url).get("dead_letters", 0) == 0


def test_a_new_model_reaches_customers_of_whom_nothing_is_heard(live: Deployment) -> None:
    with redis.Redis.from_url(live.redis_url, decode_responses=True) as client:
        live.send(PURCHASES, *(purchase(f"seldom-{number}", now_ms(), f"seldom-{number}") for number in range(24)))
        eventually(lambda: sum(client.zcard(keys.due(p)) for p in range(PARTITIONS)) > 20)
        publish_silence_model(live.redis_url, "v2")
        customers = [name for p in range(PARTITIONS) for name in client.zrange(keys.due(p).decode(), 0, -1)]
        eventually(lambda: versions_of(client, customers) == {"v2"}, 20, "everybody decided under v2")


def versions_of(client: redis.Redis, customers: list[str]) -> set[str]:
    """Versions of the churn model in the views of customers."""
    return {view_of(client, customer)["scores"]["churn_30d"]["version"] for customer in customers}
