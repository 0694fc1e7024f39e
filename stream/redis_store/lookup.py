"""Questions about views and indexes, for anybody outside the worker. Nothing here does I/O or decodes a view."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.partition import partition_of
from stream.customers.segments import SEGMENTS
from stream.outcomes.declaration import Outcome
from stream.ports import RISK_INDEX_WITHIN
from stream.redis_store import keys
from stream.redis_store.asking import Command, Question, RoundTrip
from stream.redis_store.client import SlotOnItsWayError
from stream.redis_store.deployment import deployment_of, other_layout

EVERYBODY = 2**32  # customers: as many as one sorted set may have
ALIKE = 10_000  # whose value at risk the index does not tell apart, asked for at most: some ten milliseconds of Redis
SAMPLED = 1000  # members asked for a segment's mean value at risk: about a millisecond of Redis a segment


@dataclass(frozen=True)
class SegmentCount:
    """Size of a segment and its mean value at risk, major units, over `sampled` members drawn at random."""

    customers: int
    sampled: int
    mean_value_at_risk: float


def stored_views(url: str, layout: str) -> "Question[StoredViews]":
    """What is asked before anything else: whose Redis this is.

    Raises:
        SettingError: no deployment on this Redis.
        LayoutError: records of another layout than `layout`.
    """
    [fields] = yield RoundTrip([("HGETALL", keys.META)])
    deployment = deployment_of(fields, url)
    if deployment.layout != layout:
        raise other_layout(deployment.layout, layout, url)
    return StoredViews(deployment.partitions, deployment.outcomes)


class StoredViews:
    """The questions about a deployment of so many partitions; each names its round trips.

    `outcomes` are those that its workers ask, as the latest to start has declared them.
    """

    def __init__(self, partitions: int, outcomes: Sequence[Outcome]) -> None:
        self._partitions, self.outcomes = partitions, outcomes

    def get(self, customer: str) -> Question[bytes | None]:
        """A customer's view, in one round trip; None if nothing is stored."""
        [stored] = yield RoundTrip([("GET", keys.view(partition_of(customer, self._partitions), customer))])
        return None if stored is None else bytes(stored)

    def with_state(self, customer: str) -> Question[tuple[bytes | None, bytes | None]]:
        """A customer's view and record, of one commit; None each if nothing is stored.

        While their slot is on its way within a cluster, a commit may lie between the two.
        """
        partition = partition_of(customer, self._partitions)
        names = keys.view(partition, customer), keys.state(partition, customer)
        try:
            [found] = yield RoundTrip([("MGET", *names)])
        except SlotOnItsWayError:
            found = yield RoundTrip([("GET", name) for name in names])
        view, state = found
        return view, state

    def model(self, name: str, version: str) -> Question[bytes | None]:
        """A sealed model document; None if it is not kept any more."""
        [sealed] = yield RoundTrip([("GET", keys.model(name, version))])
        return None if sealed is None else bytes(sealed)

    def champion(self, name: str) -> Question[str | None]:
        """The version of a model that is in force; None before the first."""
        [version] = yield RoundTrip([("HGET", keys.model_champion(name), "version")])
        return None if version is None else str(version.decode())

    def get_many(self, customers: Sequence[str]) -> Question[list[bytes | None]]:
        """Views in the order asked for, in one round trip: one MGET for each partition.

        While the slot of one is on its way within a cluster, they are asked for one by one.
        """
        views: list[bytes | None] = [None] * len(customers)
        rows_of: dict[int, list[int]] = {}
        for row, customer in enumerate(customers):
            rows_of.setdefault(partition_of(customer, self._partitions), []).append(row)
        if not rows_of:
            return views
        names = [[keys.view(partition, customers[row]) for row in rows] for partition, rows in rows_of.items()]
        try:
            answers = yield RoundTrip([("MGET", *together) for together in names])
        except SlotOnItsWayError:
            singly = yield RoundTrip([("GET", name) for together in names for name in together])
            left = iter(singly)
            answers = [[next(left) for _ in together] for together in names]
        for rows, found in zip(rows_of.values(), answers, strict=True):
            for row, view in zip(rows, found, strict=True):
                views[row] = view
        return views

    def riskiest(self, n: int) -> Question[tuple[list[str], int]]:
        """Customers among whom the `n` with the most value at risk are, though the index lags behind the views.

        And the stream time in ms they are from at least. In two round trips. Where more than `ALIKE` customers are
        within 10 % of the last of the `n`, others of these may be among them.
        """
        n = min(n, EVERYBODY)  # Redis takes no number of more than 64 bits
        tops: list[Command] = [("ZREVRANGE", keys.risk(p), 0, n - 1, "WITHSCORES") for p in range(self._partitions)]
        answers = yield RoundTrip([*self._stream_times(), *tops])
        times, found = answers[: self._partitions], answers[self._partitions :]
        best = sorted((float(score) for top in found for score in top[1::2]), reverse=True)[:n]
        least = best[-1] * (1 - RISK_INDEX_WITHIN) / (1 + RISK_INDEX_WITHIN) if best else 0
        at_most = max(4 * n + 100, ALIKE // self._partitions)
        candidates = yield RoundTrip(
            [
                ("ZREVRANGEBYSCORE", keys.risk(partition), "+inf", least, "LIMIT", 0, at_most)
                for partition in range(self._partitions)
            ]
        )
        return [customer.decode() for of_partition in candidates for customer in of_partition], _reached_ms(times)

    def segments(self) -> Question[tuple[dict[str, SegmentCount], int]]:
        """Size and mean value at risk of every segment, in two round trips whatever their size; the stream time."""
        cells = [(name, partition) for name in SEGMENTS for partition in range(self._partitions)]
        sampled_at_most = max(1, SAMPLED // self._partitions)
        sizes: list[Command] = [("SCARD", keys.segment(partition, name)) for name, partition in cells]
        draws: list[Command] = [("SRANDMEMBER", sizes_of[1], sampled_at_most) for sizes_of in sizes]
        answers = yield RoundTrip([*self._stream_times(), *sizes, *draws])
        times, counted = answers[: self._partitions], answers[self._partitions :]
        customers, samples = counted[: len(cells)], counted[len(cells) :]
        risks = yield RoundTrip(
            [
                ("ZMSCORE", keys.risk(partition), *(sample or [b""]))
                for (_, partition), sample in zip(cells, samples, strict=True)
            ]
        )
        of_cells = [_count(*cell) for cell in zip(customers, map(len, samples), risks, strict=True)]
        width = self._partitions
        counts = {name: _sum(of_cells[at * width : (at + 1) * width]) for at, name in enumerate(SEGMENTS)}
        return counts, _reached_ms(times)

    def members(self, segment: str, page_size: int) -> "Members":
        """A walk over a segment's customers."""
        return Members(self._partitions, segment, page_size)

    def _stream_times(self) -> list[Command]:
        return [("HGET", keys.partition_head(partition), "stream_time_ms") for partition in range(self._partitions)]


class Members:
    """A segment's customers page by page, each once."""

    def __init__(self, partitions: int, segment: str, page_size: int) -> None:
        self._partitions, self._segment, self._page_size = partitions, segment, page_size
        self._partition, self._cursor = 0, 0
        self._returned: set[bytes] = set()
        self._page: list[str] = []
        self._page_ms: list[int] = []

    def next_page(self) -> Question[tuple[list[str], int] | None]:
        """The next customers with the stream time in ms they are from; None after the last."""
        while len(self._page) < self._page_size and self._partition < self._partitions:
            yield from self._scan()
        if not self._page:
            return None
        page, self._page = self._page[: self._page_size], self._page[self._page_size :]
        from_ms, self._page_ms = min(self._page_ms), self._page_ms[-1:]
        return page, from_ms

    def _scan(self) -> Question[None]:
        key = keys.segment(self._partition, self._segment)
        time: Command = ("HGET", keys.partition_head(self._partition), "stream_time_ms")
        scan: Command = ("SSCAN", key, self._cursor, "COUNT", min(self._page_size, EVERYBODY))
        time_ms, (self._cursor, batch) = yield RoundTrip([time, scan], atomic=True)
        self._page += [member.decode() for member in dict.fromkeys(batch) if member not in self._returned]
        self._page_ms.append(int(time_ms or 0))
        self._returned.update(batch)
        if self._cursor == 0:
            self._partition += 1
            self._returned = set()


def _reached_ms(times: Sequence[bytes | None]) -> int:
    """The time every partition in use has reached, 0 before the first event."""
    return min((int(time_ms) for time_ms in times if time_ms and int(time_ms)), default=0)


def _count(size: int, sampled: int, risks: Sequence[float | None]) -> SegmentCount:
    return SegmentCount(size, sampled, sum(risk or 0.0 for risk in risks) / max(sampled, 1))


def _sum(partitions: Sequence[SegmentCount]) -> SegmentCount:
    """A segment over its partitions, each weighted by its size."""
    customers = sum(part.customers for part in partitions)
    total = sum(part.mean_value_at_risk * part.customers for part in partitions)
    return SegmentCount(customers, sum(part.sampled for part in partitions), total / max(customers, 1))
