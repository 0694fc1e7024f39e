"""The Redis that is deployed, on a real redis-server: its configuration, and what each of its users may do."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ebb.lookup import Lookup
from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.ports import LOOPBACK
from schemas.partition import partition_of
from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from stream.errors import StoreUnavailableError, UnknownCustomerError
from stream.features.layout import LAYOUT
from stream.redis_store import keys
from tests.hurting import again
from tests.integration.live_events import now_ms, purchase
from tests.integration.live_shop import published, teach
from tests.integration.processes import MODEL_KEYS, PARTITIONS, deployed, eventually, without_topics
from tests.redis_cluster import programs

DEPLOY = Path(__file__).parents[2] / "deploy"
OF_OTHERS = (
    ("worker", ("FLUSHALL",)),
    ("worker", ("CONFIG", "GET", "*")),
    ("worker", ("KEYS", "*")),
    ("worker", ("GET", "another application's")),
    ("worker", ("HSET", "learner:churn_30d", "next_offset", "0")),
    ("learner", ("GET", "customer:{0}:ada")),
    ("learner", ("HSET", "partition:{0}", "version", "9")),
    ("reader", ("SET", "customer:{0}:ada", "{}")),
    ("reader", ("DEL", "customer:{0}:ada")),
    ("reader", ("GET", "state:{0}:ada")),
    ("reader", ("HGETALL", "model:churn_30d:champion")),
    ("analyst", ("SET", "customer:{0}:ada", "{}")),
    ("analyst", ("SET", "model:churn_30d:1", "{}")),
    ("analyst", ("HSET", "model:churn_30d:champion", "version", "1")),
    ("analyst", ("HGETALL", "learner:churn_30d")),
    ("analyst", ("HGETALL", "identity:{0}")),
    ("health", ("GET", "meta")),
    ("health", ("INFO",)),
)


class DeployedRedis(EmbeddedRedis):
    """Redis with `deploy/redis/redis.conf` and the users of `deploy/make-secrets`, but for ports and folders.

    It is a Redis 7, as the one that is deployed: 6.2 asks nobody's permission for what it reads from its file.
    """

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def prepare(self) -> list[str]:
        if not self.secrets.exists():
            subprocess.run([DEPLOY / "make-secrets", self.secrets], check=True)
        configuration = (DEPLOY / "redis" / "redis.conf").read_text()
        for deployed_at, tested_at in (
            ("/run/secrets/redis_users", str(self.secrets / "redis-users.acl")),
            ("dir /data", f"dir {self.folder}"),
        ):
            assert deployed_at in configuration
            configuration = configuration.replace(deployed_at, tested_at)
        written = self.folder / "redis.conf"
        written.write_text(f"{configuration}\nbind {LOOPBACK}\nport {self.port}\n")
        server, _ = programs()
        return [server, str(written)]

    def answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, username="health", password="any") as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def url(self, user: str) -> str:
        """The address in the user's file, as a container or a shell gets it."""
        if user == "health":
            return f"redis://health:any@{LOOPBACK}:{self.port}/0"
        address = (self.secrets / f"{user}.env").read_text().strip().removeprefix("EBB_REDIS_URL=")
        return f"{address.partition('@')[0]}@{LOOPBACK}:{self.port}/0"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedRedis]:
    with DeployedRedis(tmp_path_factory.mktemp("deployed-redis")) as service:
        yield service


def test_nobody_comes_in_without_a_name(store: DeployedRedis) -> None:
    with redis.Redis(port=store.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    for password in ("", "any"):
        as_default = redis.Redis(port=store.port, username="default", password=password)
        with as_default as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_what_a_transaction_has_written_is_there_after_a_restart(tmp_path: Path) -> None:
    """Redis 7 reads its append-only file as the user `default`, and passes over transactions that it may not do."""
    with DeployedRedis(tmp_path) as service:
        with redis.Redis.from_url(service.url("worker")) as client, client.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.partition_head(0), "version", 1).mset({keys.state(0, "ada"): "of ada"}).execute()
        service.stop()
        again(service)
        with redis.Redis.from_url(service.url("worker")) as client:
            assert client.get(keys.state(0, "ada")) == b"of ada"
            assert client.hget(keys.partition_head(0), "version") == b"1"


