"""Both implementations of the ports, for laws that are written once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from stream.memory_store import MemoryModelStore, MemoryPartitionStore, StoredPartition
from stream.ports import ModelStore, PartitionStore
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore


@dataclass
class MemoryStores:
    stored: list[StoredPartition] = field(default_factory=lambda: [StoredPartition() for _ in range(4)])
    registry: MemoryModelStore = field(default_factory=MemoryModelStore)

    def partition(self, number: int) -> PartitionStore:
        return MemoryPartitionStore(self.stored[number], self.stored)

    def models(self) -> ModelStore:
        return self.registry

    async def close(self) -> None:
        pass


@dataclass
class RedisStores:
    url: str
    opened: list[RedisPartitionStore | RedisModelStore] = field(default_factory=list)

    def partition(self, number: int) -> PartitionStore:
        self.opened.append(RedisPartitionStore(self.url, number))
        return self.opened[-1]

    def models(self) -> ModelStore:
        self.opened.append(RedisModelStore(self.url))
        return self.opened[-1]

    async def close(self) -> None:
        for store in self.opened:
            await store.close()


@pytest.fixture(params=["memory", "redis", "redis-cluster"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[MemoryStores | RedisStores]:
    """Makes any number of handles on the same stored data."""
    made = {
        "memory": MemoryStores,
        "redis": lambda: RedisStores(request.getfixturevalue("redis_url")),
        "redis-cluster": lambda: RedisStores(request.getfixturevalue("empty_redis_cluster").url),
    }[request.param]()
    yield made
    await made.close()


@pytest.fixture
def store(stores: MemoryStores | RedisStores) -> PartitionStore:
    return stores.partition(3)


@pytest.fixture
def models(stores: MemoryStores | RedisStores) -> ModelStore:
    return stores.models()
