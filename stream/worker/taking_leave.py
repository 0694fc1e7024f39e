"""How a consumer of our own ends, also beside a broker that is gone."""

import asyncio

from aiokafka import AIOKafkaConsumer


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop it. A fetch that has failed and waits to fail again lets its own cancellation through aiokafka's `stop`: who
    waited for that would end as if it had been cancelled itself, unnoticed, and the client would stay connected.

    Raises:
        KafkaError: what `stop` says.
        CancelledError: whoever waits for this was cancelled.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        await asyncio.wait([stopping])
    finally:
        stopping.cancel()  # where it has not ended, we were cancelled
    if stopping.cancelled():
        await consumer._client.close()
        return
    stopping.result()
