"""Reading views and indexes by partition, for anybody outside the worker. Nothing here writes, or decodes a view."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.partition import partition_of
from stream.customers.segments import SEGMENTS
from stream.redis_store import keys
from stream.redis_store.client import explaining, sync_client
from stream.redis_store.deployment import other_layout, read_deployment

INDEX_LAGS_BY = 0.05  # the risk index is rewritten when a customer's value has moved by this share
SAMPLED = 1000  # members asked for a segment's mean value at risk: about a millisecond of Redis a segment


@dataclass(frozen=True)
class SegmentCount:
    """Size of a segment and its mean value at risk, major units, over `sampled` members drawn at random."""

    customers: int
    sampled: int
    mean_value_at_risk: float


class StoredViews:
    """Views as stored. Holds a pool of connections and may be shared by threads.

    Raises, in every method as well:
        StoreUnavailableError: Redis does not answer.
        SettingError: no deployment on this Redis.
        LayoutError: records of another layout than `layout`.
    """

    def __init__(self, url: str, layout: str) -> None:
        self._url = url
        self._redis = sync_client(url)
        with explaining(url):
            deployment = read_deployment(self._redis, url)
        if deployment.layout != layout:
            raise other_layout(deployment.layout, layout, url)
        self._partitions = deployment.partitions

    def close(self) -> None:
        """Release the connections."""
        self._redis.close()

    def get(self, customer: str) -> bytes | None:
        """A customer's view, in one round trip; None if nothing is stored."""
        with explaining(self._url):
            stored: Any = self._redis.get(keys.view(partition_of(customer, self._partitions), customer))
        return None if stored is None else bytes(stored)

    def get_many(self, customers: Sequence[str]) -> list[bytes | None]:
        """Views in the order asked for, in one round trip: one MGET for each partition."""
        rows_of: dict[int, list[int]] = {}
        for row, customer in enumerate(customers):
            rows_of.setdefault(partition_of(customer, self._partitions), []).append(row)
        views: list[bytes | None] = [None] * len(customers)
        with explaining(self._url), self._redis.pipeline(transaction=False) as pipeline:
            for partition, rows in rows_of.items():
                pipeline.mget([keys.view(partition, customers[row]) for row in rows])
            for rows, found in zip(rows_of.values(), pipeline.execute(), strict=True):
                for row, view in zip(rows, found, strict=True):
                    views[row] = view
        return views

    def stream_time_ms(self) -> int:
        """The time every partition in use has reached, 0 before the first event."""
        with explaining(self._url), self._redis.pipeline(transaction=False) as pipeline:
            for partition in range(self._partitions):
                pipeline.hget(keys.partition_head(partition), "stream_time_ms")
            reached = [int(time_ms) for time_ms in pipeline.execute() if time_ms]
        return min((time_ms for time_ms in reached if time_ms), default=0)

    def members(self, segment: str, page_size: int) -> Iterator[tuple[list[str], int]]:
        """Pages of a segment's customers with the stream time in ms they are from, each customer once."""
        page: list[str] = []
        page_ms: list[int] = []
        for partition in range(self._partitions):
            returned: set[bytes] = set()
            for batch, time_ms in self._scan_segment(partition, segment, page_size):
                page += [member.decode() for member in batch if member not in returned]
                page_ms.append(time_ms)
                returned.update(batch)
                while len(page) >= page_size:
                    yield page[:page_size], min(page_ms)
                    page = page[page_size:]
                    page_ms = [time_ms]
        if page:
            yield page, min(page_ms)

    def _scan_segment(self, partition: int, segment: str, count: int) -> Iterator[tuple[list[bytes], int]]:
        cursor: int | None = None
        while cursor != 0:
            with explaining(self._url), self._redis.pipeline(transaction=True) as pipeline:
                pipeline.sscan(keys.segment(partition, segment), cursor or 0, count=count)
                pipeline.hget(keys.partition_head(partition), "stream_time_ms")
                (cursor, batch), time_ms = pipeline.execute()
            yield list(dict.fromkeys(batch)), int(time_ms or 0)

    def riskiest(self, n: int) -> list[str]:
        """Customers among whom the `n` with the most value at risk are, though the index lags behind the views."""
        with explaining(self._url), self._redis.pipeline(transaction=False) as pipeline:
            for partition in range(self._partitions):
                pipeline.zrevrange(keys.risk(partition), 0, n - 1, withscores=True)
            best = sorted((score for top in pipeline.execute() for _, score in top), reverse=True)[:n]
            least = best[-1] * (1 - INDEX_LAGS_BY) / (1 + INDEX_LAGS_BY) if best else 0
            for partition in range(self._partitions):
                pipeline.zrevrangebyscore(keys.risk(partition), "+inf", least, start=0, num=4 * n + 100)
            return [customer.decode() for candidates in pipeline.execute() for customer in candidates]

    def segments(self) -> dict[str, SegmentCount]:
        """Size and mean value at risk of every segment, in two round trips whatever their size."""
        cells = [(name, partition) for name in SEGMENTS for partition in range(self._partitions)]
        sampled_at_most = max(1, SAMPLED // self._partitions)
        with explaining(self._url), self._redis.pipeline(transaction=False) as pipeline:
            for name, partition in cells:
                pipeline.scard(keys.segment(partition, name))
                pipeline.srandmember(keys.segment(partition, name), sampled_at_most)
            answers = pipeline.execute()
            sizes, samples = answers[::2], answers[1::2]
            for (_, partition), sample in zip(cells, samples, strict=True):
                pipeline.zmscore(keys.risk(partition), sample or [b""])
            risks = pipeline.execute()
        counts = [_count(size, len(sample), drawn) for size, sample, drawn in zip(sizes, samples, risks, strict=True)]
        width = self._partitions
        return {name: _sum(counts[at * width : (at + 1) * width]) for at, name in enumerate(SEGMENTS)}


def _count(size: int, sampled: int, risks: Sequence[float | None]) -> SegmentCount:
    return SegmentCount(size, sampled, sum(risk or 0.0 for risk in risks) / max(sampled, 1))


def _sum(partitions: Sequence[SegmentCount]) -> SegmentCount:
    """A segment over its partitions, each weighted by its size."""
    customers = sum(part.customers for part in partitions)
    total = sum(part.mean_value_at_risk * part.customers for part in partitions)
    return SegmentCount(customers, sum(part.sampled for part in partitions), total / max(customers, 1))
