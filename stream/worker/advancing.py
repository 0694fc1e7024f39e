"""A partition that was made again goes on at an offset: every (topic, partition, offset) stays the name of one record.

Kafka gives offsets to records alone, so records without anything in them take those that are to be passed over. Their
batches have thousands and weigh next to nothing; what deletes them before anybody reads is the caller's.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import PASSED_OVER
from stream.errors import BrokerUnavailableError, EbbError
from stream.worker.taking_leave import stop_consumer

FILLERS_AT_ONCE = 100_000  # of a batch: some 27 ms to make; with zstd 25 kB, which every topic of Ebb's takes
REQUEST_BYTES_MAX = 32 * FILLERS_AT_ONCE
POLL_MS = 500
SILENT_AT_MOST_S = 30.0


class WrittenMeanwhileError(EbbError):
    """Somebody has written to a partition before it was made ready."""


async def advance(servers: Sequence[str], topic: str, ends: Mapping[int, int]) -> None:
    """Let partitions that hold nothing of anybody's end at given offsets, or behind them where they do already.

    Interrupted, it goes on where it was.

    Args:
        servers: host:port of brokers.
        topic: which.
        ends: partition -> offset.

    Raises:
        WrittenMeanwhileError: there is a record of somebody else's before that offset.
        BrokerUnavailableError: Kafka is away or refuses.
    """
    try:
        reached = await _reached(servers, topic, ends)
        async with _producer(servers) as producer:
            await asyncio.gather(*(_fill(producer, tp, at, ends[tp.partition]) for tp, at in reached.items()))
    except KafkaError as error:
        raise BrokerUnavailableError(
            f"Kafka at {','.join(servers)} did not let topic {topic} go on at its offsets: {error or repr(error)}. "
            "Run the same command again."
        ) from error


async def _reached(servers: Sequence[str], topic: str, ends: Mapping[int, int]) -> dict[TopicPartition, int]:
    """Where each partition ends, once it is sure that there are fillers alone before the offset it is to end at."""
    consumer = AIOKafkaConsumer(bootstrap_servers=list(servers), enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in ends]
        begin = await consumer.beginning_offsets(places)
        reached: dict[TopicPartition, int] = await consumer.end_offsets(places)
        for tp in places:
            await _refuse_records(consumer, tp, begin[tp], min(reached[tp], ends[tp.partition]))
        return reached
    finally:
        await stop_consumer(consumer)


async def _refuse_records(consumer: AIOKafkaConsumer, tp: TopicPartition, begin: int, end: int) -> None:
    if begin >= end:
        return
    consumer.assign([tp])
    consumer.seek(tp, begin)
    position, silent_s = begin, 0.0
    while position < end:
        records = await consumer.getmany(tp, timeout_ms=POLL_MS)
        for record in records.get(tp, ()):
            if record.offset < end and record.key != PASSED_OVER:
                raise _written_meanwhile(tp, record.offset)
        silent_s = 0.0 if (at := await consumer.position(tp)) > position else silent_s + POLL_MS / 1000
        position = at
        if silent_s > SILENT_AT_MOST_S:
            raise BrokerUnavailableError(f"Kafka sent nothing of {tp.topic} partition {tp.partition} from {position}.")


async def _fill(producer: AIOKafkaProducer, tp: TopicPartition, position: int, end: int) -> None:
    while position < end:
        batch = producer.create_batch()
        count = min(FILLERS_AT_ONCE, end - position)
        for _ in range(count):
            batch.append(key=PASSED_OVER, value=None, timestamp=None)
        batch.close()
        written = await (await producer.send_batch(batch, tp.topic, partition=tp.partition))
        if written.offset != position:
            raise _written_meanwhile(tp, position)
        position += count


def _written_meanwhile(tp: TopicPartition, offset: int) -> WrittenMeanwhileError:
    return WrittenMeanwhileError(
        f"Somebody has written to topic {tp.topic} partition {tp.partition} at offset {offset:,} before it was made "
        "ready: a producer was not stopped. Stop it, keep what that topic has got since if it matters, delete the "
        f"topic (kafka-topics --delete --topic {tp.topic}) and run the same command again."
    )


@asynccontextmanager
async def _producer(servers: Sequence[str]) -> AsyncIterator[AIOKafkaProducer]:
    """Idempotent: a repeated request takes no offsets twice."""
    producer = AIOKafkaProducer(
        bootstrap_servers=list(servers),
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=REQUEST_BYTES_MAX,
        max_request_size=2 * REQUEST_BYTES_MAX,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
