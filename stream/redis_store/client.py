"""Clients of Redis, the address as it may be shown, and Redis's refusals in Ebb's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis import exceptions
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from stream.errors import EbbError, LayoutError, SettingError, StoreUnavailableError
from stream.redis_options import refused_option, unusable_file
from stream.redis_store.cluster_clients import AsyncCluster, Cluster

ANSWER_WITHIN_S = 5.0
"""A commit takes 10 ms; a fork for an AOF rewrite of many gigabytes has been seen to take a second."""

AT_ONCE = 50
"""Connections that readers use at once. Who asks then waits for one: beyond 100 redis-py makes an error at once."""

CANNOT_WORK_NOW = (
    exceptions.ConnectionError,  # also: still loading, wrong password, too many clients
    exceptions.TimeoutError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.NoPermissionError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    exceptions.AskError,  # also: moved to another node
    exceptions.TryAgainError,
    exceptions.ClusterError,  # redirected too often
    exceptions.RedisClusterException,  # no node answers, or one does not know who has a slot
)
CLUSTER = "+cluster"
"""Ends the scheme of a URL that names one node of a cluster."""
RedisPyError = exceptions.RedisError | exceptions.RedisClusterException
REDIRECTED_TOO_OFTEN = "TTL exhausted"  # what its cluster client makes of TRYAGAIN, asked 16 times in two seconds
ALIKE: dict[str, Any] = {"protocol": 2, "driver_info": None}
"""Of all connections. None says no CLIENT SETINFO, which the users of a Redis before 7.2 cannot be allowed by name."""
REFUSALS = (
    "MISCONF ",
    "NOREPLICAS ",
    "BUSY ",
    "Protocol error: unauthenticated ",  # more than 16 kB or 10 arguments from who has not said a password
)
"""How errors begin that redis-py has no class for."""


class SlotOnItsWayError(StoreUnavailableError):
    """Keys of one slot are on two nodes of a cluster: one key can be asked for, several together cannot."""


def sync_client(url: str) -> Any:
    """A client for readers. It asks a second time on a new connection: Redis may have been restarted in between.

    Of a Redis that does not answer it asks no second time, or whoever waits would wait twice as long.

    Returns:
        `redis.Redis`, or `redis.RedisCluster` for a cluster, which connects at once. They share what is used of them.
    """
    kind = Cluster if is_cluster(url) else redis.Redis
    with _well_written(url), explaining(url):
        retry = Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,))
        return kind.from_url(_node_url(url), **ALIKE, socket_timeout=ANSWER_WITHIN_S, retry=retry)


def async_client(url: str) -> Any:
    """A client for writers of whole values. It never retries by itself: who calls knows whether that is safe.

    In a cluster it follows a redirection, which says that nothing was done.
    """
    return _async_client(url, retries=0)


def async_reader(url: str) -> Any:
    """`sync_client` for tasks of one event loop: it may ask twice, since reading twice changes nothing."""
    return _async_client(url, retries=1)


def _async_client(url: str, retries: int) -> Any:
    kind = AsyncCluster if is_cluster(url) else redis.asyncio.Redis
    with _well_written(url), explaining(url):
        retry = AsyncRetry(NoBackoff(), retries, supported_errors=(exceptions.ConnectionError,))
        return kind.from_url(_node_url(url), **ALIKE, socket_timeout=ANSWER_WITHIN_S, retry=retry)


def is_cluster(url: str) -> bool:
    """Whether a URL names one node of a cluster.

    >>> is_cluster("redis+cluster://127.0.0.1:7000"), is_cluster("redis://127.0.0.1:6379/0")
    (True, False)
    """
    return url.partition("://")[0].endswith(CLUSTER)


def _node_url(url: str) -> str:
    """The URL of the node alone, as redis-py knows it."""
    scheme, mark, rest = url.partition("://")
    return scheme.removesuffix(CLUSTER) + mark + rest


def at_once(url: str) -> int:
    """How many connections a reader may use at once.

    >>> at_once("redis://127.0.0.1:6379/0?max_connections=8"), at_once("redis://127.0.0.1:6379/0")
    (8, 50)
    """
    with _well_written(url):
        given: dict[str, Any] = dict(parse_url(_node_url(url)))
        return int(given.get("max_connections", AT_ONCE))


def connection_arguments(url: str) -> dict[str, Any]:
    """What a URL says about host, port, database, credentials and encryption, for a single connection."""
    with _well_written(url):
        arguments = dict(parse_url(_node_url(url)))
    arguments.pop("max_connections", None)  # of a pool
    return arguments


@contextmanager
def _well_written(url: str) -> Iterator[None]:
    try:
        refused = refused_option(url)
        if refused:
            raise SettingError(f"EBB_REDIS_URL has {refused}. Take it away.")
        yield
    except ValueError:
        # Without the cause: its message would repeat what a password with a bare / or # has in the place of the port.
        raise SettingError(
            "EBB_REDIS_URL is not the address of a Redis: its port, or what an option says, cannot be read. Write "
            "redis://host:6379/0, and in a password %2F for / and %23 for #."
        ) from None


def address(url: str) -> str:
    """The URL without user, password and options.

    >>> address("rediss://worker:secret@cache.shop.example:6380/2?ssl_cert_reqs=none")
    'rediss://cache.shop.example:6380/2'
    """
    parts = urlsplit(url)
    is_path = parts.scheme == "unix" or re.fullmatch(r"/\d*", parts.path)  # else the rest of a password with a bare /
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path if is_path else ''}"


def explained(error: RedisPyError, url: str) -> EbbError | RedisPyError:
    """What to raise for an error of redis-py: Ebb's own where a person can act on it, else the error itself, a bug."""
    if "Cluster mode is not enabled" in str(error):
        return SettingError(
            f"EBB_REDIS_URL={address(url)} is no node of a cluster. Write {_node_url(address(url))}, or name a node."
        )
    if isinstance(error, exceptions.AskError | exceptions.TryAgainError) or REDIRECTED_TOO_OFTEN in str(error):
        return _redirected(error, url)
    if isinstance(error, exceptions.NoPermissionError):
        return StoreUnavailableError(
            f"Redis at {address(url)} refuses this user: {_one_line(error)}. Set EBB_REDIS_URL to a user that may "
            '(docs/operations.md, "Redis\'s users").'
        )
    if isinstance(error, CANNOT_WORK_NOW) or str(error).startswith(REFUSALS):
        return _unavailable(error, url)
    if str(error).startswith("WRONGTYPE"):
        return LayoutError(
            f"Redis at {address(url)} holds a key of Ebb with a value of another type ({_one_line(error)}): "
            "something else writes to this database. Give Ebb a database of its own and replay."
        )
    return error


