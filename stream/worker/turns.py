"""Lanes take turns: one at a time takes and steps, while the commits of others are on their way.

All lanes of a process share one core. Lanes that compute beside each other end late together: each finds its answer
from Redis behind the steps of all the others, and what arrives meanwhile waits for the next chunk. A lane that keeps up
also has the commits of others answered before it steps, so that their messages do not wait behind its step.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from stream.worker.pace import AT_LEAST_S, Pace

AT_MOST_S = 0.2  # several full chunks; a lane whose store does not answer keeps nobody longer
ANSWERED_WITHIN_S = 0.02  # several commits; likewise


class Turns:
    """Whose turn it is, first come first served. One for all lanes of a process; `pace` goes by what turns take."""

    def __init__(
        self, at_most_s: float = AT_MOST_S, answered_within_s: float = ANSWERED_WITHIN_S, pace: Pace | None = None
    ) -> None:
        self._at_most_s, self._answered_within_s = at_most_s, answered_within_s
        self.pace = pace or Pace(AT_LEAST_S)
        self._lock, self._all_answered = asyncio.Lock(), asyncio.Event()
        self._on_their_way: set[Turn] = set()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """Wait for the turn. It is over when it says so, at the end, or when it has taken too long."""
        await self._lock.acquire()
        turn = Turn(self)
        too_long = asyncio.get_running_loop().call_later(self._at_most_s, turn.over)
        try:
            yield turn
        finally:
            too_long.cancel()
            turn.end()

    async def answered(self) -> None:
        """Wait until every commit that is on its way has been answered, but not for long."""
        if self._on_their_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._answered_within_s):
                    await self._all_answered.wait()

    def hand_on(self, began_s: float) -> None:
        """A turn that began then (monotonic s) is over."""
        self._lock.release()
        self.pace.took(began_s, time.monotonic())

    def sends(self, turn: "Turn") -> None:
        """The commit of a turn is on its way."""
        self._on_their_way.add(turn)
        self._all_answered.clear()

    def has_answer(self, turn: "Turn") -> None:
        """It is not, or not any more."""
        self._on_their_way.discard(turn)
        if not self._on_their_way:
            self._all_answered.set()


class Turn:
    """The turn of one lane. What it says twice, or after its end, changes nothing."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._began_s = turns, time.monotonic()
        self._is_over = self._has_ended = False

    def over(self) -> None:
        """Who is next may begin."""
        if not self._is_over:
            self._is_over = True
            self._turns.hand_on(self._began_s)

    def sent(self) -> None:
        """Who is next may begin, and finds a commit on its way."""
        self.over()
        if not self._has_ended:
            self._turns.sends(self)

    def end(self) -> None:
        """What it was for has been done, or given up."""
        self.over()
        self._has_ended = True
        self._turns.has_answer(self)
