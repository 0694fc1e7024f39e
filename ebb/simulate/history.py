"""The history of a simulated shop to Kafka, batch by batch.

A producer that makes an answer of each event sends some 20,000 a second; the shop makes ten times as many.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ebb.simulate.delivery import Slice
from ebb.simulate.encoding import TOPICS
from ebb.simulate.routing import partitions_of
from offline.broker import BrokerError
from offline.replay import Replayed, first_ends
from schemas.clock import ClockRecord
from schemas.topics import CLOCK, INPUT_BYTES_MAX, SOURCE_TOPICS

BATCH_BYTES = 512 * 1024

Ends = dict[tuple[str, int], int]
"""(topic, partition) -> next offset after what is acknowledged."""


def publish_history(slices: Iterable[Slice], servers: list[str], partitions: int) -> Replayed:
    """Write the days of a shop to the input topics, with clock records at every midnight.

    The records are those of `ebb.simulate.publishing.publish_paced`, partition by partition.

    Args:
        slices: of `Shop.slices`.
        servers: host:port of brokers.
        partitions: of every input topic.

    Raises:
        BrokerError: Kafka is away, or the topics are not as expected.
    """
    ends = first_ends(servers, partitions)
    try:
        return asyncio.run(_published(slices, servers, partitions, ends))
    except KafkaError as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise BrokerError(f"Kafka at {','.join(servers)}: {said}. Check EBB_KAFKA_SERVERS and that it runs.") from error


async def _published(slices: Iterable[Slice], servers: list[str], partitions: int, ends: Ends) -> Replayed:
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=False,  # a batch that is written twice is known by its event ids; one at a time keeps order
        max_batch_size=BATCH_BYTES,
        max_request_size=INPUT_BYTES_MAX,
    )
    try:
        await producer.start()
        events = midnights = 0
        for sent in slices:
            if not midnights:
                await _tell_time(producer, sent.begin_ms, partitions, ends)
            await _write_events(producer, sent, partitions, ends)
            await _tell_time(producer, sent.end_ms, partitions, ends)
            events, midnights = events + len(sent), midnights + 1
    finally:
        await producer.stop()
    return Replayed(events, (midnights + 1) * partitions if midnights else 0, midnights)


async def _write_events(producer: AIOKafkaProducer, sent: Slice, partitions: int, ends: Ends) -> None:
    """Return when Kafka has all of a day, each log in order."""
    logs = sent.topic.astype(np.int64) * partitions + partitions_of(sent, partitions)
    order = np.argsort(logs, kind="stable")
    first = np.flatnonzero(np.diff(logs[order], prepend=-1))
    written = [
        _written(producer, TOPICS[logs[rows[0]] // partitions], int(logs[rows[0]] % partitions), sent, rows.tolist())
        for rows in np.split(order, first[1:])
        if len(rows)
    ]
    ends.update(await asyncio.gather(*written))


async def _written(
    producer: AIOKafkaProducer, topic: str, partition: int, sent: Slice, rows: Sequence[int]
) -> tuple[tuple[str, int], int]:
    """Write these events to one log; where it ends then."""
    answers: list[Awaitable[Any]] = []
    batch = producer.create_batch()
    for row in rows:
        event = {"timestamp": None, "key": sent.keys[row], "value": sent.values[row]}
        if batch.append(**event) is None:
            answers.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**event)  # the first one always fits
    count = batch.record_count()
    answers.append(await producer.send_batch(batch, topic, partition=partition))
    last = (await asyncio.gather(*answers))[-1]
    return (topic, partition), last.offset + count


async def _tell_time(producer: AIOKafkaProducer, time_ms: int, partitions: int, ends: Ends) -> None:
    answers = []
    for partition in range(partitions):
        told = ClockRecord(time_ms=time_ms, ends={topic: ends[topic, partition] for topic in SOURCE_TOPICS})
        answers.append(await producer.send(CLOCK, msgspec.json.encode(told), partition=partition))
    await asyncio.gather(*answers)
