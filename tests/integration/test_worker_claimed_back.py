"""A partition that somebody else claims while its worker is still a member: claimed back, and read to its end."""

from pathlib import Path

import redis

from schemas.topics import PURCHASES
from stream.redis_store import keys
from tests.integration.live_events import customers_of, now_ms, publish_silence_model, purchase
from tests.integration.processes import PARTITIONS, deployed, eventually

VISITORS, ORDERS, CLAIMS = 500, 6, 4
FEW_FIT = {"EBB_CHUNK_BYTES": "20000", "EBB_QUEUE_BYTES": "20000"}  # so fetching rests whenever a chunk is applied


def test_what_was_held_when_another_claimed_the_partition_is_read_on(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    customers = customers_of(0, VISITORS, "held")
    with (
        deployed(empty_apache_kafka, redis_url, tmp_path, clock="live", settings=FEW_FIT) as shop,
        redis.Redis.from_url(redis_url) as client,
    ):
        publish_silence_model(redis_url)
        began_ms = now_ms()
        orders = [purchase(name, began_ms, f"{name}-{order}") for order in range(ORDERS) for name in customers]
        shop.send(PURCHASES, *orders)
        worker = shop.start("worker")
        for number in range(1, CLAIMS + 1):
            eventually(lambda number=number: len(worker.said("lane started")) >= PARTITIONS + number - 1)
            version = int(client.hget(keys.partition_head(0), "version") or 0)
            eventually(lambda version=version: int(client.hget(keys.partition_head(0), "version")) > version)
            taken = {"owner": "a worker that is no member", "version": 10**9 * number}
            client.hset(keys.partition_head(0), mapping=taken)
            eventually(lambda number=number: len(worker.said("another worker claimed a partition")) >= number)
        shop.wait_until_applied()
        assert len(worker.said("another worker claimed a partition")) == CLAIMS
