"""A consumer that looks at a log ends by itself when its broker goes away, and not whoever looks with it."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from ebb.services.embedded_broker import EmbeddedBroker
from ebb.topic_admin import create_topics
from schemas.topics import PURCHASES
from stream.worker.taking_leave import stop_consumer

AN_HOUR_MS = 3_600_000  # so long does a fetch that has failed wait before it ends
PATIENCE_S = 30.0


async def left_alone(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> AIOKafkaConsumer:
    """A consumer whose broker has gone while it fetched."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.address,
        enable_auto_commit=False,
        auto_offset_reset="none",
        retry_backoff_ms=AN_HOUR_MS,
    )
    await consumer.start()
    consumer.assign([TopicPartition(PURCHASES, 0)])
    consumer.seek(TopicPartition(PURCHASES, 0), 0)
    assert await consumer.getmany(timeout_ms=0) == {}
    broker.kill()
    async with asyncio.timeout(PATIENCE_S):
        while "Failed fetch messages" not in caplog.text:
            await consumer.getmany(timeout_ms=10)
    return consumer


@pytest.fixture
def broker(tmp_path: Path, pytestconfig: pytest.Config) -> EmbeddedBroker:
    service = EmbeddedBroker(tmp_path, binaries=pytestconfig.rootpath / ".ebb" / "bin")
    service.start()
    service.wait_until_ready()
    create_topics([service.address], 1)
    return service


def test_nobody_is_cancelled_by_a_fetch_that_is(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    async def leave() -> AIOKafkaConsumer:
        consumer = await left_alone(broker, caplog)
        await stop_consumer(consumer)
        return consumer

    consumer = asyncio.run(leave())
    assert not any(connection.connected() for connection in consumer._client._conns.values())


def test_aiokafka_itself_lets_the_cancellation_through(
    broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """Once it does not, `stop_consumer` is needed no more."""

    async def leave() -> None:
        consumer = await left_alone(broker, caplog)
        with pytest.raises(asyncio.CancelledError):
            await consumer.stop()
        await consumer._client.close()

    asyncio.run(leave())
