"""Is there still a topic for what waits to be published? Asked while messages wait, and said until there is one."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

LOOK_EVERY_S = 2.0
WAITED_S = 2.0  # a message that has waited so long may wait for a topic that is missing
ANSWER_WITHIN_S = 5.0

MISSING = "a topic is missing and messages wait: make it again, as any worker does at its start"

Known = Callable[[], Awaitable[Collection[str]]]
"""Asks Kafka which topics there are."""

log = structlog.get_logger()


class OutputWatch:
    """Says which topics are missing that messages wait for. The client itself would wait for them silently.

    Args:
        waiting: topics of the messages that are next in line and have waited for so many seconds.
        known: asks Kafka.
    """

    def __init__(self, waiting: Callable[[float], set[str]], known: Known) -> None:
        self._waiting, self._known = waiting, known
        self._missing: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Say what is missing now and was not before, and what is there again."""
        waiting = self._waiting(WAITED_S)
        if not waiting and not self._missing:
            return
        try:
            known = set(await asyncio.wait_for(self._known(), ANSWER_WITHIN_S))
        except (KafkaError, TimeoutError):
            return  # Kafka is away, which the publishers say
        for topic in sorted(self._missing & known):
            log.info("the topic is there again, what waited for it is sent", topic=topic)
        for topic in sorted(waiting - known - self._missing):
            log.error(MISSING, topic=topic)
        self._missing = (self._missing | waiting) - known


async def known_topics(producer: AIOKafkaProducer) -> Collection[str]:
    """The topics that Kafka has now.

    Raises:
        KafkaError: no broker answers.
    """
    topics: Collection[str] = (await producer.client.fetch_all_metadata()).topics(exclude_internal_topics=False)
    return topics
