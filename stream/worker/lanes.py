"""The lanes of a process, by partition: started when they are read, unless they were stopped meanwhile."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol, TypeVar

import structlog

log = structlog.get_logger()


class Lane(Protocol):
    """What is asked of a lane."""

    async def load(self) -> None:
        """Read what the store has."""

    def start(self) -> None:
        """Publish and apply."""

    async def stop(self) -> None:
        """Let the chunk in flight end, then end everything; also of one that was not started."""

    async def close(self) -> None:
        """Close what reading has opened once more after it was stopped."""


OfPartition = TypeVar("OfPartition", bound=Lane)


class Lanes(Mapping[int, OfPartition]):
    """Partition -> its lane. Another assignment, or the end of the process, may come while a lane is still read.

    Once they `have_ended`, none is started.
    """

    def __init__(self) -> None:
        self._lanes: dict[int, OfPartition] = {}
        self._started: set[int] = set()
        self.have_ended = False

    def __getitem__(self, partition: int) -> OfPartition:
        """The lane of a partition."""
        return self._lanes[partition]

    def __iter__(self) -> Iterator[int]:
        """The partitions."""
        return iter(self._lanes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._lanes)

    async def start(self, partition: int, lane: OfPartition) -> bool:
        """Read a lane and start it; False, and it is stopped, when its partition was given up meanwhile."""
        if self.have_ended:
            await lane.stop()
            return False
        self._lanes[partition] = lane
        await lane.load()
        if self._lanes.get(partition) is not lane:
            await lane.close()
            return False
        lane.start()
        self._started.add(partition)
        return True

    async def stop(self, partitions: Collection[int]) -> None:
        """Stop those of these partitions that there are."""
        stopping = {partition: self._lanes.pop(partition) for partition in partitions if partition in self._lanes}
        started = self._started.intersection(stopping)
        self._started -= started
        await asyncio.gather(*(lane.stop() for lane in stopping.values()))
        for partition in started:
            log.info("lane stopped", partition=partition)

    async def end(self) -> None:
        """Stop all, and start none any more."""
        self.have_ended = True
        await self.stop(set(self._lanes))
