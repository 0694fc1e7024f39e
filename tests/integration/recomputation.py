"""What a deployment holds and has sent, computed again from Kafka's logs and the journal alone."""

import asyncio

import redis

from ebb.compose.worker import worker_plan
from schemas.topics import CHURN_ALERTS, INPUT_TOPICS, INVALID, LABELS, SEGMENT_CHANGES
from stream.redis_store import keys
from stream.redis_store.inspection import scan_states, shop_totals
from stream.settings.load import load_worker_settings
from tests.integration.processes import PARTITIONS, Deployment, read_all
from tests.live_lane import LiveLane, Logged, Logs, ids, recomputed

OUTPUTS = (LABELS, CHURN_ALERTS, SEGMENT_CHANGES, INVALID)


def equals_recomputation(shop: Deployment) -> int:
    """See that states, views, open labels and distinct messages are what logs and journal say; the workers have ended.

    Returns how many distinct messages there are.
    """
    logs = {topic: read_all(shop.servers, topic, "read_committed") for topic in INPUT_TOPICS}
    expected: set[str] = set()
    with redis.Redis.from_url(shop.redis_url) as client:
        for partition in range(PARTITIONS):
            again = _again(shop, client, partition, _of_partition(logs, partition))
            expected |= set(ids(message for message in again.outgoing() if message.topic in OUTPUTS))
            _compare(shop, client, partition, again)
    sent = set(ids(record for topic in OUTPUTS for record in shop.messages(topic)))
    assert sent == expected
    return len(sent)


def counted(redis_url: str) -> tuple[int, int]:
    """How many events and how many dead letters the shop's totals know of."""
    totals = shop_totals(redis_url)
    assert not totals.get("duplicates", 0)
    return totals["events"], totals["dead_letters"]


def _again(shop: Deployment, client: "redis.Redis", partition: int, logs: Logs) -> LiveLane:
    plan = worker_plan(load_worker_settings(shop.environ()))
    journal = [fields[b"entry"] for _, fields in client.xrange(keys.journal(partition))]
    options = {"due_at_once": plan.due_at_once, "rules": plan.rules}
    return asyncio.run(recomputed(journal, logs, partition=partition, partitions=PARTITIONS, **options))


def _of_partition(logs: dict[str, list], partition: int) -> Logs:
    return {
        topic: [Logged(topic, r.offset, r.value, r.timestamp, r.key) for r in records if r.partition == partition]
        for topic, records in logs.items()
    }


def _compare(shop: Deployment, client: "redis.Redis", partition: int, again: LiveLane) -> None:
    stored = again.stored
    assert stored.states == asyncio.run(_states(shop.redis_url, partition, client))
    views = client.mget([keys.view(partition, customer) for customer in stored.views]) if stored.views else []
    assert dict(zip(stored.views, views, strict=True)) == stored.views
    labels = {customer.decode(): packed for customer, packed in client.hgetall(keys.labels(partition)).items()}
    assert labels == stored.labels


async def _states(redis_url: str, partition: int, client: "redis.Redis") -> dict[str, bytes]:
    """Of the partition alone."""
    return {
        customer: packed
        async for customer, packed in scan_states(redis_url)
        if client.exists(keys.state(partition, customer))
    }