def test_it_keeps_what_it_is_told_and_evicts_nothing(store: DeployedRedis) -> None:
    with redis.Redis.from_url(store.url("operator"), decode_responses=True) as client:
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("user", "command"), OF_OTHERS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else value
)
def test_a_user_may_not_do_what_is_another_s(store: DeployedRedis, user: str, command: tuple[str, ...]) -> None:
    with redis.Redis.from_url(store.url(user)) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command)


def test_secrets_are_made_once(store: DeployedRedis) -> None:
    before = (store.secrets / "redis-users.acl").read_text()
    done = subprocess.run([DEPLOY / "make-secrets", store.secrets], check=False, capture_output=True, text=True)
    assert (done.returncode, "is there already" in done.stderr) == (1, True)
    assert (store.secrets / "redis-users.acl").read_text() == before
    assert store.secrets.stat().st_mode & 0o077 == 0


def test_worker_learner_reader_and_analyst_do_all_their_work_with_what_they_may(
    store: DeployedRedis, apache_kafka: str, tmp_path: Path
) -> None:
    """Labels learned and models taken up, purchases applied, deadlines fired, labels opened and closed, views read."""
    as_worker = {"EBB_REDIS_URL": store.url("worker")}
    operator = store.url("operator")
    with redis.Redis.from_url(operator) as client:
        client.acl_log_reset()
    with deployed(without_topics(apache_kafka), operator, tmp_path, clock="live") as shop:
        shop.start("learner", EBB_REDIS_URL=store.url("learner"))
        teach(shop)
        eventually(lambda: published(operator), what="the learner has published all models")
        began_ms = now_ms() - 45 * DAY_MS
        customers = [f"customer-{number}" for number in range(60)]
        for day in range(0, 45, 3):
            at_ms = began_ms + day * DAY_MS
            shop.send(PURCHASES, *(purchase(name, at_ms + at, f"{name}-{day}") for at, name in enumerate(customers)))
        worker = shop.start("worker", **as_worker)
        shop.wait_until_applied()
        shop.send(PURCHASES, purchase("ada", now_ms(), "back again"), b"{")
        shop.wait_until_applied()
        with redis.Redis.from_url(operator) as client:
            eventually(lambda: client.hget(keys.shop(partition_of("ada", PARTITIONS)), "labels"), what="matured labels")
            eventually(lambda: not any(client.hlen(keys.outbox(p)) for p in range(PARTITIONS)), what="an empty outbox")
        shop.kill(worker)
        again = shop.start("worker", **as_worker)  # loads event ids and outbox
        eventually(lambda: again.said("lane started"))
        shop.send(PURCHASES, purchase("ada", now_ms(), "once more"))
        shop.wait_until_applied()
        check_reader(store.url("reader"))
        with Lookup(store.url("analyst"), model_keys=MODEL_KEYS) as lookup:
            assert lookup.why("ada", "churn_30d").shares
        with redis.Redis.from_url(operator) as client:
            assert client.acl_log() == [], "somebody asked for what it may not have"


def check_reader(url: str) -> None:
    """All of `Lookup`."""
    with Lookup(url) as lookup:
        assert lookup.get("ada").customer_id == "ada"
        assert set(lookup.get_many(["customer-1", "customer-2", "nobody"])) == {"customer-1", "customer-2"}
        assert sum(len(page) for each in lookup.segments() for page in lookup.members(each.name)) == 61
        assert lookup.at_risk(5)


def test_a_reader_who_asks_why_is_told_that_another_user_may(store: DeployedRedis) -> None:
    with redis.Redis.from_url(store.url("operator")) as client:
        client.hset("meta", mapping={"partitions": PARTITIONS, "clock": "live", "layout": LAYOUT})
    refusal = r"refuses this user: .*no permissions.* Set EBB_REDIS_URL to a user that may \(docs/operations.md"
    with (
        Lookup(store.url("reader"), model_keys=MODEL_KEYS) as lookup,
        pytest.raises(StoreUnavailableError, match=refusal),
    ):
        lookup.why("ada", "churn_30d")
    with Lookup(store.url("analyst"), model_keys=MODEL_KEYS) as lookup, pytest.raises(UnknownCustomerError):
        lookup.why("nobody", "churn_30d")


def test_a_wrong_password_is_told_without_the_password(store: DeployedRedis) -> None:
    url = f"redis://reader:wrong-secret@{LOOPBACK}:{store.port}/0"
    with pytest.raises(StoreUnavailableError) as told:
        Lookup(url)
    assert "wrong-secret" not in str(told.value)
