"""The outbox on its way to Kafka: at least once, in order, and reported back when the broker has it."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.topics import INVALID, INVALID_BYTES_MAX
from stream.drafts import unpack_outgoing
from stream.errors import MessageTooLargeError
from stream.metrics.worker import MESSAGE_LATENCY, OUTBOX_OLDEST, OUTBOX_WAITING, PUBLISH_RETRIES
from stream.worker.producer import BATCH_BYTES, is_fatal

SEND_AT_ONCE = 500  # messages in flight per partition lane; more only waits in the producer's buffer
SEND_BYTES_AT_ONCE = 16_000_000  # two of the largest dead letters
RETRY_FIRST_S, RETRY_AT_MOST_S = 0.2, 10.0
WAITING_AT_MOST = 20_000  # a lane stops taking records while this many of its messages wait for Kafka
WAITING_BYTES_AT_MOST = 64_000_000  # ... or this many bytes: dead letters may have 8 MB each

log = structlog.get_logger()

Message = tuple[int, bytes]
"""(sequence, packed message)."""


class Producer(Protocol):
    """What a publisher asks of the producer."""

    async def send(
        self, topic: str, value: bytes | None, *, key: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        """Hand over a message; what is returned ends when the broker has it, or fails."""


class Publishing(Protocol):
    """What becomes of messages once they are committed."""

    def add(self, messages: Sequence[Message], caused: Mapping[int, tuple[str, int]] | None = None, /) -> None:
        """Take messages over, in the order of their sequence."""

    def take_acknowledged(self) -> list[int]:
        """Sequences that the store may forget."""

    def give_back(self, sequences: list[int]) -> None:
        """They were not forgotten."""


class OutboxPublisher:
    """Publishes one partition's messages in the order of their sequence, and remembers which may be forgotten."""

    def __init__(self, partition: int, producer: Producer) -> None:
        self._partition, self._producer = partition, producer
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0
        self._acknowledged: list[int] = []
        self._known: dict[int, bytes] = {}  # waiting, or acknowledged and not yet handed out to be forgotten
        self._handed_out: dict[int, bytes] = {}
        self._caused: dict[int, tuple[str, int]] = {}
        self._added_s: deque[float] = deque()  # when each of those waiting was added
        OUTBOX_OLDEST.labels(partition).set_function(self.oldest_s)
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def add(self, messages: Sequence[Message], caused: Mapping[int, tuple[str, int]] | None = None) -> None:
        """Queue messages. Those that are known already are skipped: an outbox that is read again repeats them.

        Args:
            messages: in the order of their sequence.
            caused: sequence -> (topic, time of its cause in ms), of those whose way to Kafka is timed.
        """
        self._caused.update(caused or {})
        now_s = time.monotonic()
        for sequence, packed in messages:
            if self._known.get(sequence) != packed:
                self._known[sequence] = packed
                self._waiting.append((sequence, packed))
                self._added_s.append(now_s)
                self._waiting_bytes += len(packed)
        self._note()

    def oldest_s(self) -> float:
        """How long the first message has waited, in seconds; 0 when none waits."""
        return time.monotonic() - self._added_s[0] if self._added_s else 0.0

    def topics_waited_for(self, at_least_s: float) -> set[str]:
        """The topics of the messages that go together next, if the first has waited for so long."""
        waiting = self._next_chunk() if self.oldest_s() >= at_least_s else []
        return {unpack_outgoing(packed).topic for _, packed in waiting}

    def _note(self) -> None:
        OUTBOX_WAITING.labels(self._partition).set(len(self._waiting))
        (self._more.set if self._waiting else self._more.clear)()
        full = len(self._waiting) > WAITING_AT_MOST or self._waiting_bytes > WAITING_BYTES_AT_MOST
        (self._room.clear if full else self._room.set)()

    def take_acknowledged(self) -> list[int]:
        """Sequences the broker has acknowledged since the last call."""
        taken, self._acknowledged = self._acknowledged, []
        self._handed_out = {sequence: self._known.pop(sequence) for sequence in taken if sequence in self._known}
        return taken

    def give_back(self, sequences: list[int]) -> None:
        """The commit that was to forget these, the last handed out, did not happen."""
        self._acknowledged.extend(sequences)
        self._known = self._handed_out | self._known

    async def room(self) -> None:
        """Wait until few enough messages wait."""
        await self._room.wait()

    async def run(self) -> None:
        """Publish until cancelled.

        Raises:
            MessageTooLargeError: Kafka refuses one. The broker misses it in the sequence of this producer, and would
                refuse whatever came after it.
            KafkaError: this producer cannot send anything any more.
        """
        delay_s = RETRY_FIRST_S
        while True:
            await self._more.wait()
            chunk = self._next_chunk()
            try:
                await self._send(chunk)
            except MessageSizeTooLargeError as error:
                raise _too_large(chunk, self._partition) from error
            except KafkaError as error:
                if is_fatal(error):
                    raise
                PUBLISH_RETRIES.inc()
                log.warning(
                    "kafka did not take messages, trying again",
                    partition=self._partition,
                    error=repr(error),
                    delay_s=delay_s,
                )
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_AT_MOST_S)
                continue
            delay_s = RETRY_FIRST_S
            self._acknowledge(len(chunk))

    def _next_chunk(self) -> list[Message]:
        """The first messages, as many as may be in flight; one at least."""
        chunk: list[Message] = []
        size = 0
        for message in self._waiting:
            size += len(message[1])
            if chunk and (len(chunk) >= SEND_AT_ONCE or size > SEND_BYTES_AT_ONCE):
                break
            chunk.append(message)
        return chunk

    def _acknowledge(self, count: int) -> None:
        now_ms = time.time() * 1000
        for _ in range(count):
            sequence, packed = self._waiting.popleft()
            self._added_s.popleft()
            if sequence in self._caused:
                topic, caused_ms = self._caused.pop(sequence)
                MESSAGE_LATENCY.labels(topic).observe(max(now_ms - caused_ms, 0) / 1000)
            self._waiting_bytes -= len(packed)
            self._acknowledged.append(sequence)
        self._note()

    async def _send(self, chunk: Sequence[Message]) -> None:
        """Send in order and wait for all acknowledgements; on any failure the whole chunk is sent again."""
        sent: list[Awaitable[Any]] = []
        try:
            for _, packed in chunk:
                message = unpack_outgoing(packed)
                sent.append(
                    await self._producer.send(message.topic, message.value, key=message.key, headers=message.headers)
                )
        finally:
            answers = await asyncio.gather(*sent, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer


def _too_large(refused: Sequence[Message], partition: int) -> MessageTooLargeError:
    """The largest is named: Kafka says neither which it was nor how much the topic takes."""
    sequence, packed = max(refused, key=lambda message: len(message[1]))
    topic, size = unpack_outgoing(packed).topic, len(packed)
    return MessageTooLargeError(
        f"Kafka refuses messages of partition {partition} as too large. The largest is number {sequence} for topic "
        f"{topic}, with {size:,} bytes; smaller ones go together, up to {BATCH_BYTES:,} bytes. Raise the topic's "
        f"max.message.bytes, to {INVALID_BYTES_MAX:,} if it is {INVALID}, and start again: nothing is lost, they wait "
        "in the outbox."
    )
