"""Drift on its way out: as metrics when a week has ended, and what is news on `ebb.drift`."""

from collections.abc import Iterable, Sequence

import msgspec
from aiokafka.errors import KafkaError

from schemas.messages import DriftNoticed
from schemas.topics import DRIFT
from stream.drafts import message_id
from stream.errors import BrokerUnavailableError
from stream.learning.drift_watch import WEEK_MS, Measured
from stream.metrics import learner as metrics
from stream.worker.producer import start_outbox_producer, stop_producer


def show_drift(measured: Iterable[Measured]) -> None:
    """Set the gauges to what was measured."""
    for each in measured:
        metrics.DRIFT.labels(each.measure, each.subject).set(each.value)
        metrics.DRIFT_LIMIT.labels(each.measure, each.subject).set(each.limit)


def news(measured: Iterable[Measured]) -> list[DriftNoticed]:
    """What is to be said of what was measured."""
    return [_said(each) for each in measured if each.is_news]


async def say(servers: Sequence[str], messages: Sequence[DriftNoticed]) -> None:
    """Write messages and wait until Kafka has them; said before learners are saved, each comes at least once.

    Raises:
        BrokerUnavailableError: Kafka does not take them.
    """
    try:
        producer = await start_outbox_producer(servers)
        try:
            for message in messages:
                await producer.send_and_wait(DRIFT, msgspec.json.encode(message), key=message.subject.encode())
                metrics.DRIFT_NOTICED.labels(message.measure).inc()
        finally:
            await stop_producer(producer)
    except KafkaError as error:
        at = ",".join(servers)
        raise BrokerUnavailableError(f"Kafka at {at} does not take a message for {DRIFT}: {error!r}") from error


def _said(moved: Measured) -> DriftNoticed:
    return DriftNoticed(
        message_id=message_id("drift", moved.measure, moved.subject, moved.week),
        subject=moved.subject,
        measure=moved.measure,
        value=moved.value,
        limit=moved.limit,
        noticed_ms=(moved.week + 1) * WEEK_MS,
    )
