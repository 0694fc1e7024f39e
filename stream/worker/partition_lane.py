"""A lane with everything that belongs to its partition: claimed, started and stopped together."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from faust.types import TP

from schemas.decode_many import decode_many
from schemas.topics import INPUT_TOPICS
from stream.bugs import Decode, rejecting_bugs
from stream.columns.events import ReadColumns, columns_by
from stream.metrics import worker as metrics
from stream.ports import Head, PartitionStore
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.background import Background
from stream.worker.inbox import Inbox
from stream.worker.lane import Lane
from stream.worker.model_watch import ModelWatch
from stream.worker.plan import WorkerPlan
from stream.worker.publisher import OutboxPublisher, Producer
from stream.worker.quarantine import Quarantine, StopAtBug
from stream.worker.reading import leaving_bugs
from stream.worker.retrying import retrying
from stream.worker.timing import LiveTiming, ReplayTiming, Timing
from stream.worker.transport import ChunkConsumer
from stream.worker.turns import Turns

CANCEL_AGAIN_S = 0.2

log = structlog.get_logger()

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


@dataclass(frozen=True)
class Claimed:
    """A partition that is ours: its store, and where that stood when it was claimed."""

    partition: int
    store: PartitionStore
    head: Head


@dataclass(frozen=True)
class Shared:
    """What all lanes of a process have in common; `run` wraps the own run of each."""

    plan: WorkerPlan
    consumer: ChunkConsumer
    producer: Producer
    models: ModelWatch
    background: Background
    turns: Turns
    spawn: Spawn
    run: Callable[["PartitionLane"], Coroutine[Any, Any, None]]


@dataclass
class PartitionLane:
    """The running parts of one partition."""

    claimed: Claimed
    applying: Applying
    publisher: OutboxPublisher
    lane: Lane
    positions: Mapping[TP, int]
    spawn: Spawn
    run: Callable[["PartitionLane"], Coroutine[Any, Any, None]]
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def load(self) -> None:
        """Read what the store has of event ids and of messages to publish."""
        await retrying(lambda: self.applying.load(self.claimed.head))

    def start(self) -> None:
        """Publish and apply."""
        partition, head = self.claimed.partition, self.claimed.head
        log.info("lane started", partition=partition, stream_time_ms=head.stream_time_ms, version=head.version)
        self.tasks = [self.spawn(self.publisher.run()), self.spawn(self.run(self))]

    async def stop(self) -> None:
        """Let the chunk in flight end, then end everything."""
        if self.tasks:
            await self.lane.stop()
        await cancelled(self.tasks)
        await self.close()
        metrics.end_partition(self.claimed.partition)

    async def close(self) -> None:
        """Close the connection to Redis."""
        await self.claimed.store.close()


async def claim(plan: WorkerPlan, partition: int) -> Claimed:
    """Make the partition ours, however long Redis takes."""
    store = plan.store_of(partition)
    try:
        return Claimed(partition, store, await retrying(lambda: store.claim(plan.owner)))
    except BaseException:
        await store.close()
        raise


def partition_lane(shared: Shared, claimed: Claimed, log_starts: Mapping[TP, int]) -> PartitionLane:
    """Put a partition's lane together; it goes on where Redis is, or where the logs begin."""
    plan, head = shared.plan, claimed.head
    starts = in_order(log_starts)
    metrics.begin_partition(claimed.partition, sweeping=bool(head.sweep.cursor))
    publisher = OutboxPublisher(claimed.partition, shared.producer)
    assembly = Assembly(claimed.partition, plan.partitions, plan.rules, lockstep=plan.lockstep, live=plan.live)
    applying = Applying(
        claimed.partition,
        plan.owner,
        claimed.store,
        publisher,
        assembly,
        plan.due_at_once,
        starts,
        resident_bytes=plan.resident_bytes,
    )
    positions = {TP(topic, claimed.partition): applying.resume_offset(head, topic) for topic in starts}
    inbox = Inbox(
        {tp.topic: offset for tp, offset in positions.items()},
        _decode(plan),
        plan.limits.chunk_customers,
        _columns(plan),
    )
    for topic in inbox.topics:
        metrics.QUEUED_BYTES.labels(topic, claimed.partition).set_function(partial(inbox.queued_bytes, topic))
    lane = Lane(
        partition=claimed.partition,
        inbox=inbox,
        fetching=shared.consumer,
        publisher=publisher,
        applying=applying,
        models=shared.models,
        timing=_timing(shared, claimed),
        limits=plan.limits,
        background=shared.background,
        turns=shared.turns,
        on_bug=Quarantine(claimed.partition) if plan.quarantines else StopAtBug(),
    )
    lane.show_time(head.stream_time_ms)
    return PartitionLane(claimed, applying, publisher, lane, positions, shared.spawn, shared.run)


def _decode(plan: WorkerPlan) -> Decode:
    """Makes events of values."""

    def decode(topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> Sequence[Any]:
        return decode_many(topic, values, timestamps_ms, plan.decoding)

    return rejecting_bugs(decode) if plan.quarantines else decode


def _columns(plan: WorkerPlan) -> ReadColumns:
    """Reads values as columns."""
    read = columns_by(plan.decoding, plan.rules.vocabulary)
    return leaving_bugs(read) if plan.quarantines else read


def in_order(log_starts: Mapping[TP, int]) -> dict[str, int]:
    """The first offset of each topic, in the order in which records of equal times take effect.

    A set of partitions has an order of its own in each process.

    >>> list(in_order({TP("events.engagement", 0): 7, TP("events.purchases", 0): 4}))
    ['events.purchases', 'events.engagement']
    """
    of_topic = {tp.topic: first for tp, first in log_starts.items()}
    return {topic: of_topic[topic] for topic in INPUT_TOPICS if topic in of_topic}


def _timing(shared: Shared, claimed: Claimed) -> Timing:
    head, limits = claimed.head, shared.plan.limits
    if not shared.plan.live:
        return ReplayTiming(head.stream_time_ms, limits)
    wall_ms = shared.plan.wall_ms
    return LiveTiming(head.stream_time_ms, head.heard, limits, claimed.partition, shared.consumer, wall_ms)


async def cancelled(tasks: list["asyncio.Task[None]"]) -> None:
    """Cancel until they have ended: a cancellation that arrives while a client reconnects can be lost."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
    tasks.clear()
