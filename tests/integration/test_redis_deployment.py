"""What is checked when a process starts, and what commands read from outside."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from stream.errors import LayoutError, LogRecreatedError, ReplacedError, SettingError, StoreUnavailableError
from stream.features.vocabulary import Vocabulary
from stream.ports import Commit, Deployment, LogPosition
from stream.redis_store import inspection
from stream.redis_store.deployment import (
    _check_node,
    check_deployment,
    check_instance,
    note_replaced_log,
    stored_deployment,
    switch_clock,
    take_instance,
)
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore
from stream.redis_store.restoring import begin_rebuilding, end_rebuilding

NAMES = Vocabulary(categories=("garden", "kitchen"), loyalty_tiers=("silver", "gold"))
OURS = Deployment(partitions=4, clock="replay", layout="abc123", vocabulary=NAMES)


def test_the_first_start_writes_what_later_starts_must_agree_with(redis_url):
    check_deployment(redis_url, OURS)
    check_deployment(redis_url, OURS)
    assert stored_deployment(redis_url) == OURS


def test_a_log_that_was_replaced_lets_nobody_start_until_redis_is_rebuilt(redis_url):
    check_deployment(redis_url, OURS)
    note_replaced_log(redis_url, "topic events.purchases partition 3 holds another record.")
    with pytest.raises(LogRecreatedError, match=r"partition 3 holds another record\..*HDEL meta replaced"):
        check_deployment(redis_url, OURS)
    begin_rebuilding(redis_url, OURS, "ebb recover", {0: 1_000}, replace=True)
    end_rebuilding(redis_url)
    check_deployment(redis_url, OURS)


@pytest.mark.parametrize("apart_s", [-3_600, 3_600])
def test_a_machine_whose_clock_is_not_that_of_redis_does_not_start_on_the_live_clock(redis_url, apart_s):
    def wall_ms(apart_s: int = apart_s) -> int:
        return time.time_ns() // 1_000_000 + apart_s * 1_000

    with pytest.raises(SettingError, match=r"this machine says \d{4}.* UTC, and Redis at .* UTC\. .*Set both by NTP"):
        check_deployment(redis_url, OURS, wall_ms=wall_ms)
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys() == []
    check_deployment(redis_url, OURS, wall_ms=lambda: wall_ms(30))


def test_first_starts_at_the_same_time_agree_on_one_deployment(redis_url):
    def start(partitions: int) -> str:
        try:
            check_deployment(redis_url, Deployment(partitions, "live", "abc123"))
        except SettingError:
            return "refused"
        return "started"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(start, range(1, 9)))
    assert sorted(outcomes) == ["refused"] * 7 + ["started"]


@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        (replace(OURS, partitions=8), SettingError, "EBB_PARTITIONS=8.*of a deployment with 4 partitions"),
        (replace(OURS, clock="live"), SettingError, "EBB_CLOCK=live.*runs on the replay clock"),
        (replace(OURS, layout="def456"), LayoutError, "layout abc123.*has layout def456"),
        (
            replace(OURS, vocabulary=Vocabulary(categories=("kitchen", "garden"), loyalty_tiers=("silver", "gold"))),
            SettingError,
            "EBB_CATEGORIES='kitchen,garden'.*first started with 'garden,kitchen'.*Set EBB_CATEGORIES='garden,kitchen'",
        ),
        (
            replace(OURS, vocabulary=Vocabulary(categories=("garden", "kitchen"), loyalty_tiers=("silver",))),
            SettingError,
            "EBB_LOYALTY_TIERS='silver'.*places of names in that list. Set EBB_LOYALTY_TIERS='silver,gold', or replay",
        ),
    ],
)
def test_a_process_that_disagrees_does_not_start_and_changes_nothing(redis_url, other, error, words):
    check_deployment(redis_url, OURS)
    with pytest.raises(error, match=words):
        check_deployment(redis_url, other)
    assert stored_deployment(redis_url) == OURS


def test_the_clock_of_a_deployment_is_switched_on_purpose(redis_url):
    with pytest.raises(SettingError, match="holds no Ebb deployment"):
        switch_clock(redis_url, "live")
    check_deployment(redis_url, OURS)
    switch_clock(redis_url, "live")
    assert stored_deployment(redis_url) == replace(OURS, clock="live")
    with pytest.raises(SettingError, match=r"EBB_CLOCK='wall' is no clock mode. Choose one of replay, live"):
        switch_clock(redis_url, "wall")


def test_of_two_workers_under_one_instance_id_the_earlier_is_replaced(redis_url):
    check_deployment(redis_url, OURS)
    check_instance(redis_url, "one", "earlier")  # nobody has said anything yet
    take_instance(redis_url, "one", "earlier")
    take_instance(redis_url, "two", "neighbour")
    check_instance(redis_url, "one", "earlier")
    take_instance(redis_url, "one", "later")
    with pytest.raises(ReplacedError, match=r"Worker later was started after this one, earlier.*INSTANCE_ID='one'"):
        check_instance(redis_url, "one", "earlier")
    check_instance(redis_url, "two", "neighbour")
    assert stored_deployment(redis_url) == OURS


def test_a_redis_that_would_forget_customers_is_refused_before_anything_is_written(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(SettingError, match="maxmemory-policy allkeys-lru"):
                check_deployment(redis_url, OURS)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
        assert client.dbsize() == 0


def test_a_redis_without_append_only_file_is_refused_unless_that_is_wanted(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("appendonly", "no")
        try:
            with pytest.raises(SettingError, match="keeps no append-only file"):
                check_deployment(redis_url, OURS)
            check_deployment(redis_url, OURS, require_append_only=False)
        finally:
            client.config_set("appendonly", "yes")


def test_a_redis_that_still_loads_is_away_and_not_called_without_append_only_file():
    starting = {"loading": 1, "aof_enabled": 0, "maxmemory_policy": "noeviction"}  # INFO of one that was killed
    with pytest.raises(redis.exceptions.BusyLoadingError, match="still loading"):
        _check_node("Redis", starting, require_append_only=True)


def test_a_redis_that_is_away_is_named_without_its_password():
    with pytest.raises(StoreUnavailableError) as raised:
        check_deployment("redis://ebb:secret@127.0.0.1:1/0", OURS)
    assert str(raised.value).startswith("Redis at redis://127.0.0.1:1/0 does not work: ")
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.fixture
async def applied(redis_url: str) -> str:
    """A deployment of two partitions with 2,500 customers, and the URL of it."""
    check_deployment(redis_url, Deployment(2, "replay", "abc123"))
    for partition, customers in ((0, 2_000), (1, 500)):
        store = RedisPartitionStore(redis_url, partition)
        names = [f"{{{partition}}}:{number}" for number in range(customers)]
        head, _ = await store.begin(0, 0)
        assert await store.commit(
            head,
            Commit(
                positions={"events.purchases": LogPosition(customers), "events.clock": LogPosition(3)},
                stream_time_ms=1_000 + partition,
                sequence=2,
                states={name: name.encode() for name in names},
                segment_moves=[(name, None, "Champions" if partition else "At Risk") for name in names],
                outbox=[(1, b"one"), (2, b"two")][partition:],
                totals={"events": customers, f"only_{partition}": 1},
            ),
        )
        await store.close()
    return redis_url


async def test_every_state_is_scanned(applied):
    states = {customer: packed async for customer, packed in inspection.scan_states(applied)}
    assert len(states) == 2_500
    assert all(packed == customer.encode() for customer, packed in states.items())


async def test_positions_times_totals_and_outboxes_are_read_over_all_partitions(applied):
    assert inspection.applied_positions(applied) == {
        ("events.purchases", 0): 2_000,
        ("events.clock", 0): 3,
        ("events.purchases", 1): 500,
        ("events.clock", 1): 3,
    }
    assert inspection.stream_times(applied) == {0: 1_000, 1: 1_001}
    assert inspection.shop_totals(applied) == {"events": 2_500, "only_0": 1, "only_1": 1}
    assert inspection.outbox_depths(applied) == {0: 2, 1: 1}


def test_a_redis_nobody_started_on_says_what_to_do(redis_url):
    with pytest.raises(SettingError, match=r"no worker has started on it. Start one \(`ebb worker`, `make demo`\)"):
        inspection.shop_totals(redis_url)


def test_a_learner_s_metrics_are_read_as_saved(redis_url):
    async def save() -> None:
        models = RedisModelStore(redis_url)
        await models.save_learner("churn_30d", 12, b"state", b'{"labels": 3}')
        await models.close()

    asyncio.run(save())
    assert inspection.learner_metrics(redis_url, "churn_30d") == b'{"labels": 3}'
    assert inspection.learner_metrics(redis_url, "purchase_7d") is None
