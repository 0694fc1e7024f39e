"""Clients of Redis, the address as it may be shown, and Redis's refusals in Ebb's words."""

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

ANSWER_WITHIN_S = (
    5.0  # a commit takes 10 ms; a fork for an AOF rewrite of many gigabytes has been seen to take a second
)

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
)
REFUSALS = ("MISCONF ", "NOREPLICAS ", "BUSY ")  # redis-py has no class for these error codes


def sync_client(url: str) -> redis.Redis:
    """A client for readers. It asks a second time on a new connection: Redis may have been restarted in between."""
    with _known_scheme():
        return redis.Redis.from_url(url, protocol=2, socket_timeout=ANSWER_WITHIN_S, retry=Retry(NoBackoff(), 1))


def async_client(url: str) -> redis.asyncio.Redis:
    """A client for writers of whole values. It never retries by itself: who calls knows whether that is safe."""
    with _known_scheme():
        return redis.asyncio.Redis.from_url(
            url, protocol=2, socket_timeout=ANSWER_WITHIN_S, retry=AsyncRetry(NoBackoff(), 0)
        )


def async_reader(url: str) -> redis.asyncio.Redis:
    """`sync_client` for tasks of one event loop: it may ask twice, since reading twice changes nothing."""
    with _known_scheme():
        return redis.asyncio.Redis.from_url(
            url, protocol=2, socket_timeout=ANSWER_WITHIN_S, retry=AsyncRetry(NoBackoff(), 1)
        )


def connection_arguments(url: str) -> dict[str, Any]:
    """What a URL says about host, port, database, credentials and encryption, for a single connection."""
    with _known_scheme():
        return dict(parse_url(url))


@contextmanager
def _known_scheme() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise SettingError(
            f"EBB_REDIS_URL is not the address of a Redis: {error}. Write redis://host:6379/0."
        ) from error


def address(url: str) -> str:
    """The URL without user, password and options.

    >>> address("rediss://worker:secret@cache.shop.example:6380/2?ssl_cert_reqs=none")
    'rediss://cache.shop.example:6380/2'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def explained(error: exceptions.RedisError, url: str) -> EbbError | exceptions.RedisError:
    """What to raise for an error of redis-py: Ebb's own where a person can act on it, else the error itself, a bug."""
    if isinstance(error, CANNOT_WORK_NOW) or str(error).startswith(REFUSALS):
        return StoreUnavailableError(
            f"Redis at {address(url)} does not work: {_one_line(error)}. Start or mend it, or set EBB_REDIS_URL "
            "to one that works."
        )
    if str(error).startswith("WRONGTYPE"):
        return LayoutError(
            f"Redis at {address(url)} holds a key of Ebb with a value of another type ({_one_line(error)}): "
            "something else writes to this database. Give Ebb a database of its own and replay."
        )
    return error


@contextmanager
def explaining(url: str) -> Iterator[None]:
    """Raise what redis-py raises inside as `explained` says."""
    try:
        yield
    except exceptions.RedisError as error:
        raise explained(error, url) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
