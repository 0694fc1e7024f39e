"""A cluster of Redis nodes: a partition is on one of them, and goes on where its slot moves to."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from ebb import AsyncLookup, Lookup
from ebb.cli import main
from ebb.parity import wait_for_lag_zero
from offline.sources import read_history
from schemas.partition import partition_of
from schemas.topics import PURCHASES
from stream.errors import SettingError, StoreUnavailableError
from stream.features.layout import LAYOUT
from stream.ports import Commit, Deployment, LogPosition
from stream.redis_store import keys
from stream.redis_store.client import sync_client
from stream.redis_store.deployment import check_deployment
from stream.redis_store.inspection import applied_positions, outbox_depths, scan_states
from stream.redis_store.partition import RedisPartitionStore
from stream.views import View
from tests.integration.feed import Feed
from tests.integration.live_events import customers_of, publish_silence_model
from tests.integration.processes import PARTITIONS, deployed, eventually
from tests.integration.processes import Deployment as ShopDeployment
from tests.integration.recomputation import counted, equals_recomputation
from tests.integration.retail import EXAMPLE
from tests.redis_cluster import RedisCluster
from tests.world import World

AWAY = "redis does not answer, trying until it does"
LINES = 3_000  # of orders
MOVED = 1  # the partition whose slot moves
HEAD = keys.partition_head(MOVED)
COMMIT = Commit({PURCHASES: LogPosition(9)}, stream_time_ms=1, sequence=1, states={"ada": b"zombie", "new": b"zombie"})


def applied(url: str) -> int:
    return applied_positions(url).get((PURCHASES, MOVED), 0)


def test_a_worker_under_load_goes_on_where_a_partition_s_slot_moves_to_and_loses_nothing(
    empty_apache_kafka: str, empty_redis_cluster: RedisCluster, tmp_path: Path
) -> None:
    cluster = empty_redis_cluster
    home = cluster.owner_of(HEAD)
    with deployed(empty_apache_kafka, cluster.url, tmp_path, clock="live") as shop:
        publish_silence_model(cluster.url)
        worker = shop.start("worker")
        eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
        with Feed(shop.servers) as feed:
            shop.more()
            for target in (cluster.others(home)[0], home):
                noticed = len(worker.said(AWAY))
                with cluster.on_its_way(HEAD, target):
                    eventually(
                        lambda since=noticed: len(worker.said(AWAY)) > since, what="a slot on its way is noticed"
                    )
                    before = applied(cluster.url)
                    shop.more()
                    assert applied(cluster.url) == before
                eventually(lambda so_far=before: applied(cluster.url) > so_far, what="it goes on in the new place")
        wait_for_lag_zero([shop.servers], cluster.url, 60)
        eventually(lambda: not any(outbox_depths(cluster.url).values()), what="everything is sent")
        assert len(worker.said("lane started")) == PARTITIONS, "a partition was given up"
        worker.stop()
        shop.processes.clear()
        assert counted(cluster.url) == (feed.events, feed.garbage)
        assert equals_recomputation(shop)
        with Lookup(cluster.url) as lookup:
            customers = [customer for page in lookup.members("New Customers") for customer in page.items]
            assert lookup.get_many(customers).keys() == set(customers)


def test_what_all_nodes_have_lost_is_rebuilt_from_the_archive_and_is_what_the_history_says(
    empty_apache_kafka: str, empty_redis_cluster: RedisCluster, tmp_path: Path
) -> None:
    cluster, folder, table = empty_redis_cluster, str(tmp_path / "archive"), tmp_path / "lines.parquet"
    pd.read_parquet(EXAMPLE).head(LINES).to_parquet(table)
    history = [str(table), "--source", "online_retail"]
    with deployed(empty_apache_kafka, cluster.url, tmp_path) as shop:
        worker = shop.start("worker")
        eventually(lambda: worker.said("lane started"))
        shop.publish(read_history([table], "online_retail", "GBP"))
        assert "Redis holds the same" in ebb(shop, "verify", *history)
        eventually(lambda: not any(outbox_depths(cluster.url).values()), what="everything is sent")
        worker.stop()
        shop.processes.clear()
        ebb(shop, "archive", "--to", folder)
        positions, states = applied_positions(cluster.url), asyncio.run(stored_states(cluster.url))
        cluster.empty()
        ebb(shop, "recover", "--from", folder)
        assert (applied_positions(cluster.url), asyncio.run(stored_states(cluster.url))) == (positions, states)
        assert "Redis holds the same" in ebb(shop, "verify", *history)


async def stored_states(url: str) -> dict[str, bytes]:
    return {customer: packed async for customer, packed in scan_states(url)}


def ebb(shop: ShopDeployment, *arguments: str) -> str:
    """Run a command to its end, in this process; what it said."""
    done = CliRunner().invoke(main, arguments, env=shop.environ())
    assert done.exit_code == 0, done.output
    return done.output


async def test_a_chunk_that_was_begun_before_its_slot_moved_is_not_committed(empty_redis_cluster: RedisCluster) -> None:
    cluster = empty_redis_cluster
    home = cluster.owner_of(HEAD)
    away = cluster.others(home)[0]
    zombies = [RedisPartitionStore(cluster.url, MOVED) for _ in range(3)]
    successor = RedisPartitionStore(cluster.url, MOVED)
    head = await successor.claim("successor")
    await successor.begin(0, 0)
    assert await successor.commit(head, Commit({}, stream_time_ms=1, sequence=0, states={"ada": b"ours"}))
    heads = [(await zombie.begin(0, 0))[0] for zombie in zombies]
    with cluster.on_its_way(HEAD, away), pytest.raises(StoreUnavailableError, match="on its way"):
        await zombies[0].commit(heads[0], COMMIT)
    with pytest.raises(StoreUnavailableError, match="has moved"):
        await zombies[1].commit(heads[1], COMMIT)
    with cluster.on_its_way(HEAD, home):
        pass
    assert not await zombies[2].commit(heads[2], COMMIT), "moved there and back"
    with pytest.raises(StoreUnavailableError, match="has moved"):
        await zombies[1].begin(0, 0)
    for store in (*zombies, successor):
        head, _ = await store.begin(0, 0)
        assert (await store.load(["ada", "new"]))[0] == [b"ours", None]
        await store.close()


async def async_views(url: str, customers: list[str]) -> dict[str, View]:
    async with AsyncLookup(url) as lookup:
        return await lookup.get_many(customers)


def test_views_of_several_customers_are_found_while_their_slot_is_on_its_way(empty_redis_cluster: RedisCluster) -> None:
    cluster = empty_redis_cluster
    customers = [name for partition in range(PARTITIONS) for name in customers_of(partition, 6, "customer")]
    check_deployment(cluster.url, Deployment(PARTITIONS, "live", LAYOUT))
    world = World()
    for name in customers:
        world.purchase(name, day=0)
    with sync_client(cluster.url) as client:
        for name in customers:
            client.set(keys.view(partition_of(name, PARTITIONS), name), world.stored.views[name])
    asked = [*customers, "nobody"]
    with Lookup(cluster.url) as lookup:
        before = lookup.get_many(asked)
        with cluster.on_its_way(HEAD, cluster.others(cluster.owner_of(HEAD))[0]):
            assert list(before) == customers
            assert lookup.get_many(asked) == before
            assert asyncio.run(async_views(cluster.url, asked)) == before
        assert lookup.get_many(asked) == before


def test_a_node_that_hangs_is_waited_for_once_and_not_for_each_key(empty_redis_cluster: RedisCluster) -> None:
    check_deployment(empty_redis_cluster.url, Deployment(PARTITIONS, "live", LAYOUT))
    pid = empty_redis_cluster.owner_of(HEAD).identity.pid
    with Lookup(empty_redis_cluster.url) as lookup:
        lookup.segments()
        os.kill(pid, signal.SIGSTOP)
        began_s = time.monotonic()
        try:
            with pytest.raises(StoreUnavailableError) as told:
                lookup.segments()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert time.monotonic() - began_s < 60
        assert str(told.value).count("caused error") <= 1
        eventually(lambda: answers(lookup), what="the node is back")


def answers(lookup: Lookup) -> bool:
    with suppress(StoreUnavailableError):
        lookup.segments()
        return True
    return False


def test_a_url_that_mistakes_a_cluster_or_a_single_redis_is_explained(
    empty_redis_cluster: RedisCluster, redis_url: str
) -> None:
    wanted = Deployment(PARTITIONS, "live", "layout")
    with pytest.raises(SettingError, match="is no node of a cluster"):
        check_deployment(redis_url.removesuffix("/0").replace("redis://", "redis+cluster://"), wanted)
    for node in empty_redis_cluster.nodes:
        with pytest.raises(SettingError, match=r"Write redis\+cluster://"):
            check_deployment(node.address, wanted)
