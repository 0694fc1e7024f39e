"""Are the logs still those that are being read? Asked all the time.

A topic that is deleted and made again, or a broker that comes back with older data, may have as many records as before
by the time we ask for the next: then no fetch fails and no group assigns anew, and what came in their places is passed
over. So the last record that was read is looked at once more some seconds later.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import LogRecreatedError
from stream.ports import LogPosition
from stream.worker.log_check import Positions

LOOK_EVERY_S = 5.0
ANSWER_WITHIN_S = 30.0

log = structlog.get_logger()


Compare = Callable[[Positions], Awaitable[Collection[TopicPartition]]]
"""Compares records with those that the logs hold there now; the topic-partitions that Kafka has answered for."""

Read = tuple[Positions, Positions]
"""Of each topic-partition one of the first records that were read since it was assigned, and the last one."""


class ReadSoFar:
    """What was read of each topic-partition since it was assigned."""

    def __init__(self) -> None:
        self._first: dict[TopicPartition, LogPosition] = {}
        self._last: dict[TopicPartition, LogPosition] = {}

    def add(self, tp: TopicPartition, record: Any) -> None:
        """The last record of a fetch."""
        self._last[tp] = LogPosition(record.offset + 1, record.timestamp, zlib.crc32(record.value or b""))
        self._first.setdefault(tp, self._last[tp])

    def clear(self) -> None:
        """Other topic-partitions are ours now."""
        self._first.clear()
        self._last.clear()

    def told(self) -> Read:
        """As a `LogWatch` asks for it."""
        return dict(self._first), dict(self._last)


class LogWatch:
    """Compares what Kafka has now with what was read of it before.

    Args:
        compare: asks Kafka.
        read_of: tells what was read.
    """

    def __init__(self, compare: Compare, read_of: Callable[[], Read]) -> None:
        self._compare, self._read_of = compare, read_of
        self._noted: Positions = {}
        self._doubts = False

    def forget(self) -> None:
        """Nothing is read any more."""
        self._noted = {}
        self._doubts = False

    def note(self, applied: Positions) -> None:
        """These are read from here on."""
        self._noted = {**self._noted, **applied}

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            LogRecreatedError: see `look`.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Compare what was read before the last look, then note what has been read since.

        What is noted was read before the comparison began: it is of the log that was compared, or of a later one, which
        the next look finds out. What Kafka does not answer for stays noted as it is. A broker that has just become the
        leader may tell an end that is too early for a moment, so a log is refused at the second look that finds it so.

        Raises:
            LogRecreatedError: a log ends before what was read of it, or has another record there.
        """
        noted = self._noted
        first, last = self._read_of()
        compared = {**first, **noted}
        try:
            answered = set(await asyncio.wait_for(self._compare(compared), ANSWER_WITHIN_S))
        except (KafkaError, TimeoutError) as error:
            log.debug("kafka does not say whether logs are as they were", error=repr(error))
            return
        except LogRecreatedError as error:
            if self._doubts:
                raise
            self._doubts = True
            log.warning("a log seems to be another one, looking again", error=str(error))
            return
        self._doubts = False
        if self._noted is noted:  # else partitions have come or gone meanwhile
            self._noted = compared | {tp: position for tp, position in last.items() if tp in answered}
