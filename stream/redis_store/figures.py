"""Figures of partitions for the metrics: counts that Redis keeps anyway, in one round trip, never a customer."""

from collections.abc import Mapping
from typing import Any

from stream.customers.segments import SEGMENTS
from stream.ports import PartitionFigures
from stream.redis_store import keys
from stream.redis_store.client import async_client, explaining


class RedisFigures:
    """`Figures` on Redis. Sizes of sets and counts by score only: some microseconds of Redis a partition."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = async_client(url)

    async def read(self, until_ms: Mapping[int, int]) -> dict[int, PartitionFigures]:
        """Figures of the partitions in `until_ms`."""
        with explaining(self._url):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for partition, time_ms in until_ms.items():
                    pipeline.hgetall(keys.shop(partition))
                    pipeline.zcard(keys.due(partition))
                    pipeline.zcount(keys.due(partition), "-inf", time_ms)
                    pipeline.zcard(keys.risk(partition))
                    for name in SEGMENTS:
                        pipeline.scard(keys.segment(partition, name))
                answers: list[Any] = await pipeline.execute()
        width = 4 + len(SEGMENTS)
        return {partition: _figures(*answers[at * width : (at + 1) * width]) for at, partition in enumerate(until_ms)}

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()


def _figures(totals: dict[bytes, bytes], waiting: int, overdue: int, at_risk: int, *sizes: int) -> PartitionFigures:
    return PartitionFigures(
        totals={name.decode(): int(value) for name, value in totals.items()},
        deadlines_waiting=waiting,
        deadlines_overdue=overdue,
        customers_at_risk=at_risk,
        segment_sizes=dict(zip(SEGMENTS, sizes, strict=True)),
    )
