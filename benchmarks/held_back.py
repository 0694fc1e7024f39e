"""Processes that get a share of a core each and no more, so that the cores of the machine are not what limits them."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from benchmarks.cpu import cpu_seconds
from tests.background import InBackground

LOOK_EVERY_S = 0.01  # as fine as the kernel counts CPU in /proc


class Allowance:
    """What one process may compute: `share` seconds of CPU a second, of which at most `kept_s` are kept for later.

    >>> allowance = Allowance(0.25, kept_s=0.125)
    >>> looks = [(0.0, 0.0), (1.0, 0.25), (2.0, 0.25), (2.5, 0.5), (3.0, 0.5)]  # time and CPU so far, in s
    >>> [allowance.is_used_up(now_s, cpu_s) for now_s, cpu_s in looks]
    [False, True, False, True, False]
    """

    def __init__(self, share: float, kept_s: float = 0.05) -> None:
        self._share, self._kept_s = share, kept_s
        self._left_s = 0.0
        self._seen: tuple[float, float] | None = None

    def is_used_up(self, now_s: float, cpu_s: float) -> bool:
        """Whether it has computed more than it may, at a time and after so much CPU in all."""
        if self._seen is not None:
            earned_s = (now_s - self._seen[0]) * self._share
            self._left_s = min(self._left_s + earned_s, self._kept_s) - (cpu_s - self._seen[1])
        self._seen = now_s, cpu_s
        return self._left_s < 0


class HeldBack(InBackground):  # type: ignore[misc]  # tests have no types for us
    """Stops each process (SIGSTOP) whenever it has used up its share of a core, and lets it go on when it has not.

    Args:
        pids: of the processes.
        share: of a core, for each of them.
        clock_s: tells the time.
    """

    def __init__(self, pids: Iterable[int], share: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._allowances = {pid: Allowance(share) for pid in pids}
        self._clock_s = clock_s

    def _run(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            for pid, allowance in self._allowances.items():
                is_used_up = allowance.is_used_up(self._clock_s(), cpu_seconds([pid]))
                _send(pid, signal.SIGSTOP if is_used_up else signal.SIGCONT)
        for pid in self._allowances:
            _send(pid, signal.SIGCONT)


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended, which others see to
        os.kill(pid, what)
