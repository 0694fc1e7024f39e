"""The thread that talks to Kafka: range assignment, committed reads, short waits, and how far it has read.

Every name overridden here is checked against the pinned Faust and aiokafka by tests/contract.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiokafka
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, server_list
from faust.types import TP
from mode.threads import WorkerThread

FETCH_MAX_WAIT_MS = 100  # a partition that was paused or sought joins the next fetch; stock Faust waits 1,500
FETCH_WORTH_BYTES = 65_536  # of so much, nobody waits for more
REQUEST_TIMEOUT_MS = 40_000  # aiokafka's own; Faust would hand on the hour that a seek may wait for Redis
REBALANCE_TIMEOUT_MS = 30_000  # below the request timeout: a join is answered when all have come or this is over
METADATA_AGE_MS = 5_000  # so soon is it known that a topic has grown or gone
LEAVE_WITHIN_S = 1.5  # the group misses us after the session timeout anyway

FAUST_LOGGER = logging.getLogger("faust.ebb")
"""What Faust logs for its classes' sake goes where Faust's lines go, not under the name of our modules."""


@dataclass(frozen=True)
class ReadTo:
    """How far a topic-partition was read when a fetch returned: the consumer's position, and the end of the readable.

    Both count records that are never handed out, such as the markers of transactions.
    """

    position: int
    end: int
    heard_ms: int


class FetchedAsRead(OrderedDict[TopicPartition, Any]):
    """What has been fetched of each partition, whose records are handed out as aiokafka reads them.

    It would copy each into a `ConsumerRecord`, which takes four times as long and says nothing more that we need.
    """

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        """Keep what a fetch brought, or why it brought nothing."""
        if isinstance(fetched, FetchResult) and fetched.has_more():
            fetched._partition_records._consumer_record = _as_read
        super().__setitem__(tp, fetched)

    @classmethod
    def of(cls, fetched: "OrderedDict[TopicPartition, Any]") -> "FetchedAsRead":
        """The same, once."""
        return fetched if isinstance(fetched, cls) else cls(fetched)


def _as_read(tp: TopicPartition, record: Any) -> Any:
    return record


class DaemonThread(WorkerThread):  # type: ignore[misc]  # mode has no types for us
    """A thread that does not keep the process alive: aiokafka waits for ever to take leave of a broker that is gone."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True

    def run(self) -> None:
        """Until the consumer has stopped. aiokafka's fetch that failed and waits lets its own cancellation through."""
        with suppress(asyncio.CancelledError):
            super().run()


class ChunkConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust has no types for us
    """The consumer thread of both processes. Everything that changes the consumer runs inside the thread."""

    logger = FAUST_LOGGER
    Worker = DaemonThread
    shutdown_timeout = LEAVE_WITHIN_S
    read_to: Mapping[TP, ReadTo] = {}
    gather_s: Callable[[], float]

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
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=METADATA_AGE_MS,
            isolation_level="read_committed",
        )

    async def _fetch_records(self, consumer: Any, active_partitions: Any, *args: Any, **kwargs: Any) -> Any:
        """Fetch, and note at the same moment how far that has brought us.

        The first record after a silence is handed over at once. While records come, the broker gathers them for
        `gather_s`: a fetch costs a millisecond of CPU however few it brings, and so does all that follows from it.
        """
        fetcher = consumer._fetcher
        fetcher._records = FetchedAsRead.of(fetcher._records)
        records = await super()._fetch_records(consumer, active_partitions, *args, **kwargs)
        fetcher._fetch_max_wait_ms = round(self.gather_s() * 1000) if records else FETCH_MAX_WAIT_MS
        fetcher._fetch_min_bytes = FETCH_WORTH_BYTES if records else 1
        self.read_to = _read_to(consumer)
        return records

    async def seek_in_thread(self, tp: TP, offset: int) -> None:
        """Fetch `tp` from `offset` on. Nothing happens when the partition has been taken from us meanwhile."""
        await self.call_thread(self._seek_if_assigned, tp, offset)

    async def _seek_if_assigned(self, tp: TP, offset: int) -> None:
        consumer = self._ensure_consumer()
        if tp in consumer.assignment():
            consumer.seek(TopicPartition(*tp), offset)

    async def pause_fetching(self, partitions: Iterable[TP]) -> None:
        """Ask the broker for these partitions no more. What is fetched and not delivered will be fetched again."""
        await self.call_thread(self._pause_or_resume, "pause", tuple(partitions))

    async def resume_fetching(self, partitions: Iterable[TP]) -> None:
        """Ask the broker for these partitions again."""
        await self.call_thread(self._pause_or_resume, "resume", tuple(partitions))

    async def look_again(self) -> None:
        """Let a fetch that waits hand over what is there: of a partition that rested, aiokafka kept what it had."""
        await self.call_thread(self._wake_fetch)

    async def _wake_fetch(self) -> None:
        fetcher = self._ensure_consumer()._fetcher
        for waiter in tuple(fetcher._fetch_waiters):
            fetcher._notify(waiter)

    async def _pause_or_resume(self, verb: str, partitions: tuple[TP, ...]) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        getattr(consumer, verb)(*(TopicPartition(*tp) for tp in partitions if tp in assigned))

    def partition_count(self, topic: str) -> int | None:
        """How many partitions the client knows of. It only reads what the thread replaces whole."""
        known = self._ensure_consumer().partitions_for_topic(topic)
        return len(known) if known else None

    async def commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group how far we are. Only lag monitors read it; Redis is the truth.

        Raises:
            KafkaError: the group does not count us as a member any more, or does not answer.
        """
        await self.call_thread(self._commit_assigned, dict(offsets))

    async def _commit_assigned(self, offsets: dict[TP, int]) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        known = {TopicPartition(*tp): offset for tp, offset in offsets.items() if tp in assigned}
        if known:
            await consumer.commit(known)


def _read_to(consumer: aiokafka.AIOKafkaConsumer) -> dict[TP, ReadTo]:
    """How far each assigned partition is read, where the broker has said where it ends."""
    assignment = consumer._fetcher._subscriptions.subscription.assignment
    found = {}
    for tp in assignment.tps if assignment else ():
        state = assignment.state_value(tp)
        end = state.highwater if state.lso is None or state.lso < 0 else state.lso
        if end is not None and state.has_valid_position:
            found[TP(*tp)] = ReadTo(state.position, end, state.timestamp)
    return found


def now_ms() -> int:
    """The clock of `ReadTo.heard_ms`, which is aiokafka's."""
    return int(1000 * time.time())
