"""Services for tests: on a free port, in a folder of their own, and gone with the test run, however that ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient

from ebb.services.apache_kafka import ApacheKafka
from ebb.services.embedded_broker import EmbeddedBroker
from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.service import NotInstalledError
from stream.settings.load import load_suite_settings
from tests.redis_cluster import RedisCluster, redis_cluster

os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
"""Every Java of the tests compiles once and not for speed: a broker is ready with 3.8 s of CPU instead of 6.3."""


@contextmanager
def missing_is_skipped() -> Iterator[None]:
    """Skip a test, with the reason, when this machine lacks a program that a service of the test is made of."""
    try:
        yield
    except NotInstalledError as reason:
        if load_suite_settings().require_kafka:
            raise
        pytest.skip(str(reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Whichever fixture starts the service."""
    with missing_is_skipped():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """A test may start one itself."""
    with missing_is_skipped():
        return (yield)


@pytest.fixture(scope="session")
def redis_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One Redis for the test run. Tests take `redis_url`; a test that stops Redis starts one of its own."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as service:
        yield service


@pytest.fixture
def redis_url(redis_service: EmbeddedRedis) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_service.address) as client:
        client.flushall()
    return redis_service.address


@pytest.fixture(scope="session")
def redis_cluster_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """One cluster of three nodes for the test run, ready in 2.5 s."""
    with redis_cluster(tmp_path_factory.mktemp("redis-cluster")) as service:
        yield service


@pytest.fixture
def empty_redis_cluster(redis_cluster_service: RedisCluster) -> RedisCluster:
    """An empty cluster."""
    redis_cluster_service.empty()
    return redis_cluster_service


@pytest.fixture
def embedded_kafka(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[str]:
    """host:port of a new embedded broker. It is up in 30 ms: each test has its own, as each has an empty Redis."""
    with EmbeddedBroker(tmp_path / "embedded-broker", binaries=pytestconfig.rootpath / ".ebb" / "bin") as service:
        yield service.address


@pytest.fixture(scope="session")
def apache_kafka_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One Apache Kafka for the test run. A test that stops Kafka starts one of its own."""
    with ApacheKafka(tmp_path_factory.mktemp("apache-kafka")) as service:
        yield service
        service.kill()  # its data goes away: nothing to write down first


@pytest.fixture(scope="session")
def apache_kafka(apache_kafka_service: ApacheKafka) -> str:
    """host:port of the test run's Apache Kafka: use topics of your own, or take `empty_apache_kafka`."""
    return apache_kafka_service.address


@pytest.fixture
def empty_apache_kafka(apache_kafka: str) -> str:
    """host:port of Apache Kafka without any topic but its own."""
    admin = KafkaAdminClient(bootstrap_servers=apache_kafka)
    try:
        while topics := [name for name in admin.list_topics() if not name.startswith("__")]:
            admin.delete_topics(topics, raise_errors=False)  # those already on their way out answer with an error
    finally:
        admin.close()
    return apache_kafka
