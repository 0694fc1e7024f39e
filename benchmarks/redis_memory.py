"""Where a Redis's memory goes, by family of keys: what stands before the first colon."""

from collections import defaultdict
from random import Random

import redis

SAMPLED = 300  # keys of a family that are weighed; families of a few large keys are weighed whole
SCAN_COUNT = 5_000


def bytes_per_customer(redis_url: str, customers: int, seed: int = 0) -> dict[str, float]:
    """Bytes per customer of each family, keys and allocation included, and of everything Redis holds.

    Args:
        redis_url: nobody else uses it.
        customers: to divide by.
        seed: draws the keys that are weighed.
    """
    with redis.Redis.from_url(redis_url) as client:
        families: dict[str, list[bytes]] = defaultdict(list)
        for key in client.scan_iter(count=SCAN_COUNT):
            families[key.split(b":", 1)[0].decode()].append(key)
        weighed = {name: _weight(client, keys, Random(seed)) / customers for name, keys in families.items()}
        memory = client.info("memory")
        used = (memory["used_memory"] - memory["used_memory_startup"]) / customers
    return {name: round(size, 1) for name, size in sorted(weighed.items(), key=lambda item: -item[1])} | {
        "all_of_redis": round(used, 1)
    }


def _weight(client: redis.Redis, keys: list[bytes], random: Random) -> float:
    sample = random.sample(keys, min(SAMPLED, len(keys)))
    with client.pipeline(transaction=False) as pipeline:
        for key in sample:
            pipeline.memory_usage(key, samples=0)
        sizes = [size or 0 for size in pipeline.execute()]
    return sum(sizes) / len(sample) * len(keys)
