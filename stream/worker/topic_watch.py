"""Do the input topics still have the partitions that customers are stored under? Asked all the time."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from stream.errors import TopicChangedError

LOOK_EVERY_S = 5.0
MISSING_FOR_S = 10.0  # a broker that starts may not name a topic at once
LOOK_AGAIN_S = 0.2

CountOf = Callable[[str], int | None]
"""Topic -> its number of partitions as the client knows them, None where it knows of no such topic."""


class TopicWatch:
    """Compares partition counts with the one of the deployment.

    Args:
        topics: the input topics.
        partitions: how many each must have.
        count_of: asks the client, whose knowledge is renewed every few seconds.
    """

    def __init__(self, topics: Sequence[str], partitions: int, count_of: CountOf) -> None:
        self._topics, self._partitions, self._count_of = topics, partitions, count_of
        self._missing_since_s: dict[str, float] = {}

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            TopicChangedError: see `look`.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    async def settled(self) -> None:
        """Return when every topic is there, with as many partitions as it must have.

        Raises:
            TopicChangedError: see `look`.
        """
        while self.look():
            await asyncio.sleep(LOOK_AGAIN_S)

    def look(self) -> bool:
        """Whether a topic is missing, for less than `MISSING_FOR_S` so far.

        Raises:
            TopicChangedError: one has another number of partitions, or is missing for longer.
        """
        counts = {topic: self._count_of(topic) for topic in self._topics}
        require_count(counts, self._partitions)
        now_s = time.monotonic()
        missing = [topic for topic, count in counts.items() if not count]
        self._missing_since_s = {topic: self._missing_since_s.get(topic, now_s) for topic in missing}
        for topic, since_s in self._missing_since_s.items():
            if now_s - since_s > MISSING_FOR_S:
                raise TopicChangedError(
                    f"Topic {topic} is not there any more. If it was deleted, what Redis has applied of it cannot be "
                    "read again: wipe Redis and replay the history. Else bring it back and start again."
                )
        return bool(missing)


def require_count(counts: Mapping[str, int | None], partitions: int) -> None:
    """See that every topic that is there has so many partitions.

    Raises:
        TopicChangedError: one has more, or fewer.

    >>> require_count({"events.purchases": 4, "events.profiles": None}, partitions=4)
    """
    for topic, count in counts.items():
        if count and count != partitions:
            raise TopicChangedError(
                f"Topic {topic} has {count} partitions now, and every customer is stored under one of {partitions}: "
                "producers would send them elsewhere. Partitions cannot be taken back: replay the history into an "
                f"empty Redis and topics of {count} partitions, with EBB_PARTITIONS={count}."
            )
