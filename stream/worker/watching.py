"""What the metrics say every few seconds, whatever the load: how far behind the lanes are, and how the shop is."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from stream.customers.segments import SEGMENTS
from stream.errors import StoreUnavailableError
from stream.metrics import worker as metrics
from stream.ports import Figures, PartitionFigures

LOOK_EVERY_S = 5.0  # the usual interval at which Prometheus asks
ANSWER_WITHIN_S = 5.0

log = structlog.get_logger()


class Ends(Protocol):
    """Who knows how far the logs go."""

    async def log_ends(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        """The offset behind the last record that can be read, of each partition it is known of."""

    def is_read_to_end(self, tp: TP, next_offset: int) -> bool:
        """Whether nothing that can be read lies at or after `next_offset`."""


async def lags(ends: Ends, applied: Mapping[TP, int]) -> dict[TP, int]:
    """Records behind, per topic and partition. Offsets of transaction markers count until a fetch has passed them."""
    known = await asyncio.wait_for(ends.log_ends(list(applied)), ANSWER_WITHIN_S)
    return {tp: 0 if ends.is_read_to_end(tp, applied[tp]) else max(0, end - applied[tp]) for tp, end in known.items()}


class Watch:
    """Looks at the lanes of a worker until cancelled. What cannot be asked keeps its last value.

    Args:
        ends: of the logs.
        figures: of the partitions, from the store.
        applied: tells how far each lane has applied each of its topics.
        stream_times_ms: tells the stream time of each lane's partition.
        live: whether deadlines are times of the wall.
    """

    def __init__(
        self,
        ends: Ends,
        figures: Figures,
        applied: Callable[[], Mapping[TP, int]],
        stream_times_ms: Callable[[], Mapping[int, int]],
        *,
        live: bool,
    ) -> None:
        self._ends, self._figures, self._live = ends, figures, live
        self._applied, self._stream_times_ms = applied, stream_times_ms
        metrics.LIVE_CLOCK.set(live)

    async def run(self) -> None:
        """Look every `LOOK_EVERY_S`."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Ask Kafka and Redis once."""
        try:
            self._show_lags(await lags(self._ends, self._applied()))
        except (KafkaError, TimeoutError) as error:
            log.info("how far the lanes are behind is not known", error=repr(error))
        now_ms = int(time.time() * 1000)
        times_ms = self._stream_times_ms()
        try:
            read = await self._figures.read({p: now_ms if self._live else at for p, at in times_ms.items()})
        except StoreUnavailableError:
            return  # the lanes say so
        self._show_partitions(read)
        show_shop(list(read.values()))
        metrics.SHOP_READ.set(now_ms / 1000)

    def _show_lags(self, behind: Mapping[TP, int]) -> None:
        ours = self._applied()
        for tp, records in behind.items():
            if tp in ours:  # it may have been taken from us while we asked
                metrics.LAG.labels(tp.topic, tp.partition).set(records)

    def _show_partitions(self, read: Mapping[int, PartitionFigures]) -> None:
        ours = self._stream_times_ms()
        for partition, figures in read.items():
            if partition in ours:
                metrics.DEADLINES_WAITING.labels(partition).set(figures.deadlines_waiting)
                metrics.DEADLINES_OVERDUE.labels(partition).set(figures.deadlines_overdue)


def show_shop(partitions: Collection[PartitionFigures]) -> None:
    """The gauges of the shop: sums over the partitions of this worker."""
    totals: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for figures in partitions:
        totals.update(figures.totals)
        sizes.update(figures.segment_sizes)
    for name in SEGMENTS:  # all of them, also where no partition is left to tell
        metrics.SEGMENT_CUSTOMERS.labels(name).set(sizes[name])
    metrics.CUSTOMERS.set(totals["customers"] - totals["customers_removed"])
    metrics.CUSTOMERS_AT_RISK.set(sum(figures.customers_at_risk for figures in partitions))
    metrics.VALUE_AT_RISK.set(totals["value_at_risk_minor"])
    metrics.OPEN_ALERTS.set(totals["churn_alerts"] - totals["churn_alerts_closed"])
    metrics.LABELS_OPEN.set(totals["labels_opened"] - totals["labels"] - totals["labels_dropped"])
