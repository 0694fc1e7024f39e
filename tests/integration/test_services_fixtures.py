"""What a test can rely on when it asks for a service."""

import redis
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from tests.integration.processes import eventually


def _topics(servers: str) -> list[str]:
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        return [name for name in admin.list_topics() if not name.startswith("__")]
    finally:
        admin.close()


def _make_topic(servers: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        admin.create_topics([NewTopic("seen", num_partitions=1, replication_factor=1)])
    finally:
        admin.close()


class TestEachTestBegins:
    """Twice the same test: what the first leaves behind the second must not find."""

    def check_redis(self, url: str) -> None:
        with redis.Redis.from_url(url) as client:
            assert client.dbsize() == 0
            client.set("seen", 1)

    def check_kafka(self, servers: str) -> None:
        assert _topics(servers) == []
        _make_topic(servers)
        eventually(lambda: _topics(servers) == ["seen"], what="the broker tells of a topic a moment after it is made")

    def test_with_an_empty_redis(self, redis_url: str) -> None:
        self.check_redis(redis_url)

    def test_with_an_empty_redis_again(self, redis_url: str) -> None:
        self.check_redis(redis_url)

    def test_with_an_empty_embedded_broker(self, embedded_kafka: str) -> None:
        self.check_kafka(embedded_kafka)

    def test_with_an_empty_embedded_broker_again(self, embedded_kafka: str) -> None:
        self.check_kafka(embedded_kafka)

    def test_with_an_empty_apache_kafka(self, empty_apache_kafka: str) -> None:
        self.check_kafka(empty_apache_kafka)

    def test_with_an_empty_apache_kafka_again(self, empty_apache_kafka: str) -> None:
        self.check_kafka(empty_apache_kafka)


def test_redis_persists_and_does_not_evict(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("append*") | client.config_get("maxmemory-policy") | client.config_get(
            "save"
        ) | client.config_get("bind") == client.config_get("append*") | {
            "maxmemory-policy": "noeviction",
            "save": "",
            "bind": "127.0.0.1",
        }
        assert client.config_get("appendfsync")["appendfsync"] == "everysec"
        assert client.config_get("appendonly")["appendonly"] == "yes"
