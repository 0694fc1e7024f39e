"""The outbox on its way to Kafka: at least once, in order, and reported back when the broker has it."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import INVALID_BYTES_MAX
from stream.drafts import unpack_outgoing
from stream.metrics.worker import OUTBOX_WAITING, PUBLISH_RETRIES

SEND_AT_ONCE = 500  # messages in flight per partition lane; more only waits in the producer's buffer
RETRY_FIRST_S, RETRY_AT_MOST_S = 0.2, 10.0
BATCH_BYTES = 1_000_000  # the topic's limit for a batch; aiokafka's 16 kB held 20 labels a round trip
WAITING_AT_MOST = 20_000  # a lane stops taking records while this many of its messages wait for Kafka

log = structlog.get_logger()


class OutboxPublisher:
    """Publishes one partition's messages in the order of their sequence, and remembers which may be forgotten."""

    def __init__(self, partition: int, producer: AIOKafkaProducer) -> None:
        self._partition, self._producer = partition, producer
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._acknowledged: list[int] = []
        self._last = 0
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def add(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Queue messages; those queued before are skipped."""
        new = [message for message in messages if message[0] > self._last]
        if new:
            self._last = new[-1][0]
            self._waiting.extend(new)
            self._note()

    def _note(self) -> None:
        OUTBOX_WAITING.labels(self._partition).set(len(self._waiting))
        (self._more.set if self._waiting else self._more.clear)()
        (self._room.clear if len(self._waiting) > WAITING_AT_MOST else self._room.set)()

    def take_acknowledged(self) -> list[int]:
        """Sequences the broker has acknowledged since the last call."""
        taken, self._acknowledged = self._acknowledged, []
        return taken

    def give_back(self, sequences: list[int]) -> None:
        """The commit that was to forget these did not happen."""
        self._acknowledged.extend(sequences)

    async def room(self) -> None:
        """Wait until few enough messages wait."""
        await self._room.wait()

    async def run(self) -> None:
        """Publish until cancelled."""
        delay_s = RETRY_FIRST_S
        while True:
            await self._more.wait()
            chunk = [self._waiting[at] for at in range(min(SEND_AT_ONCE, len(self._waiting)))]
            try:
                await self._send(chunk)
            except KafkaError as error:
                PUBLISH_RETRIES.inc()
                log.warning("kafka did not take messages, trying again", partition=self._partition, error=repr(error), delay_s=delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_AT_MOST_S)
                continue
            delay_s = RETRY_FIRST_S
            for sequence, _ in chunk:
                self._waiting.popleft()
                self._acknowledged.append(sequence)
            self._note()

    async def _send(self, chunk: list[tuple[int, bytes]]) -> None:
        """Send in order and wait for all acknowledgements; on any failure the whole chunk is sent again."""
        sent = []
        for _, packed in chunk:
            message = unpack_outgoing(packed)
            sent.append(
                await self._producer.send(message.topic, message.value, key=message.key, headers=message.headers)
            )
        await asyncio.gather(*sent)


def outbox_producer(servers: Sequence[str], *, idempotent: bool) -> AIOKafkaProducer:
    """The producer all lanes of a worker share. The embedded broker cannot do idempotence; Apache Kafka can."""
    return AIOKafkaProducer(
        bootstrap_servers=list(servers),
        acks="all",
        enable_idempotence=idempotent,
        linger_ms=1,
        max_batch_size=BATCH_BYTES,
        max_request_size=INVALID_BYTES_MAX + 64 * 1024,
        compression_type=None,
    )
