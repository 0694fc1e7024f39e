"""Kafka records in chunks through Faust: one message per (partition, fetch) instead of one per record.

Stock Faust spends about 100 us of CPU per record on messages, events and acknowledgements; a fetched list handed on whole
costs 2 us. Every name overridden here is checked against the pinned Faust and aiokafka by tests/contract.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import aiokafka
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, server_list
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP, ConsumerMessage

FETCH_MAX_WAIT_MS = 100  # a partition that was paused or sought joins the next fetch; stock Faust would let it wait 1,500
EMPTY_ASSIGNMENT_SLEEP_S = 0.005  # stock Faust sleeps a whole second when nothing may be fetched

PositionsOf = Callable[[set[TP]], Awaitable[Mapping[TP, int]]]


@dataclass(frozen=True)
class Fetched:
    """Records of one topic-partition, in offset order, as one fetch returned them.

    `previous_offset` is the consumer's position before them: offsets are not dense, so only it tells that nothing is missing.
    """

    tp: TP
    previous_offset: int
    records: Sequence[Any]

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return int(self.records[-1].offset) + 1


class ChunkConsumerThread(AIOKafkaConsumerThread):
    """The consumer thread with range assignment, committed reads and short waits."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            isolation_level="read_committed",
        )

    async def pause_fetching(self, partitions: Iterable[TP]) -> None:
        """Stop asking the broker for these partitions; what is fetched already stays."""
        await self.call_thread(self._pause_or_resume, "pause", tuple(partitions))

    async def resume_fetching(self, partitions: Iterable[TP]) -> None:
        """Ask the broker for these partitions again."""
        await self.call_thread(self._pause_or_resume, "resume", tuple(partitions))

    async def _pause_or_resume(self, verb: str, partitions: tuple[TP, ...]) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        getattr(consumer, verb)(*(TopicPartition(*tp) for tp in partitions if tp in assigned))

    def end_offset(self, tp: TP) -> int | None:
        """The high watermark of the last fetch."""
        consumer = self._ensure_consumer()
        return consumer.highwater(tp) if tp in consumer.assignment() else None

    async def commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group how far we are. Only lag monitors read it; Redis is the truth."""
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        known = {TopicPartition(*tp): offset for tp, offset in offsets.items() if tp in assigned}
        if known:
            await self.call_thread(consumer.commit, known)


class ChunkConsumer(FaustConsumer):
    """Yields one message per (partition, fetch); its value is a `Fetched`."""

    _thread: ChunkConsumerThread

    positions_of: ClassVar[PositionsOf]
    """Where each assigned partition goes on: set by the process before the app starts."""

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch once and yield what came, a message per partition."""
        fetched, _ = await self._wait_next_records(timeout)
        for tp, records in (fetched or {}).items():
            if not self.flow_active or self.should_stop:
                return  # after a rebalance every partition is sought again
            if records and tp in self._next_offset:
                yield tp, self._to_chunk(TP(*tp), records)

    def _to_chunk(self, tp: TP, records: Sequence[Any]) -> ConsumerMessage:
        chunk = Fetched(tp, self._next_offset[tp], records)
        self._next_offset[tp] = chunk.next_offset
        last = records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            (),
            b"",
            chunk,
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
        return await self._getmany(active_partitions=active, timeout=timeout), active

    async def perform_seek(self) -> None:
        """Go on where Redis says, whatever the group committed. Faust calls this after each assignment."""
        assigned = {TP(*tp) for tp in self.assignment()}
        self._next_offset: dict[TP, int] = {}
        for tp, offset in (await type(self).positions_of(assigned)).items():
            await self.seek_to(tp, offset)

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Fetch `tp` from `offset` on; what was fetched and not delivered is dropped."""
        await self.seek(tp, offset)
        self._next_offset[tp] = offset

    async def hold(self, tp: TP) -> None:
        """Take no more of `tp` until `release`; other partitions are not disturbed."""
        self.pause_partitions({tp})
        await self._thread.pause_fetching({tp})

    async def release(self, tp: TP) -> None:
        """Take `tp` again."""
        await self._thread.resume_fetching({tp})
        self.resume_partitions({tp})

    def end_offset(self, tp: TP) -> int | None:
        """The end of the log as the last fetch saw it; None before the first, or when `tp` is not ours."""
        return self._thread.end_offset(tp)

    async def log_range(self, partitions: set[TP]) -> dict[TP, tuple[int, int]]:
        """First offset and end of each partition's log."""
        starts = await self._thread.earliest_offsets(*partitions)
        ends = await self._thread.highwaters(*partitions)
        return {tp: (starts[tp], ends[tp]) for tp in partitions}

    async def commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group how far we are, for lag monitors."""
        await self._thread.commit_positions(offsets)


class ChunkTransport(FaustTransport):
    """Faust's aiokafka transport with the chunked consumer."""

    Consumer: ClassVar[type[FaustConsumer]] = ChunkConsumer
