"""The figures of the metrics are what Redis keeps."""

from schemas.topics import PURCHASES
from stream.ports import Commit, LogPosition
from stream.redis_store.figures import RedisFigures
from stream.redis_store.partition import RedisPartitionStore


async def test_figures_are_read_of_the_partitions_asked_for(redis_url: str) -> None:
    for partition, customers in ((0, 7), (1, 3), (2, 5)):
        store = RedisPartitionStore(redis_url, partition)
        names = [f"{partition}:{number}" for number in range(customers)]
        head, _ = await store.begin(0, 0)
        changes = Commit(
            positions={PURCHASES: LogPosition(customers)},
            stream_time_ms=1,
            sequence=0,
            deadlines={name: 1_000 * (1 + number) for number, name in enumerate(names)},
            risks=dict.fromkeys(names[:2], 1.5),
            segment_moves=[(name, None, "Champions" if partition else "At Risk") for name in names],
            totals={"customers": customers, "value_at_risk_minor": 300},
        )
        assert await store.commit(head, changes)
        await store.close()
    figures = RedisFigures(redis_url)
    read = await figures.read({0: 3_000, 2: 0})
    await figures.close()
    assert set(read) == {0, 2}
    assert (read[0].totals, read[2].totals["customers"]) == ({"customers": 7, "value_at_risk_minor": 300}, 5)
    assert [(each.deadlines_waiting, each.deadlines_overdue) for each in read.values()] == [(7, 3), (5, 0)]
    assert [each.customers_at_risk for each in read.values()] == [2, 2]
    assert (read[0].segment_sizes["At Risk"], read[2].segment_sizes["Champions"]) == (7, 5)
    assert read[0].segment_sizes["Champions"] == 0
