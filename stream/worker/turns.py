"""Lanes take turns: one takes, reads and steps at a time, while commits of others are on their way.

All lanes of a process share one core. Lanes that compute beside each other end late together: each finds its answers
from Redis behind the steps of all the others, three times a chunk, and what arrives meanwhile waits for the next chunk.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from stream.worker.pace import AT_LEAST_S, Pace

AT_MOST_S = 0.2  # several full chunks; a lane whose store does not answer keeps nobody longer


class Turns:
    """Whose turn it is, first come first served. One for all lanes of a process; `pace` goes by what turns take."""

    def __init__(self, at_most_s: float = AT_MOST_S, pace: Pace | None = None) -> None:
        self._at_most_s, self.pace = at_most_s, pace or Pace(AT_LEAST_S)
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[], None]]:
        """Wait for the turn. It is over when what this gives is called, at the end, or when it has taken too long."""
        await self._lock.acquire()
        began_s = time.monotonic()
        over = _once(lambda: self._end(began_s))
        too_long = asyncio.get_running_loop().call_later(self._at_most_s, over)
        try:
            yield over
        finally:
            too_long.cancel()
            over()

    def _end(self, began_s: float) -> None:
        self._lock.release()
        self.pace.took(began_s, time.monotonic())


def _once(act: Callable[[], None]) -> Callable[[], None]:
    """Call it once, however often it is asked for."""
    todo = [act]

    def asked() -> None:
        if todo:
            todo.pop()()

    return asked
