"""A Redis that is being filled from an archive: nobody else may use it, and it says so itself until it is whole."""

from collections.abc import Mapping
from typing import Any

import msgspec

from stream.errors import SettingError
from stream.ports import Deployment
from stream.redis_store import keys
from stream.redis_store.client import address, explaining, is_cluster, sync_client
from stream.redis_store.deployment import REBUILDING, REPLACED
from stream.redis_store.scanning import scanned


def begin_rebuilding(
    url: str, deployment: Deployment, owner: str, versions: Mapping[int, int], *, replace: bool
) -> None:
    """Take every partition from whoever owns it and empty it; models and learners stay.

    Until `end_rebuilding` no process starts on this Redis, and one that runs can commit nothing.

    Args:
        url: of Redis.
        deployment: what it is to hold.
        owner: in whose name partitions are taken.
        versions: partition -> the version to begin with.
        replace: whether there may be something already. What an interrupted rebuild has left always goes.

    Raises:
        SettingError: there is something, and it may not be replaced; or it holds messages that nobody can make again.
        StoreUnavailableError: Redis is away.
    """
    with explaining(url), sync_client(url) as client:
        known: Any = client.hgetall(keys.META)
        if known and not replace and REBUILDING not in known:
            raise SettingError(
                f"Redis at {address(url)} holds a deployment. Nothing was changed. To throw its customers away and "
                "rebuild them from the archive, add --replace."
            )
        if known and REBUILDING not in known and known[b"layout"].decode() != deployment.layout:
            _refuse_unsent(client, url, known)
        mapping: Any = {
            "partitions": deployment.partitions,
            "clock": deployment.clock,
            "layout": deployment.layout,
            "vocabulary": msgspec.json.encode(deployment.vocabulary),
            "outcomes": msgspec.json.encode(deployment.outcomes),
            REBUILDING: owner,
        }
        client.hset(keys.META, mapping=mapping)
        client.hdel(keys.META, REPLACED)
        _empty(client)
        with client.pipeline(transaction=not is_cluster(url)) as pipeline:  # a cluster has them on several nodes
            for partition, version in versions.items():
                head: Any = {"version": version, "owner": owner}
                pipeline.hset(keys.partition_head(partition), mapping=head)
            pipeline.execute()


def close_deployment(url: str, owner: str) -> None:
    """Let no process start until `end_rebuilding`: what Redis holds is about to be made again."""
    with explaining(url), sync_client(url) as client:
        client.hset(keys.META, REBUILDING, owner)


def _refuse_unsent(client: Any, url: str, known: Mapping[bytes, bytes]) -> None:
    """Under another layout past models mean nothing, so alerts of the past do not come about again."""
    unsent = sum(client.hlen(keys.outbox(partition)) for partition in range(int(known[b"partitions"])))
    if unsent:
        raise SettingError(
            f"Redis at {address(url)} holds {unsent:,} messages of layout {known[b'layout'].decode()} that are not "
            "published. Nothing was changed. Let `ebb worker` of the version that wrote them finish, run `ebb archive` "
            "and try again."
        )


def _empty(client: Any) -> None:
    for found in scanned(client, b"*:{*}*"):
        ours = [key for key in found if keys.is_of_partition(key)]
        if ours:
            client.unlink(*ours)


def end_rebuilding(url: str) -> None:
    """Say that everything is there: workers may start."""
    with explaining(url), sync_client(url) as client:
        client.hdel(keys.META, REBUILDING)
