"""Questions to Redis, written once and asked by either client.

A question is a generator: it yields the commands of one round trip, gets their replies, and returns its answer. It
does no I/O, so the same one serves threads and asyncio. Where keys that it asks for together are apart, in a cluster,
it gets a `SlotOnItsWayError`, and may ask otherwise.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from stream.redis_store.client import (
    ANSWER_WITHIN_S,
    SlotOnItsWayError,
    async_reader,
    at_once,
    explaining,
    is_cluster,
    none_free,
    sync_client,
)

Command = tuple[str | bytes | int | float, ...]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class RoundTrip:
    """Commands that are sent together; `atomic`: nothing else happens in Redis between them.

    In a cluster, whose clients have no transaction to be trusted, commands about one partition keep their order alone:
    what is asked first is the older.
    """

    commands: Sequence[Command]
    atomic: bool = False


Question = Generator[RoundTrip, list[Any], Answer]


class Asking:
    """Asks with a pool of connections that threads may share.

    Raises, when asked:
        StoreUnavailableError: Redis does not answer.
        EbbError: what the question raises.
    """

    def __init__(self, url: str) -> None:
        self._url, self._redis = url, sync_client(url)
        self._free = threading.Semaphore(at_once(url))

    def answer(self, question: Question[Answer]) -> Answer:
        """Ask, round trip by round trip."""
        try:
            trip = next(question)
            while True:
                try:
                    replies = self._send(trip)
                except SlotOnItsWayError as error:
                    trip = question.throw(error)
                else:
                    trip = question.send(replies)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def _send(self, trip: RoundTrip) -> list[Any]:
        with self._connection(), explaining(self._url):
            if len(trip.commands) == 1:
                return [self._redis.execute_command(*trip.commands[0])]
            with self._redis.pipeline(transaction=trip.atomic and not is_cluster(self._url)) as pipeline:
                for command in trip.commands:
                    pipeline.execute_command(*command)
                replies: list[Any] = pipeline.execute()
                return replies

    @contextmanager
    def _connection(self) -> Iterator[None]:
        """Wait until one is free."""
        if not self._free.acquire(timeout=ANSWER_WITHIN_S):
            raise none_free(self._url)
        try:
            yield
        finally:
            self._free.release()

    def close(self) -> None:
        """Release the connections."""
        self._redis.close()


class AsyncAsking:
    """`Asking` for the tasks of one event loop."""

    def __init__(self, url: str) -> None:
        self._url, self._redis = url, async_reader(url)
        self._free = asyncio.Semaphore(at_once(url))

    async def answer(self, question: Question[Answer]) -> Answer:
        """Ask, round trip by round trip."""
        try:
            trip = next(question)
            while True:
                try:
                    replies = await self._send(trip)
                except SlotOnItsWayError as error:
                    trip = question.throw(error)
                else:
                    trip = question.send(replies)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    async def _send(self, trip: RoundTrip) -> list[Any]:
        async with self._connection():
            return await self._sent(trip)

    async def _sent(self, trip: RoundTrip) -> list[Any]:
        with explaining(self._url):
            if len(trip.commands) == 1:
                return [await self._redis.execute_command(*trip.commands[0])]
            async with self._redis.pipeline(transaction=trip.atomic and not is_cluster(self._url)) as pipeline:
                for command in trip.commands:
                    pipeline.execute_command(*command)
                replies: list[Any] = await pipeline.execute()
                return replies

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[None]:
        """Wait until one is free."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._free.acquire()
        except TimeoutError as error:
            raise none_free(self._url) from error
        try:
            yield
        finally:
            self._free.release()

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()
