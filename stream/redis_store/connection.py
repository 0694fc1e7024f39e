"""One connection to Redis that is never exchanged for another behind its user's back.

WATCH lives on a connection. A client that reconnects or retries by itself turns a lost WATCH into a commit that was
compared with nothing, so here a connection has a number, and what was begun on one can only go on there.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis import exceptions
from redis.asyncio.connection import AbstractConnection, Connection

from stream.errors import StoreUnavailableError
from stream.redis_store.client import ALIKE, ANSWER_WITHIN_S, address, connection_arguments, explained, is_cluster
from stream.redis_store.cluster_home import ClusterHome, Node
from stream.redis_store.wire import Command, packed

EXEC = b"EXEC"  # answered by a list of replies, in which there may be refusals
READ_BYTES = 256 * 1024  # the states of a chunk are half a megabyte; 32 kB a read cost 10 % more


LEAVES = (exceptions.MovedError, exceptions.ClusterDownError, exceptions.ReadOnlyError)
"""Answers of a node of a cluster after which the owner of a slot is looked for anew."""


class PinnedConnection:
    """A numbered connection: `open` gives the number, `exchange` insists on it. Calls may come from several tasks.

    In a cluster it is one to the node that has `key`. A redirection closes it, whatever was begun on it: nothing is
    ever sent again elsewhere, and `open` connects to the node that was named.
    """

    def __init__(self, url: str, client_name: str, answer_within_s: float = ANSWER_WITHIN_S, key: bytes = b"") -> None:
        arguments = connection_arguments(url)
        self._kind: type[AbstractConnection] = arguments.pop("connection_class", Connection)
        self._url = url
        waits = {"socket_timeout": answer_within_s, "socket_connect_timeout": answer_within_s} | arguments
        self._answer_within_s: float = waits["socket_timeout"]
        self._connect_within_s: float = waits["socket_connect_timeout"] + self._answer_within_s
        ours = {**ALIKE, "client_name": client_name, "socket_read_size": READ_BYTES, "socket_timeout": None}
        self._arguments = waits | ours
        self._connection = self._kind(**self._arguments)
        self._home = ClusterHome(key, _node_of(self._connection)) if is_cluster(url) else None
        self._number = 0
        self._turn = asyncio.Lock()

    async def open(self) -> int:
        """Connect if there is no connection. Returns the number of the one there is."""
        async with self._turn:
            if not self._connection.is_connected:
                try:
                    await (self._connect_home(self._home) if self._home else self._connect())
                except BaseException as error:  # a cancelled one may be to another node, with a reply on its way
                    await self._connection.disconnect(nowait=True)
                    if isinstance(error, exceptions.RedisError):
                        raise explained(error, self._url) from error
                    raise
                self._number += 1
            return self._number

    async def _connect_home(self, home: ClusterHome) -> None:
        """Connect to the node that was named last, else to the one that any node that answers names."""
        named, home.named = home.named, None
        owner = named or await self._ask_for_owner(home)
        if not self._connection.is_connected or _node_of(self._connection) != owner:
            await self._connect_to(owner)

    async def _ask_for_owner(self, home: ClusterHome) -> Node:
        failure: exceptions.RedisError | None = None
        for node in list(home.known):
            try:
                await self._connect_to(node)
                async with _within(self._answer_within_s):
                    await self._connection.send_packed_command(packed([(b"CLUSTER", b"SLOTS")]), check_health=False)
                    return home.owner(await self._connection.read_response(disable_decoding=True), node)
            except (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ClusterDownError) as error:
                failure = error
        raise failure or exceptions.ClusterDownError("no node is known")

    async def _connect_to(self, node: Node) -> None:
        await self._connection.disconnect(nowait=True)
        self._connection = self._kind(**(self._arguments | {"host": node[0], "port": node[1]}))
        await self._connect()

    async def _connect(self) -> None:
        async with _within(self._connect_within_s):
            await self._connection.connect()

    def is_open(self, number: int) -> bool:
        """Whether connection `number` is the one there is, as far as is known without asking."""
        return number == self._number and self._connection.is_connected

    async def exchange(self, commands: Sequence[Command], number: int) -> list[Any]:
        """Send the commands in one write on connection `number` and return their replies, one each.

        A command that Redis refuses raises after all replies are read. Where the connection breaks, it is closed.

        Raises:
            StoreUnavailableError: that connection is gone, or breaks before the last reply: what was sent may be done.
        """
        async with self._turn:
            if not self.is_open(number):
                raise StoreUnavailableError(f"The connection to Redis at {address(self._url)} was lost within a chunk.")
            try:
                async with _within(self._answer_within_s):
                    await self._connection.send_packed_command(packed(commands), check_health=False)
                    replies = await self._replies(len(commands))
            except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
                await self._connection.disconnect(nowait=True)
                raise explained(error, self._url) from error
            if self._home:
                await self._leave_when_redirected(self._home, replies)
        self._raise_refusal(replies)
        for command, reply in zip(commands, replies, strict=True):
            if command[0] == EXEC and reply:
                self._raise_refusal(reply)
        return replies

    async def _leave_when_redirected(self, home: ClusterHome, replies: Sequence[Any]) -> None:
        """A slot on its way (ASK, TRYAGAIN) is waited for here; one that is elsewhere or nowhere is looked for."""
        for reply in replies:
            if isinstance(reply, exceptions.MovedError):
                home.moved((reply.host, reply.port), told_by=_node_of(self._connection))
            if isinstance(reply, LEAVES):
                await self._connection.disconnect(nowait=True)

    async def _replies(self, count: int) -> list[Any]:
        """So many replies; a refusal is one."""
        replies = []
        for _ in range(count):
            try:
                replies.append(await self._connection.read_response(disable_decoding=True))
            except exceptions.ResponseError as refusal:
                replies.append(refusal)
        return replies

    def _raise_refusal(self, replies: Sequence[Any]) -> None:
        """Raise the first refusal."""
        for reply in replies:
            if isinstance(reply, exceptions.ResponseError):
                raise explained(reply, self._url) from reply

    async def close(self) -> None:
        """Close it; `open` makes the next one."""
        async with self._turn:
            await self._connection.disconnect(nowait=True)


@asynccontextmanager
async def _within(limit_s: float) -> AsyncIterator[None]:
    """One limit for all that is sent and answered inside: redis-py's own is a timer for each of 16 replies, half of
    what an exchange costs."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise exceptions.TimeoutError(f"Timeout: no answer within {limit_s:g} s") from error


def _node_of(connection: AbstractConnection) -> Node:
    return connection.host, int(connection.port)  # type: ignore[attr-defined]
