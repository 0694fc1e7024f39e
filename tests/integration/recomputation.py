"""What a deployment holds and has sent, computed again from Kafka's logs and the journal alone."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ebb.compose.worker import worker_plan
from schemas.topics import CHURN_ALERTS, INPUT_TOPICS, INVALID, LABELS, SEGMENT_CHANGES
from stream.customers.segments import SEGMENTS
from stream.redis_store import keys
from stream.redis_store.client import sync_client
from stream.redis_store.inspection import scan_states, shop_totals
from stream.settings.load import load_worker_settings
from tests.integration.processes import Deployment, read_all
from tests.live_lane import LiveLane, Logged, Logs, ModelsOf, recomputed

Places = dict[str, tuple[int, int]]
"""What a message says it is -> the partition and the sequence it was sent with."""

OUTPUTS = (LABELS, CHURN_ALERTS, SEGMENT_CHANGES, INVALID)


def equals_recomputation(shop: Deployment) -> int:
    """See that states, views, open labels and distinct messages are what logs and journal say; the workers have ended.

    Returns how many distinct messages there are.
    """
    logs = {topic: read_all(shop.servers, topic, "read_committed") for topic in INPUT_TOPICS}
    expected: Places = {}
    with sync_client(shop.redis_url) as client:
        for partition in range(shop.partitions):
            again = recomputed_partition(shop, client, partition, of_partition(logs, partition))
            expected |= places(message for message in again.outgoing() if message.topic in OUTPUTS)
            compare(shop, client, partition, again)
    sent = [shop.messages(topic) for topic in OUTPUTS]
    assert places(record for records in sent for record in records).keys() == expected.keys()
    require_in_order(sent, expected)
    return len(expected)


def places(messages: Iterable[Any]) -> Places:
    """What each message says it is, and where it was sent: the last time, if more than once."""
    return dict(map(sent_as, messages))


def require_in_order(topics: Iterable[Iterable[Any]], expected: Places) -> None:
    """See that messages come out first in the order in which they were committed, repeats apart. Nothing is said of
    those without a key, which go to any partition each time, nor of those that were first sent by a commit which Redis
    has lost since, and so at another place.

    Args:
        topics: the records of each topic, in the order of their partitions.
        expected: what was committed, and its places.

    Raises:
        AssertionError: one overtook another.
    """
    for records in topics:
        seen, last = set[str](), defaultdict[tuple[int, int], tuple[int, str]](lambda: (0, "none before"))
        for record in records:
            name, place = sent_as(record)
            is_first = name not in seen and record.key is not None
            seen.add(name)
            if not is_first or place != expected.get(name):
                continue
            (partition, sequence), way = place, (record.partition, place[0])
            assert sequence > last[way][0], f"{name}, {sequence} of partition {partition}, comes behind {last[way]}"
            last[way] = sequence, name


def sent_as(message: Any) -> tuple[str, tuple[int, int]]:
    """What a message says it is, and its place: partition and sequence."""
    named = {name: value.decode() for name, value in message.headers}
    if "source_offset" in named:
        name = "dead letter {source_topic} {source_partition} {source_offset}".format(**named)
    else:
        named = msgspec.json.decode(message.value)
        name = named["message_id"]
    return name, (int(named["partition"]), int(named["sequence"]))


def counted(redis_url: str) -> tuple[int, int]:
    """How many events and how many dead letters the shop's totals know of."""
    totals = shop_totals(redis_url)
    assert not totals.get("duplicates", 0)
    return totals["events"], totals["dead_letters"]


def recomputed_partition(
    shop: Deployment, client: Any, partition: int, logs: Logs, models_of: ModelsOf | None = None
) -> LiveLane:
    """A partition's lane from its logs and its journal."""
    plan = worker_plan(load_worker_settings(shop.environ()))
    journal = [fields[b"entry"] for _, fields in client.xrange(keys.journal(partition))]
    options = {"due_at_once": plan.due_at_once, "rules": plan.rules}
    return asyncio.run(recomputed(journal, logs, models_of, partition=partition, partitions=shop.partitions, **options))


def of_partition(logs: dict[str, list], partition: int) -> Logs:
    """The logs of one partition."""
    return {
        topic: [
            Logged(topic, r.offset, r.value, r.timestamp, r.key, r.headers) for r in records if r.partition == partition
        ]
        for topic, records in logs.items()
    }


def compare(shop: Deployment, client: Any, partition: int, again: LiveLane) -> None:
    """See that Redis holds what the lane does."""
    stored = again.stored
    _same("states", asyncio.run(_states(shop.redis_url, partition, client)), stored.states)
    views = client.mget([keys.view(partition, customer) for customer in stored.views]) if stored.views else []
    _same("views", dict(zip(stored.views, views, strict=True)), stored.views)
    labels = client.hgetall(keys.labels(partition))
    _same("labels", {customer.decode(): packed for customer, packed in labels.items()}, stored.labels)
    identities = client.hgetall(keys.identity(partition))
    _same("identities", {name.decode(): packed for name, packed in identities.items()}, stored.identities)
    found = list(client.scan_iter(b"snapshot:{%d}:*" % partition, count=1000))
    snapshots = {keys.snapshot(partition, *named): packed for named, packed in stored.snapshots.items()}
    _same("snapshots", dict(zip(found, client.mget(found), strict=True)) if found else {}, snapshots)
    segments = {name: client.smembers(keys.segment(partition, name)) for name in SEGMENTS}
    _same("segments", segments, {name: {c.encode() for c in stored.segments.get(name, ())} for name in SEGMENTS})
    risks = client.zrange(keys.risk(partition), 0, -1, withscores=True)
    _same("value at risk", {customer.decode(): risk for customer, risk in risks}, stored.risks)
    due = client.zrange(keys.due(partition), 0, -1, withscores=True)
    _same(
        "deadlines",
        {customer.decode(): int(deadline) for customer, deadline in due},
        {customer: deadline for customer, deadline in stored.deadlines.items() if deadline},
    )


def _same(what: str, stored: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
    different = sorted(name for name in stored.keys() | expected.keys() if stored.get(name) != expected.get(name))
    assert not different, (
        f"{what}: {len(different)} of {len(expected)} differ. {different[0]}: "
        f"{stored.get(different[0])!r} is stored, {expected.get(different[0])!r} should be"
    )


async def _states(redis_url: str, partition: int, client: Any) -> dict[str, bytes]:
    """Of the partition alone."""
    return {
        customer: packed
        async for customer, packed in scan_states(redis_url)
        if client.exists(keys.state(partition, customer))
    }
