"""A TCP line to a service that can be slow, silent or cut, and can lead somewhere else from now on."""

import asyncio
import threading
from contextlib import suppress
from typing import Self

READ_BYTES = 65_536
LOOK_EVERY_S = 0.01


class Line:
    """Passes bytes between a port of its own and a service's, on a thread of its own.

    Set at any time: `delay_s` is how long each piece takes, there and back; `is_silent` keeps everything;
    `loses_answers` hangs up in place of each answer.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.delay_s = 0.0
        self.is_silent = self.loses_answers = False
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[None] | None] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.own_port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def redis_url(self) -> str:
        """Where a client of Redis finds the line."""
        return f"redis://127.0.0.1:{self.own_port}/0"

    def cut(self) -> None:
        """Break every connection there is; new ones may come."""
        self._loop.call_soon_threadsafe(self._cut)

    def lead_to(self, port: int) -> None:
        """From now on to another service, as an address does after a failover."""
        self.port = port
        self.cut()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _close(self) -> None:
        """Cut until nobody is served any more."""
        self._server.close()
        self.is_silent = False
        while self._served:
            self._cut()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served.add(asyncio.current_task())
        try:
            from_service, to_service = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(
                self._pass(reader, to_service, is_answer=False), self._pass(from_service, writer, is_answer=True)
            )
        except OSError:
            writer.transport.abort()
        finally:
            self._served.discard(asyncio.current_task())

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            while (data := await reader.read(READ_BYTES)) and not (is_answer and self.loses_answers):
                await asyncio.sleep(self.delay_s)
                while self.is_silent:
                    await asyncio.sleep(LOOK_EVERY_S)
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()
