"""A Redis Cluster with TLS and the users of `deploy/`: a node that is new, one that fails, and the commands on it."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from ebb import Lookup
from ebb.cli import main
from ebb.parity import wait_for_lag_zero
from offline.verify import compare
from schemas.decode import DecodeRules
from schemas.partition import partition_of
from schemas.topics import INPUT_TOPICS
from stream.redis_store import keys
from stream.redis_store.client import sync_client
from stream.redis_store.inspection import outbox_depths
from stream.worker.model_watch import model_names
from tests.integration.feed import Feed
from tests.integration.live_shop import teach
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually
from tests.integration.recomputation import counted
from tests.recomputed_logs import recompute_logs
from tests.redis_cluster import RedisCluster, redis_cluster
from tests.secured_redis import Secrets, SecuredNode

CUSTOMER = "fed-1"
HURT = partition_of(CUSTOMER, PARTITIONS)
HEAD = keys.partition_head(HURT)


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "secrets")


@pytest.fixture
def cluster(tmp_path: Path, secrets: Secrets) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path / "nodes", partial(SecuredNode, secrets=secrets)) as made:
        yield made


def as_user(cluster: RedisCluster, secrets: Secrets, user: str) -> str:
    return cluster.url.replace("operator", user).replace(secrets.password("operator"), secrets.password(user))


def goes_on(shop: Deployment, what: str) -> None:
    """Wait until more of the partition is applied, and of all."""
    before = shop.applied_when_asked()[HURT]
    eventually(lambda: shop.applied_when_asked()[HURT] > before, what=what)
    shop.more()


def published(cluster: RedisCluster) -> bool:
    with sync_client(cluster.url) as client:
        return all(client.hget(keys.model_champion(name), "version") for name in model_names())


def refused(cluster: RedisCluster) -> list[object]:
    """What users were refused, on any node that lives."""
    found: list[object] = []
    for node in cluster.nodes:
        with redis.Redis.from_url(node.address) as client:
            found += client.acl_log()
    return found


def test_a_slot_goes_to_a_node_that_is_new_and_on_to_its_replica_and_nothing_is_lost(
    empty_apache_kafka: str, cluster: RedisCluster, secrets: Secrets, tmp_path: Path
) -> None:
    with ExitStack() as stack, deployed(empty_apache_kafka, cluster.url, tmp_path, clock="live") as shop:
        shop.start("learner", EBB_REDIS_URL=as_user(cluster, secrets, "learner"))
        teach(shop)
        eventually(lambda: published(cluster), what="models are published")
        worker = shop.start("worker", EBB_REDIS_URL=as_user(cluster, secrets, "worker"))
        eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
        with Feed(shop.servers) as feed:
            shop.more()
            new, replica = (stack.enter_context(SecuredNode(tmp_path / name, secrets)) for name in ("new", "replica"))
            cluster.join(new)
            with cluster.on_its_way(HEAD, new):
                shop.more()
            goes_on(shop, "it goes on at a node that is new")
            cluster.join(replica)
            cluster.replicate(new, replica)
            goes_on(shop, "it goes on with a replica")
            new.kill()
            cluster.nodes.remove(new)
            goes_on(shop, "it goes on at the replica")
            feed.stop()
        wait_for_lag_zero([shop.servers], cluster.url, 60)
        eventually(lambda: not any(outbox_depths(cluster.url).values()), what="everything is sent")
        assert len(worker.said("lane started")) == PARTITIONS, "a partition was given up"
        assert counted(cluster.url) == (feed.events, feed.garbage)
        with Lookup(as_user(cluster, secrets, "reader")) as lookup:
            assert lookup.get(CUSTOMER).customer_id == CUSTOMER
            assert lookup.at_risk(5)
            assert list(lookup.members("New Customers"))
        assert refused(cluster) == []
        logs = [record for topic in INPUT_TOPICS for record in shop.messages(topic)]
        expected = recompute_logs(logs, PARTITIONS, DecodeRules(currency="GBP"))
        assert compare(expected, asyncio.run(shop._states())).mismatches == []
        archive_and_erase(shop, tmp_path)


def archive_and_erase(shop: Deployment, folder: Path) -> None:
    """As an operator, while the worker runs."""
    to, receipt = str(folder / "archive"), str(folder / "receipt.json")
    for arguments in (
        ["archive", "--to", to],
        ["erase", CUSTOMER, "--archive", to, "--receipt", receipt],
        ["erase", "--verify", receipt],
    ):
        done = CliRunner().invoke(main, arguments, env=shop.environ())
        assert done.exit_code == 0, done.output
    with Lookup(shop.redis_url) as lookup:
        assert CUSTOMER not in lookup.get_many([CUSTOMER, "fed-2"])
