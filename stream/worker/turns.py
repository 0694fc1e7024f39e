"""Lanes take turns: one computes at a time, while commits of others are on their way and the next one asks Redis.

All lanes of a process share one core. Lanes that compute beside each other end late together: each finds its answers
from Redis behind the steps of all the others, three times a chunk, and what arrives meanwhile waits for the next chunk.
A lane that asked only when its turn has come would keep the core waiting for the answer.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stream.worker.pace import AT_LEAST_S, Pace

AT_MOST_S = 0.2  # several full chunks; a lane whose store does not answer keeps nobody longer


class Turns:
    """Who asks and who computes, first come first served. One for all lanes of a process.

    Attributes:
        at_most_s: for how long a lane may ask, and for how long it may compute.
        pace: goes by for how long any lane does.
        asking, computing: held by the lane that does.
    """

    def __init__(self, at_most_s: float = AT_MOST_S, pace: Pace | None = None) -> None:
        self.at_most_s, self.pace = at_most_s, pace or Pace(AT_LEAST_S)
        self.asking, self.computing = asyncio.Lock(), asyncio.Lock()
        self._since_s = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """Wait until this lane is the next one. Its turn is over when it says so, or at the end."""
        turn = Turn(self)
        await turn.asks()
        try:
            yield turn
        finally:
            turn.over()

    async def hold(self, lock: asyncio.Lock) -> None:
        """Wait for one of the two."""
        await lock.acquire()
        if not (self.asking.locked() and self.computing.locked()):
            self._since_s = time.monotonic()

    def let_go(self, lock: asyncio.Lock) -> None:
        """Whoever waits for it may go on."""
        now_s = time.monotonic()
        self.pace.took(self._since_s, now_s)
        self._since_s = now_s
        lock.release()


class Turn:
    """A lane's turn: it takes records and asks the store; then, when it is all alone, it computes.

    One that is over, or has not begun, hinders nobody and waits for nobody.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._holds: asyncio.Lock | None = None
        self._too_long: asyncio.TimerHandle | None = None

    async def asks(self) -> None:
        """Wait until nobody else asks."""
        await self._hold(self._turns.asking)

    async def computes(self) -> None:
        """The store has answered: wait until nobody else computes, and let the next lane ask."""
        if self._holds is not self._turns.asking:
            return
        self._stop_watch()  # who computes before us is watched instead
        await self._hold(self._turns.computing)
        self._turns.let_go(self._turns.asking)
        await asyncio.sleep(0)  # the next one takes its records and asks now, or it would do so after us

    def over(self) -> None:
        """Whoever is next may go on; more than once is as good as once."""
        held, self._holds = self._holds, None
        self._stop_watch()
        if held is not None:
            self._turns.let_go(held)

    async def _hold(self, lock: asyncio.Lock) -> None:
        await self._turns.hold(lock)
        self._holds = lock
        self._too_long = asyncio.get_running_loop().call_later(self._turns.at_most_s, self.over)

    def _stop_watch(self) -> None:
        if self._too_long is not None:
            self._too_long.cancel()


NO_TURN = Turn(Turns())
"""Of who computes alone."""
