"""redis-py's clients of a cluster, where theirs do not know a new node or wait for one that hangs again and again."""

from collections.abc import Callable
from copy import copy
from typing import Any

import redis.asyncio.cluster
import redis.cluster
from redis import exceptions

NODE_IS_AWAY = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ClusterDownError)


class Cluster(redis.RedisCluster):
    """Knows a node that has no slot yet when a slot on its way there redirects to it, and waits for a node once."""

    def pipeline(self, *arguments: Any, **options: Any) -> Any:
        """As of redis-py, which asks one by one for what it has no answer to, but not beyond a node that is away.

        That is ten seconds each where a node hangs: some minutes for the sizes of all segments.
        """
        made = super().pipeline(*arguments, **options)  # type: ignore[no-untyped-call]
        made.parent_execute_command = _until_a_node_is_away(made.parent_execute_command)
        return made

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> redis.cluster.ClusterNode | None:
        """The node of that address or name, which may be new."""
        known: redis.cluster.ClusterNode | None = super().get_node(host, port, node_name)  # type: ignore[no-untyped-call]
        if known is not None or node_name is None:
            return known
        host, _, digits = node_name.rpartition(":")
        return redis.cluster.ClusterNode(host, int(digits), "primary")  # type: ignore[no-untyped-call]


def _until_a_node_is_away(execute: Callable[..., Any]) -> Callable[..., Any]:
    """`execute`, which after it has met a node that is away only says so again."""
    met: list[exceptions.RedisError] = []

    def asked(*command: Any, **options: Any) -> Any:
        if met:
            raise copy(met[0])  # redis-py writes into each which command it was
        try:
            return execute(*command, **options)
        except NODE_IS_AWAY as error:
            met.append(error)
            raise

    return asked


class AsyncCluster(redis.asyncio.RedisCluster):
    """`Cluster` for the tasks of one event loop."""

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> redis.asyncio.cluster.ClusterNode | None:
        """The node of that address or name, which may be new."""
        known = super().get_node(host, port, node_name)
        if known is not None or node_name is None:
            return known
        host, _, digits = node_name.rpartition(":")
        made = redis.asyncio.cluster.ClusterNode(host, digits, "primary", **self.nodes_manager.connection_kwargs)
        return self.nodes_manager.nodes_cache.setdefault(node_name, made)
