"""For how long the broker gathers records while they come: as briefly as the process has time for.

A fetch and the chunks that follow from it cost some milliseconds however few their records. Fewer of them leave time;
more of them have what arrives wait for less long. What they take depends on machine, models and how many lanes share
the process, so it is measured. It is the fetch that waits and no lane by itself: lanes that begin one after another
find the code and the tables of the one before them in the processor's caches.
"""

AIM = 0.5  # share of the time that turns may take; above it what arrives waits for others more than it would gather
LOOK_EVERY_S = 0.25
AT_LEAST_S = 0.010  # a fetch costs a millisecond of the thread that talks to Kafka
AT_ONCE = 2.0  # no more than twice or half as long from one look to the next


def at_least_s() -> float:
    """For how long records gather for a process without lanes."""
    return AT_LEAST_S


class Pace:
    """One for all lanes of a process.

    Attributes:
        gather_s: how long a fetch waits for more while records keep coming.
    """

    def __init__(self, at_most_s: float) -> None:
        self._at_most_s = self.gather_s = max(at_most_s, AT_LEAST_S)
        self._since_s = self._busy_s = 0.0

    def took(self, began_s: float, ended_s: float) -> None:
        """A lane had its turn; monotonic s.

        >>> pace = Pace(at_most_s=0.030)
        >>> for second in range(1, 20):
        ...     pace.took(second, second + 0.3)  # turns take half of what they may
        >>> pace.gather_s
        0.01
        >>> pace.took(21.0, 23.0)
        >>> pace.gather_s > 0.01
        True
        """
        self._busy_s += ended_s - began_s
        passed_s = ended_s - self._since_s
        if passed_s < LOOK_EVERY_S:
            return
        factor = min(max(self._busy_s / passed_s / AIM, 1 / AT_ONCE), AT_ONCE)
        self.gather_s = min(max(self.gather_s * factor, AT_LEAST_S), self._at_most_s)
        self._since_s, self._busy_s = ended_s, 0.0
