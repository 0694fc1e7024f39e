"""Events and dead letters on their way to Ebb's topics: acknowledged by all replicas, in order per partition."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.metrics import ingest as metrics
from stream.worker.producer import start_outbox_producer

LOOK_EVERY_S = 5.0  # how long nothing is said of a Kafka that does not acknowledge
RETRY_FIRST_S, RETRY_AT_MOST_S = 0.2, 10.0
CLOSE_WITHIN_S = 1.0

log = structlog.get_logger()


class Outgoing(NamedTuple):
    """A record for one of Ebb's topics."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class AbandonedError(Exception):
    """The process is to end, and Kafka has not acknowledged: nothing is committed, and another repeats it."""


class Sender:
    """Sends chunks until Kafka has them.

    Args:
        servers: host:port of Ebb's Kafka.
        is_stopping: whether to give up rather than wait for a Kafka that is away.
    """

    def __init__(self, servers: Sequence[str], is_stopping: Callable[[], bool]) -> None:
        self._servers, self._is_stopping = servers, is_stopping
        self._producer: AIOKafkaProducer | None = None

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Return when Kafka has acknowledged all of them; on any failure all are sent again.

        Raises:
            AbandonedError: the process is to end first.
        """
        delay_s = RETRY_FIRST_S
        while True:
            try:
                await self._waited_for(asyncio.ensure_future(self._sent(records)))
            except KafkaError as error:
                metrics.RETRIES.labels("kafka").inc()
                log.warning("kafka did not take a chunk, trying again", error=repr(error), delay_s=delay_s)
                await self.close()  # a producer that has failed may have lost count of what it sent
                if self._is_stopping():
                    raise AbandonedError from error
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_AT_MOST_S)
            else:
                return

    async def close(self) -> None:
        """Close the producer, without waiting long for a broker that does not answer."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            await asyncio.wait_for(producer.stop(), CLOSE_WITHIN_S)
        except (TimeoutError, KafkaError) as error:
            log.info("the producer was left with records unsent, nothing of them is committed", error=repr(error))

    async def _sent(self, records: Sequence[Outgoing]) -> None:
        if self._producer is None:
            self._producer = await start_outbox_producer(self._servers)
        by_partition: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        for record in records:
            by_partition[record.topic, record.partition].append(record)
        waiting: list[Awaitable[Any]] = []
        for (topic, partition), of_partition in by_partition.items():
            waiting += await self._queued(self._producer, topic, partition, of_partition)
        await asyncio.gather(*waiting)

    async def _queued(
        self, producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[Awaitable[Any]]:
        """Hand over batches: a future for each record, as `send` makes, would cost more than mapping it."""
        waiting, batch = [], producer.create_batch()
        for record in records:
            given = {"timestamp": None, "key": record.key, "value": record.value, "headers": list(record.headers)}
            if batch.append(**given) is None:
                waiting.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(**given)  # the first one always fits
        waiting.append(await producer.send_batch(batch, topic, partition=partition))
        return waiting

    async def _waited_for(self, sending: "asyncio.Task[None]") -> None:
        """Wait, and say now and then that one waits: an idempotent producer tries again by itself, for ever."""
        while True:
            done, _ = await asyncio.wait([sending], timeout=LOOK_EVERY_S)
            if done:
                sending.result()
                return
            metrics.RETRIES.labels("kafka").inc()
            log.warning("kafka does not acknowledge, waiting until it does", waited_s=LOOK_EVERY_S)
            if self._is_stopping():
                sending.cancel()
                raise AbandonedError
