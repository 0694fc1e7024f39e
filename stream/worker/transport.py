"""Kafka records in chunks through Faust: one message per fetch instead of one per record.

Stock Faust spends about 100 us of CPU per record on messages, events and acknowledgements, and more on a message that
comes alone; a fetch handed on whole costs 2 us a record. Every name overridden here is checked against the pinned Faust
and aiokafka by tests/contract.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP, ConsumerMessage

from stream.errors import LogRecreatedError
from stream.worker.consumer_thread import FAUST_LOGGER, ChunkConsumerThread, ReadTo, now_ms
from stream.worker.fetched import Fetched
from stream.worker.log_watch import ReadSoFar

EMPTY_ASSIGNMENT_SLEEP_S = 0.005  # stock Faust sleeps a whole second when nothing may be fetched
HEARD_WITHIN_MS = 5_000  # a partition that has not answered for so long may have grown: 50 fetches would have come

PositionsOf = Callable[[set[TP]], Awaitable[Mapping[TP, int]]]
GatherFor = Callable[[], float]


class _NoReadOffsets(dict[TP, int | None]):
    """Faust drops a message below the highest offset it has delivered; a chunk that was sought again would be one."""

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Remember nothing."""


class ChunkConsumer(FaustConsumer):  # type: ignore[misc]  # Faust has no types for us
    """Yields one message per fetch; its value is a tuple of `Fetched`, and its partition that of the first."""

    logger = FAUST_LOGGER
    _thread: ChunkConsumerThread

    positions_of: ClassVar[PositionsOf]
    """Where each assigned partition goes on: set by the process before the app starts."""

    gather_s: ClassVar[GatherFor]
    """For how long the broker gathers records while they come: set with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoReadOffsets()
        self._next_offset: dict[TP, int] = {}
        self._seeks: Counter[TP] = Counter()
        self._read_to: dict[TP, ReadTo] = {}
        self.read = ReadSoFar()

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        thread = ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)
        thread.gather_s = type(self).gather_s
        return thread

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch once and yield what came.

        What was asked for before a seek does not follow the position after it: it is dropped, and the seek repeated.
        Positions have moved when the message is yielded: no partition in it is read to its end meanwhile.
        """
        seeks_before = self._seeks.copy()
        fetched, _ = await self._wait_next_records(timeout)
        self._read_to = dict(self._thread.read_to)
        for tp in [tp for tp in self._next_offset if self._seeks[tp] != seeks_before[tp]]:
            self._read_to.pop(tp, None)
        came = {TP(*tp): records for tp, records in (fetched or {}).items()}
        sought = [tp for tp in came if self._seeks[tp] != seeks_before[tp]]
        chunks = [
            self._to_chunk(tp, records)
            for tp, records in came.items()
            if records and tp in self._next_offset and tp not in sought
        ]
        if chunks and self.flow_active and not self.should_stop:
            yield chunks[0].tp, self._message_of(chunks)
        for tp in sought:
            if not self.flow_active or self.should_stop:
                return  # after a rebalance every partition is sought again
            await self.seek_to(tp, self._next_offset[tp])

    def _to_chunk(self, tp: TP, records: Sequence[Any]) -> Fetched:
        chunk = Fetched(tp, self._next_offset[tp], records)
        self._next_offset[tp] = chunk.next_offset
        self.read.add(tp, records[-1])
        return chunk

    def _message_of(self, chunks: Sequence[Fetched]) -> ConsumerMessage:
        tp, last = chunks[0].tp, chunks[0].records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            (),
            b"",
            tuple(chunks),
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._get_active_partitions()
        if not active:
            await self.sleep(EMPTY_ASSIGNMENT_SLEEP_S)
            return {}, active
        try:
            return await self._getmany(active_partitions=active, timeout=timeout), active
        except NoOffsetForPartitionError:
            return {}, active  # a partition that was assigned this moment and not yet sought
        except OffsetOutOfRangeError as error:
            self._refuse(error.args[0])
            return {}, active

    def _refuse(self, out_of_range: Mapping[Any, int]) -> None:
        """Kafka has nothing at an offset. What the group had committed is no concern of ours, what we sought is.

        Raises:
            LogRecreatedError: retention has passed us, or the topic was made anew.
        """
        for aiokafka_tp, offset in out_of_range.items():
            tp = TP(*aiokafka_tp)
            if self._next_offset.get(tp) == offset:
                raise LogRecreatedError(
                    f"topic {tp.topic} partition {tp.partition} has nothing at offset {offset:,} any more, where "
                    "reading was to go on. Start again: what retention took is reported, and a topic that was made "
                    "anew is refused."
                )

    async def perform_seek(self) -> None:
        """Go on where Redis says, whatever the group committed. Faust calls this after each assignment."""
        assigned = {TP(*tp) for tp in self.assignment()}
        positions = await type(self).positions_of(assigned)
        self._next_offset.clear()
        self.read.clear()
        for tp, offset in positions.items():
            await self.seek_to(tp, offset)

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Fetch `tp` from `offset` on; what was fetched and not delivered is dropped."""
        self._seeks[tp] += 1
        self._next_offset[tp] = offset
        self._read_to.pop(tp, None)
        await self._thread.seek_in_thread(tp, offset)

    async def hold(self, tp: TP) -> None:
        """Take no more of `tp` until `release`; other partitions are not disturbed."""
        self.pause_partitions({tp})
        await self._thread.pause_fetching({tp})

    async def release(self, tp: TP) -> None:
        """Take `tp` again, at once: a fetch that began without it would wait for others' records for a second."""
        await self._thread.resume_fetching({tp})
        self.resume_partitions({tp})
        await self._thread.look_again()

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        """Whether nothing readable lies at or after `next_offset`, as far as Kafka has said within the last seconds."""
        seen, delivered = self._read_to.get(tp), self._next_offset.get(tp)
        return (
            seen is not None
            and delivered is not None  # after a rebalance, lanes run while their partitions are sought one by one
            and seen.position >= seen.end
            and next_offset >= delivered
            and _was_heard_lately(seen)
        )

    def partition_count(self, topic: str) -> int | None:
        """How many partitions a topic has, as Kafka said within the last seconds; None for none."""
        return self._thread.partition_count(topic)

    async def log_starts(self, partitions: set[TP]) -> Mapping[TP, int]:
        """The first offset of each partition's log."""
        return dict(await self._thread.earliest_offsets(*partitions))

    async def log_ends(self, partitions: Collection[TP]) -> dict[TP, int]:
        """The offset behind the last readable record of each partition: as fetches say, or asked for where they rest.

        The embedded broker answers who asks with less than there is; what a fetch has seen is never gone back on.
        """
        seen = {tp: self._read_to[tp] for tp in partitions if tp in self._read_to}
        resting = [tp for tp in partitions if tp not in seen or not _was_heard_lately(seen[tp])]
        asked = await self._thread.highwaters(*(TopicPartition(*tp) for tp in resting)) if resting else {}
        ends = {tp: found.end for tp, found in seen.items()}
        for aiokafka_tp, end in asked.items():
            tp = TP(*aiokafka_tp)
            ends[tp] = max(end, ends.get(tp, 0))
        return ends

    async def commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group how far we are, for lag monitors; an error says that the group does not know us."""
        await self._thread.commit_positions(offsets)


def _was_heard_lately(seen: ReadTo) -> bool:
    """Also where the wall was set back meanwhile: what seems to be said in an hour was said before that."""
    return abs(now_ms() - seen.heard_ms) <= HEARD_WITHIN_MS


class ChunkTransport(FaustTransport):  # type: ignore[misc]  # Faust has no types for us
    """Faust's aiokafka transport with the chunked consumer."""

    Consumer: ClassVar[type[FaustConsumer]] = ChunkConsumer
