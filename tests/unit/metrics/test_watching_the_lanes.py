"""What is looked at every few seconds: how far behind the lanes are, and the shop of this worker's partitions."""

from collections.abc import Collection, Mapping

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from schemas.topics import ENGAGEMENT, PURCHASES
from stream.errors import StoreUnavailableError
from stream.metrics import worker as metrics
from stream.ports import PartitionFigures
from stream.worker.watching import Watch, lags

HERE = TP(PURCHASES, 91)


class Ends:
    """Logs that end where they are told to, of which some are read to the end."""

    def __init__(self, ends: Mapping[TP, int], read: Collection[TP] = (), error: Exception | None = None) -> None:
        self.ends, self.read, self.error = ends, read, error

    async def log_ends(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        if self.error:
            raise self.error
        return {tp: end for tp, end in self.ends.items() if tp in partitions}

    def is_read_to_end(self, tp: TP, _next_offset: int) -> bool:
        return tp in self.read


class Shop:
    """Figures of every partition asked for; remembers until when deadlines were asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: Mapping[int, int] = {}
        self.error = error

    async def read(self, until_ms: Mapping[int, int]) -> dict[int, PartitionFigures]:
        if self.error:
            raise self.error
        self.asked = dict(until_ms)
        totals = {"customers": 5, "churn_alerts": 3, "churn_alerts_closed": 1, "value_at_risk_minor": 700}
        totals |= {"labels_opened": 9, "labels": 4}
        return {p: PartitionFigures(totals, 4, 2, 3, {"Champions": 2, "At Risk": 3}) for p in until_ms}

    async def close(self) -> None:
        """Nothing is held."""


def value(metric: str, /, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(metric, labels)


def watch(ends: Ends, shop: Shop, applied: Mapping[TP, int], *, live: bool = True) -> Watch:
    return Watch(ends, shop, lambda: applied, lambda: {tp.partition: 1_000 for tp in applied}, live=live)


async def test_lag_is_what_the_log_has_and_the_lane_has_not_applied():
    marker = TP(ENGAGEMENT, 91)  # what follows the last record is the marker of a transaction
    ends = Ends({HERE: 120, marker: 31}, read=[marker])
    assert await lags(ends, {HERE: 100, marker: 30, TP(PURCHASES, 92): 5}) == {HERE: 20, marker: 0}


async def test_a_worker_shows_the_sum_over_its_partitions():
    shop = Shop()
    await watch(Ends({HERE: 120}), shop, {HERE: 100, TP(PURCHASES, 92): 0}).look()
    assert value("ebb_lag_records", topic=PURCHASES, partition="91") == 20
    assert value("ebb_deadlines_overdue", partition="92") == 2
    assert value("ebb_segment_customers", segment="At Risk") == 6
    shown = ("customers", "open_alerts", "value_at_risk_minor", "labels_open", "customers_at_risk")
    assert [value(f"ebb_{name}") for name in shown] == [10, 4, 1_400, 10, 6]


async def test_a_worker_that_has_given_all_its_partitions_away_shows_nobody():
    await watch(Ends({}), Shop(), {HERE: 1}).look()
    await watch(Ends({}), Shop(), {}).look()
    shown = [
        value("ebb_customers"),
        *(value("ebb_segment_customers", segment=name) for name in ("Champions", "At Risk")),
    ]
    assert shown == [0, 0, 0], "the sum over workers counts them twice"


async def test_deadlines_are_overdue_by_the_wall_when_live_and_by_stream_time_in_a_replay():
    live, replay = Shop(), Shop()
    await watch(Ends({}), live, {HERE: 1}).look()
    assert value("ebb_live_clock") == 1
    await watch(Ends({}), replay, {HERE: 1}, live=False).look()
    assert value("ebb_live_clock") == 0
    assert live.asked[91] > 1_700_000_000_000
    assert replay.asked[91] == 1_000


@pytest.mark.parametrize("error", [KafkaConnectionError("away"), TimeoutError()])
async def test_a_kafka_that_is_away_leaves_the_last_lag_and_stops_nothing(error: Exception):
    shop = Shop()
    await watch(Ends({HERE: 120}), shop, {HERE: 100}).look()
    await watch(Ends({}, error=error), shop, {HERE: 100}).look()
    assert value("ebb_lag_records", topic=PURCHASES, partition="91") == 20


async def test_a_redis_that_is_away_leaves_the_last_figures_and_stops_nothing():
    await watch(Ends({}), Shop(), {HERE: 1}).look()
    read_at = value("ebb_shop_read_timestamp_seconds")
    await watch(Ends({}), Shop(StoreUnavailableError("away")), {HERE: 1}).look()
    assert value("ebb_shop_read_timestamp_seconds") == read_at
    assert value("ebb_customers") == 5
