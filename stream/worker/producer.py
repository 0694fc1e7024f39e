"""The producer all lanes of a worker share: acknowledged by all replicas, idempotent where the broker can."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownError,
    UnsupportedVersionError,
)

from schemas.topics import INVALID_BYTES_MAX

BATCH_BYTES = 1_000_000  # the topic's limit for a batch; aiokafka's 16 kB held 20 labels a round trip
HEADERS_BYTES = 64 * 1024  # above the topic's own limit, which counts them otherwise
STOP_WITHIN_S = 1.0  # what is not acknowledged by then is in the outbox and will be sent by the next owner
NO_IDEMPOTENCE = (UnknownError, UnsupportedVersionError)
"""What a broker without idempotent producers answers when asked for a producer id."""

log = structlog.get_logger()


async def start_outbox_producer(servers: Sequence[str]) -> AIOKafkaProducer:
    """Start a producer: a plain one for a broker that refuses idempotence, as the embedded one does.

    Messages carry ids, by which a reader knows a repetition.

    Raises:
        KafkaError: no broker answers, or it refuses for another reason.
    """
    try:
        with _unheard("aiokafka.producer.sender"):  # it calls the refusal an unexpected error
            return await _started(servers, idempotent=True)
    except NO_IDEMPOTENCE as refusal:
        log.info("the broker has no idempotent producers, messages are sent by a plain one", answer=repr(refusal))
        return await _started(servers, idempotent=False)


async def _started(servers: Sequence[str], *, idempotent: bool) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=list(servers),
        acks="all",
        enable_idempotence=idempotent,
        linger_ms=1,
        max_batch_size=BATCH_BYTES,
        max_request_size=INVALID_BYTES_MAX + HEADERS_BYTES,
        compression_type=None,
    )
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


@contextmanager
def _unheard(name: str) -> Iterator[None]:
    """A logger that says nothing meanwhile."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Close it, without waiting long for a broker that does not answer."""
    try:
        await asyncio.wait_for(producer.stop(), STOP_WITHIN_S)
    except (TimeoutError, KafkaError) as error:
        log.info("the producer was left with messages unsent, they are in the outbox", error=repr(error))


def is_fatal(error: KafkaError) -> bool:
    """Whether a producer that failed with `error` will fail with it for ever.

    aiokafka ends its sender on these, the last under the name of the base class.
    """
    return isinstance(error, (OutOfOrderSequenceNumber, ProducerFenced, ProducerClosed)) or type(error) is KafkaError
