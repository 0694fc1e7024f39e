"""Source records by consumer group: committed positions are Kafka's, and nothing is skipped in silence."""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord

from stream.errors import LogRecreatedError
from stream.ingest.plan import IngestPlan
from stream.metrics import ingest as metrics
from stream.worker.log_check import REPLACED, Reader

POLL_MS = 200  # how long a wish to stop may wait
FETCH_MAX_WAIT_MS = 100
PARTITION_FETCH_BYTES = 4_000_000  # a larger batch comes whole
MAY_WAIT_MS = 3_600_000  # a chunk may wait for Kafka or the registry: heartbeats go on meanwhile

GROUP = Reader(
    "the group has read",
    "Set the group's offsets (kafka-consumer-groups --reset-offsets), or give it another name (EBB_INGEST_GROUP) to "
    "read the topic from its beginning.",
)

log = structlog.get_logger()

Fetched = Mapping[TopicPartition, list[ConsumerRecord]]


def source_consumer(plan: IngestPlan) -> AIOKafkaConsumer:
    """A consumer that is not started yet."""
    return AIOKafkaConsumer(
        bootstrap_servers=list(plan.source_servers),
        group_id=plan.group,
        partition_assignment_strategy=[RoundRobinPartitionAssignor],
        enable_auto_commit=False,
        auto_offset_reset="none",  # where to begin is said below, and told
        isolation_level="read_committed",
        session_timeout_ms=plan.session_timeout_ms,
        heartbeat_interval_ms=plan.session_timeout_ms // 5,
        rebalance_timeout_ms=30_000,
        max_poll_interval_ms=MAY_WAIT_MS,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
    )


async def fetch(consumer: AIOKafkaConsumer, records_max: int) -> Fetched:
    """The next records, none after a short while.

    Raises:
        LogRecreatedError: a topic ends before what was committed of it.
        KafkaError: Kafka refuses for good.
    """
    try:
        fetched: Fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=records_max)
    except NoOffsetForPartitionError as error:
        await _begin(consumer, error.args[0])
    except OffsetOutOfRangeError as error:
        for tp, position in error.args[0].items():
            await _go_on_behind(consumer, tp, position)
    else:
        return fetched
    return {}


async def _begin(consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
    """Nobody of the group has read this partition: begin with its oldest record."""
    if tp in consumer.assignment():
        log.info("reading a source partition from its beginning", topic=tp.topic, partition=tp.partition)
        await consumer.seek_to_beginning(tp)


async def _go_on_behind(consumer: AIOKafkaConsumer, tp: TopicPartition, position: int) -> None:
    """Retention was quicker than the group, or the topic is another one."""
    start = (await consumer.beginning_offsets([tp]))[tp]
    if position > start:
        end = (await consumer.end_offsets([tp]))[tp]
        raise LogRecreatedError(
            f"topic {tp.topic} partition {tp.partition} ends at offset {end:,}, but {GROUP.has_read} to "
            f"{position:,}. {REPLACED} {GROUP.remedy}"
        )
    metrics.LOST.labels(tp.topic).inc(start - position)
    log.error("source records were lost to retention", topic=tp.topic, partition=tp.partition, lost=start - position)
    if tp in consumer.assignment():
        consumer.seek(tp, start)


class Handover(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types for us
    """Lets the chunk in flight end before its partitions go to another process."""

    def __init__(self, until_idle: Callable[[], Awaitable[None]]) -> None:
        self._until_idle = until_idle

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Wait for the chunk, not for ever: what is not committed, the next owner repeats."""
        await self._until_idle()

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Say so."""
        if assigned:
            places = sorted(f"{tp.topic}-{tp.partition}" for tp in assigned)
            log.info("source partitions assigned", partitions=places)
