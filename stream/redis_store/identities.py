"""Erased and merged ids, seen from outside: for the commands that ask for it and look whether it is done."""

from typing import Any

from schemas.partition import partition_of
from schemas.units import DAY_MS
from stream.customers.segments import SEGMENTS
from stream.identities.known import UNKNOWN, Identity, name_of, unpack_identity
from stream.outcomes.declaration import GRACE_MS, HORIZON_DAYS_MAX
from stream.redis_store import keys
from stream.redis_store.client import explaining, sync_client
from stream.redis_store.deployment import read_deployment

BEHIND_DAYS = 7  # a partition's time may be so much earlier than the one that is asked about
SNAPSHOT_KEPT_DAYS = HORIZON_DAYS_MAX + GRACE_MS // DAY_MS + BEHIND_DAYS


def identity_of(url: str, customer: str) -> Identity:
    """What became of an id."""
    with explaining(url), sync_client(url) as client:
        partition = partition_of(customer, read_deployment(client, url).partitions)
        packed: Any = client.hget(keys.identity(partition), name_of(customer))
        return UNKNOWN if packed is None else unpack_identity(packed)


def all_identities(url: str) -> dict[str, Identity]:
    """What became of all ids that were erased or merged, by name."""
    with explaining(url), sync_client(url) as client:
        found: dict[str, Identity] = {}
        for partition in range(read_deployment(client, url).partitions):
            entries: Any = client.hscan_iter(keys.identity(partition), count=1000)
            found |= {name.decode(): unpack_identity(packed) for name, packed in entries}
        return found


def stored_of(url: str, customer: str, stream_time_ms: int) -> list[str]:
    """The names of the keys that hold anything under an id; empty when there is nothing."""
    with explaining(url), sync_client(url) as client:
        p = partition_of(customer, read_deployment(client, url).partitions)
        today = stream_time_ms // DAY_MS
        snapshots = [keys.snapshot(p, customer, day) for day in range(today - SNAPSHOT_KEPT_DAYS, today + 1)]
        whole = [keys.state(p, customer), keys.view(p, customer), *snapshots]
        segments = [keys.segment(p, name) for name in SEGMENTS]
        with client.pipeline(transaction=True) as pipeline:
            for key in whole:
                pipeline.exists(key)
            for key in (keys.due(p), keys.risk(p)):
                pipeline.zscore(key, customer)
            pipeline.hexists(keys.labels(p), customer)
            for key in segments:
                pipeline.sismember(key, customer)
            answers = pipeline.execute()
    names = [*whole, keys.due(p), keys.risk(p), keys.labels(p), *segments]
    return [key.decode() for key, there in zip(names, answers, strict=True) if there not in (None, 0)]
