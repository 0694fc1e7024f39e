"""One connection to Redis that is never exchanged for another behind its user's back.

WATCH lives on a connection. A client that reconnects or retries by itself turns a lost WATCH into a commit that was
compared with nothing, so here a connection has a number, and what was begun on one can only go on there.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis import exceptions
from redis.asyncio.connection import AbstractConnection, Connection

from stream.errors import StoreUnavailableError
from stream.redis_store.client import ANSWER_WITHIN_S, address, connection_arguments, explained

Command = Sequence[bytes]

READ_BYTES = 256 * 1024  # the states of a chunk are half a megabyte; 32 kB a read cost 10 % more


class _Heads(dict[int, bytes]):
    """Length of an argument -> what stands between the one before it and itself; most are made once."""

    def __missing__(self, length: int) -> bytes:
        return b"\r\n$%d\r\n" % length


_HEADS = _Heads((length, b"\r\n$%d\r\n" % length) for length in range(2_048))


def packed(commands: Sequence[Command]) -> bytes:
    r"""Commands in the Redis protocol, ready for one write.

    >>> packed([(b"GET", b"ada")])
    b'*2\r\n$3\r\nGET\r\n$3\r\nada\r\n'
    """
    parts: list[bytes] = []
    for command in commands:
        arguments = [b""] * (2 * len(command))
        arguments[::2] = map(_HEADS.__getitem__, map(len, command))
        arguments[1::2] = command
        parts += (b"*%d" % len(command), *arguments, b"\r\n")
    return b"".join(parts)


class PinnedConnection:
    """A numbered connection: `open` gives the number, `exchange` insists on it. Calls may come from several tasks."""

    def __init__(self, url: str, client_name: str, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        arguments = connection_arguments(url)
        kind: type[AbstractConnection] = arguments.pop("connection_class", Connection)
        self._url = url
        waits = {"socket_timeout": answer_within_s, "socket_connect_timeout": answer_within_s}
        ours = {"protocol": 2, "client_name": client_name, "socket_read_size": READ_BYTES}
        self._connection = kind(**(waits | arguments | ours))
        self._number = 0
        self._turn = asyncio.Lock()

    async def open(self) -> int:
        """Connect if there is no connection. Returns the number of the one there is."""
        async with self._turn:
            if not self._connection.is_connected:
                try:
                    await self._connection.connect()  # type: ignore[no-untyped-call]
                except exceptions.RedisError as error:
                    raise explained(error, self._url) from error
                self._number += 1
            return self._number

    async def exchange(self, commands: Sequence[Command], number: int) -> list[Any]:
        """Send the commands in one write on connection `number` and return their replies, one each.

        A command that Redis refuses raises after all replies are read. Where the connection breaks, it is closed.

        Raises:
            StoreUnavailableError: that connection is gone, or breaks before the last reply: what was sent may be done.
        """
        async with self._turn:
            if number != self._number or not self._connection.is_connected:
                raise StoreUnavailableError(f"The connection to Redis at {address(self._url)} was lost within a chunk.")
            try:
                await self._connection.send_packed_command(packed(commands), check_health=False)
                replies = [await self._reply() for _ in commands]
            except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
                await self._connection.disconnect(nowait=True)
                raise explained(error, self._url) from error
        self._raise_refusal(replies)
        return replies

    async def _reply(self) -> Any:
        try:
            return await self._connection.read_response(disable_decoding=True)
        except exceptions.ResponseError as refusal:
            return refusal

    def _raise_refusal(self, replies: Sequence[Any]) -> None:
        """Raise the first refusal, also one within EXEC."""
        for reply in replies:
            if isinstance(reply, exceptions.ResponseError):
                raise explained(reply, self._url) from reply
            if isinstance(reply, list) and reply and any(isinstance(item, exceptions.ResponseError) for item in reply):
                self._raise_refusal(reply)

    async def close(self) -> None:
        """Close it; `open` makes the next one."""
        async with self._turn:
            await self._connection.disconnect(nowait=True)
