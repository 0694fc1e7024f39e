"""How often lanes that keep up begin a chunk: as often as their process has time for.

A chunk costs some milliseconds however few its records. Fewer of them leave time; more of them have what arrives wait
for less long. What they take depends on machine, models and how many lanes share the process, so it is measured.
"""

AIM = 0.5  # share of the time that turns may take; above it what arrives waits for others more than it would gather
LOOK_EVERY_S = 0.25
AT_LEAST_S = 0.002
AT_ONCE = 2.0  # no more than twice or half as often from one look to the next


class Pace:
    """One for all lanes of a process.

    Attributes:
        every_s: from the beginning of a chunk to that of the lane's next one, while records keep coming.
    """

    def __init__(self, at_most_s: float) -> None:
        self._at_most_s = self.every_s = at_most_s
        self._since_s = self._busy_s = 0.0

    def took(self, began_s: float, ended_s: float) -> None:
        """A lane had its turn; monotonic s.

        >>> pace = Pace(at_most_s=0.030)
        >>> for second in range(1, 20):
        ...     pace.took(second, second + 0.3)  # turns take half of what they may
        >>> pace.every_s
        0.002
        >>> pace.took(21.0, 23.0)
        >>> pace.every_s > 0.002
        True
        """
        self._busy_s += ended_s - began_s
        passed_s = ended_s - self._since_s
        if passed_s < LOOK_EVERY_S:
            return
        factor = min(max(self._busy_s / passed_s / AIM, 1 / AT_ONCE), AT_ONCE)
        self.every_s = min(max(self.every_s * factor, AT_LEAST_S), self._at_most_s)
        self._since_s, self._busy_s = ended_s, 0.0
