"""Work that can wait, beside work that cannot: sweeps and late deadlines of all lanes of a process take turns.

All lanes of a process share one core. A commit of a sweep keeps that core from everybody while it computes, so one lane
at a time has such a commit, it begins when no lane applies records, and it is as large as its time allows.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

GIVE_WAY_S = 0.05  # with records without a pause a sweep still gets a commit this often, about a tenth of the time
FEWEST_CUSTOMERS = 300  # fewer would cost more for the commit, 3 to 4 ms of CPU, than for themselves, 12 us each
GROW_AT_MOST, SHRINK_AT_MOST = 1.25, 0.5  # one slow commit, when another process had the core, says little


def next_size(customers: int, took_ms: float, budget_ms: float, at_most: int) -> int:
    """How many customers go into the next commit, after one that took so long.

    >>> next_size(500, took_ms=5.0, budget_ms=4.0, at_most=900)
    400
    >>> next_size(400, took_ms=1.0, budget_ms=4.0, at_most=900)
    500
    >>> next_size(400, took_ms=90.0, budget_ms=4.0, at_most=900)
    300
    """
    change = min(max(budget_ms / max(took_ms, 1e-3), SHRINK_AT_MOST), GROW_AT_MOST)
    return min(max(round(customers * change), FEWEST_CUSTOMERS), at_most)


class Background:
    """Who may do work that can wait, and how much of it at once. One for all lanes of a process.

    Args:
        budget_ms: CPU time that one commit may compute.
        at_most: customers in one commit, however fast they are.
    """

    def __init__(self, budget_ms: float = 6.0, at_most: int = 100_000) -> None:
        self._budget_ms, self._at_most = budget_ms, at_most
        self.customers = min(FEWEST_CUSTOMERS, at_most)
        self._waiting: OrderedDict[object, asyncio.Future[bool]] = OrderedDict()
        self._taken = False
        self._live = 0
        self._patience: asyncio.TimerHandle | None = None

    @contextmanager
    def live(self) -> Iterator[None]:
        """Records are applied meanwhile: nobody else's turn begins, for a while."""
        self._live += 1
        try:
            yield
        finally:
            self._live -= 1
            self._grant()

    def turn_now(self) -> bool:
        """Take the turn if nobody has it; it ends with `over`."""
        if self._taken:
            return False
        self._taken = True
        return True

    async def turn(self, who: object) -> bool:
        """Wait for the turn, first come first served; it ends with `over`.

        Returns:
            False when `who` has something better to do (`forgo`).
        """
        mine: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[who] = mine
        self._grant()
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.result():
                self.over()
            raise
        finally:
            if self._waiting.get(who) is mine:
                del self._waiting[who]

    def forgo(self, who: object) -> None:
        """Wait no longer: records have come."""
        mine = self._waiting.pop(who, None)
        if mine is not None and not mine.done():
            mine.set_result(False)

    def over(self) -> None:
        """The turn is over."""
        self._taken = False
        self._grant()

    def took(self, customers: int, took_ms: float) -> None:
        """Learn from a commit, unless it was much smaller than it might have been."""
        if 2 * customers >= self.customers:
            self.customers = next_size(customers, took_ms, self._budget_ms, self._at_most)

    def _grant(self) -> None:
        """Give the turn to who has waited longest, if nobody has it and no lane applies records."""
        if self._taken or not self._waiting:
            return
        if self._live:
            if self._patience is None:
                self._patience = asyncio.get_running_loop().call_later(GIVE_WAY_S, self._give)
            return
        self._give()

    def _give(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        while self._waiting and not self._taken:
            _, first = self._waiting.popitem(last=False)
            if not first.done():
                self._taken = True
                first.set_result(True)
