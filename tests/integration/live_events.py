"""Events of now, and customers who live where a test wants them."""

import asyncio
import time
from typing import Any

from schemas.partition import partition_of
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import encode
from stream.signing import Keyring, seal
from tests.integration.processes import MODEL_KEYS, PARTITIONS
from tests.world import silence_document


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def purchase(customer: str, time_ms: int, event_id: str) -> dict[str, Any]:
    lines = [{"product_id": "85048", "quantity": 2, "unit_price": "12.50"}]
    event = {"type": "purchase", "event_id": event_id, "customer_id": customer, "event_time_ms": time_ms}
    return event | {"currency": "GBP", "lines": lines}


def customers_of(partition: int, count: int, name: str) -> list[str]:
    """Customers who live in one partition."""
    ids = (f"{name}-{number}" for number in range(1_000))
    return [customer for customer in ids if partition_of(customer, PARTITIONS) == partition][:count]


def publish_silence_model(redis_url: str, version: str = "v1") -> None:
    """What a learner would publish."""

    async def publish() -> None:
        store = RedisModelStore(redis_url)
        sealed = seal(encode(silence_document(version=version)), Keyring.from_text(MODEL_KEYS))
        await store.publish("churn_30d", version, sealed, 0)
        await store.close()

    asyncio.run(publish())
