"""Lanes take turns, together: those that have something to do at the same time take, read and step in one turn.

All lanes of a process share one core. A lane that computes by itself finds the answer to its commit behind the steps of
others, and code and tables no more in the processor's caches. So a turn begins when the one before is over; whoever has
asked by then has part in it. All wait for Redis at once, then each computes, one right behind the other, and then their
commits are on their way. A lane that keeps up also has the commits of the turn before answered before it computes, so
that their messages do not wait behind its step.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

from stream.worker.pace import AT_LEAST_S, Pace

AT_MOST_S = 0.2  # several full chunks; a lane whose store does not answer keeps nobody longer
ANSWERED_WITHIN_S = 0.02  # several commits; likewise

Result = TypeVar("Result")


class Computing(Protocol):
    """When the work of a commit is done, and who is told that it is."""

    async def together(self, work: Callable[[], Result], /) -> Result:
        """What `work` returns, when it is time to compute."""

    def sent(self) -> None:
        """The commit is on its way, or there is none: all that is left to do is to wait."""


class Alone:
    """Computes at once, and tells nobody."""

    async def together(self, work: Callable[[], Result], /) -> Result:
        """At once."""
        return work()

    def sent(self) -> None:
        """Nobody waits."""


ALONE = Alone()


class Turns:
    """Whose turn it is. One for all lanes of a process; `pace` goes by what turns take."""

    def __init__(
        self, at_most_s: float = AT_MOST_S, answered_within_s: float = ANSWERED_WITHIN_S, pace: Pace | None = None
    ) -> None:
        self._at_most_s, self._answered_within_s = at_most_s, answered_within_s
        self.pace = pace or Pace(AT_LEAST_S)
        self._next: list[Turn] = []
        self._members: dict[Turn, _Work | None] = {}  # of the turn that is on, and what each has come with
        self._began_s = 0.0
        self._on_their_way: set[Turn] = set()
        self._all_answered = asyncio.Event()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """Wait for the turn. It is over when it says so, at the end, or when it has taken too long."""
        turn = Turn(self)
        self._next.append(turn)
        if not self._members and len(self._next) == 1:
            asyncio.get_running_loop().call_soon(self._begin)  # who is woken by the same fetch comes along
        try:
            await turn.begun.wait()
            too_long = asyncio.get_running_loop().call_later(self._at_most_s, turn.over)
            try:
                yield turn
            finally:
                too_long.cancel()
        finally:
            turn.end()

    async def answered(self) -> None:
        """Wait until every commit that is on its way has been answered, but not for long."""
        if self._on_their_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._answered_within_s):
                    await self._all_answered.wait()

    def _begin(self) -> None:
        if self._members:
            return
        self._members, self._next = dict.fromkeys(self._next), []
        self._began_s = time.monotonic()
        for turn in self._members:
            turn.begun.set()

    def comes(self, turn: "Turn", work: Callable[[], Any]) -> "asyncio.Future[Any] | None":
        """One of those who have part comes with its work; nothing where it has none any more, or is the only one."""
        if turn not in self._members or len(self._members) == 1:
            return None
        self._members[turn] = mine = _Work(work)
        self._compute_if_all_have_come()
        return mine.done

    def _compute_if_all_have_come(self) -> None:
        works = [work for work in self._members.values() if work]
        if len(works) == len(self._members):
            self._members = dict.fromkeys(self._members)
            for work in works:
                work.compute()

    def leaves(self, turn: "Turn") -> None:
        """One of those who have part, or wait for it, does not any more."""
        if turn in self._next:
            self._next.remove(turn)
        if turn not in self._members:
            return
        if work := self._members.pop(turn):
            work.compute()  # it has waited for others for too long; what nobody waits for is left
        if self._members:
            self._compute_if_all_have_come()
            return
        self.pace.took(self._began_s, time.monotonic())
        if self._next:
            asyncio.get_running_loop().call_soon(self._begin)

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
    """A lane's part in a turn. What it says twice, or after its end, changes nothing."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self.begun, self._has_ended = turns, asyncio.Event(), False

    async def together(self, work: Callable[[], Result], /) -> Result:
        """What `work` returns, which is done when all who have part have come with theirs, or are out of it."""
        done = self._turns.comes(self, work)
        if done is None:
            return work()
        result: Result = await done
        return result

    def over(self) -> None:
        """This lane has no part in it any more; when none has, the next turn begins."""
        self._turns.leaves(self)

    def sent(self) -> None:
        """As `over`, and the next finds a commit on its way."""
        self.over()
        if not self._has_ended:
            self._turns.sends(self)

    def end(self) -> None:
        """What it was for has been done, or given up."""
        self.over()
        self._has_ended = True
        self._turns.has_answer(self)


class _Work:
    """What somebody waits for to be computed."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def compute(self) -> None:
        """Do it, unless nobody waits any more; a failure is for who waits."""
        if self.done.done():
            return
        try:
            self.done.set_result(self._work())
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            self.done.set_exception(error)
