"""What each contestant has stored of its customers, read from where it keeps it."""

import asyncio
import json
from typing import Any

import numpy as np
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from numpy.typing import NDArray

from benchmarks.agreement import Small, States
from benchmarks.kafka_log import new_group
from benchmarks.peers.features import HALF_LIFE_30D_MS
from benchmarks.peers.small_ebb import RECORD
from benchmarks.peers.started import TOPIC
from stream.features.facts import ENGAGEMENT_KINDS
from stream.features.fields import HALF_LIVES_DAYS
from stream.features.stored import unpack
from stream.redis_store.inspection import scan_states

DAYS_30 = HALF_LIVES_DAYS.index(30)


def of_ebb(redis_url: str) -> States:
    """What Ebb has stored."""
    return asyncio.run(_of_ebb(redis_url))


async def _of_ebb(redis_url: str) -> States:
    stored = {customer: packed async for customer, packed in scan_states(redis_url)}
    states = unpack(list(stored.values()))
    features, counts = states["features"], states["engagement"]["count"]
    last_ms = features["last_purchase_ms"]
    decayed = _as_of(
        features["decayed_count"][:, DAYS_30], features["decayed_reference"][:, DAYS_30], np.asarray(last_ms)
    )
    return _small(list(stored), features["purchases"], features["purchase_minor"], last_ms, decayed, counts)


def of_small_ebb(redis_url: str) -> States:
    """What the small Ebb has stored."""
    with redis.Redis.from_url(redis_url) as client:
        keys = list(client.scan_iter(match="small:*", count=2000))
        states = np.frombuffer(b"".join(client.mget(keys)) if keys else b"", RECORD)
    customers = [key.split(b":", 2)[2].decode() for key in keys]
    decayed = _as_of(states["decayed_30d"], states["decayed_reference"], states["last_purchase_ms"])
    return _small(
        customers, states["purchases"], states["spend_minor"], states["last_purchase_ms"], decayed, states["engagement"]
    )


def _as_of(sums: NDArray[Any], reference: NDArray[Any], last_ms: NDArray[Any]) -> NDArray[Any]:
    """Decayed sums as of the last purchase."""
    return np.where(last_ms > 0, sums * np.exp2(reference - last_ms / HALF_LIFE_30D_MS), 0.0)


def _small(customers: list[str], *columns: NDArray[Any]) -> States:
    rows = zip(customers, *(column.tolist() for column in columns), strict=True)
    return {
        customer: Small(purchases, spend, last_ms, decayed, _counted(counts))
        for customer, purchases, spend, last_ms, decayed, counts in rows
    }


def _counted(counts: list[int]) -> dict[str, int]:
    return {kind: count for kind, count in zip(ENGAGEMENT_KINDS, counts, strict=False) if count}


def of_obvious(redis_url: str) -> States:
    """What the Faust agent has stored."""
    with redis.Redis.from_url(redis_url) as client:
        keys = list(client.scan_iter(match="customer:*", count=2000))
        values = client.mget(keys) if keys else []
    return {key.split(b":", 1)[1].decode(): _of_json(value) for key, value in zip(keys, values, strict=True)}


def of_quix(servers: str) -> States:
    """What Quix Streams has in its changelog topics, the durable copy of its state."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": new_group("reader"), "enable.partition.eof": True})
    listed = consumer.list_topics().topics
    changelogs = [name for name in listed if name.startswith("changelog__") and TOPIC in name]
    parts = [TopicPartition(name, part, OFFSET_BEGINNING) for name in changelogs for part in listed[name].partitions]
    consumer.assign(parts)
    states: States = {}
    ended = 0
    while ended < len(parts):
        message = consumer.poll(10)
        if message is None:
            raise RuntimeError(f"the changelog of Quix Streams on {servers} does not answer")
        if message.error():
            ended += 1
        elif message.value() is not None:
            states[message.key().split(b"|")[0].decode()] = _of_json(message.value())
    consumer.close()
    return states


def _of_json(value: bytes) -> Small:
    record = json.loads(value)
    return Small(**{name: record[name] for name in Small.__dataclass_fields__})