def _unavailable(error: RedisPyError, url: str) -> StoreUnavailableError:
    if isinstance(error, exceptions.ConnectionError | exceptions.RedisClusterException):
        unusable = unusable_file(url)
        if unusable:
            return StoreUnavailableError(
                f"Redis at {address(url)} cannot be asked: EBB_REDIS_URL says {unusable}. Put the file there, or name "
                "another."
            )
    return StoreUnavailableError(
        f"Redis at {address(url)} does not work: {_one_line(error)}. Start or mend it, or set EBB_REDIS_URL "
        "to one that works."
    )


def _redirected(error: RedisPyError, url: str) -> EbbError:
    if not is_cluster(url):
        return one_of_a_cluster(url)
    if isinstance(error, exceptions.MovedError):
        return StoreUnavailableError(f"The slot of a key has moved within the cluster at {address(url)}.")
    return SlotOnItsWayError(
        f"A slot is on its way between nodes of the cluster at {address(url)}. Everything waits that needs several "
        "keys of it: see that the move ends (redis-cli --cluster check)."
    )


def none_free(url: str) -> StoreUnavailableError:
    """The error for a question that has waited for a connection as long as for an answer."""
    return StoreUnavailableError(
        f"Redis at {address(url)} does not answer fast enough: all {at_once(url)} connections were in use for "
        f"{ANSWER_WITHIN_S:g} s. Ask less at once, or more customers with get_many."
    )


def one_of_a_cluster(url: str) -> SettingError:
    """The error for a URL that does not say that its Redis is a node of a cluster."""
    return SettingError(
        f"EBB_REDIS_URL={address(url)} is one node of a cluster. Write redis+cluster://host:port (rediss+cluster:// "
        "with TLS) of any node: the others are found from it."
    )


@contextmanager
def explaining(url: str) -> Iterator[None]:
    """Raise what redis-py raises inside as `explained` says."""
    try:
        yield
    except (exceptions.RedisError, exceptions.RedisClusterException) as error:
        raise explained(error, url) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
