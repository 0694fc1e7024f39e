"""What keeps a worker from starting is said in one line, and it exits with 1."""

import time
from pathlib import Path

import pytest
import redis

from ebb.services.ports import free_port
from stream.features.layout import LAYOUT
from stream.ports import Deployment as Agreed
from stream.redis_store.deployment import check_deployment
from tests.integration.processes import Deployment, TestedProcess, deployed


@pytest.fixture
def shop(embedded_kafka: str, redis_url: str, tmp_path: Path):
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded") as made:
        yield made


def last_line(process: TestedProcess) -> str:
    """The only line it says; exit code 1."""
    assert process.exit_code(30) == 1
    lines = process.output().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_each_wrong_start_ends_with_one_line_that_says_what_to_do(shop: Deployment) -> None:
    check_deployment(shop.redis_url, Agreed(2, "replay", LAYOUT))
    nobody = f"127.0.0.1:{free_port()}"
    began_s = time.monotonic()
    processes = {
        "password": shop.start("worker", EBB_REDIS_URL=shop.redis_url.replace("//", "//ebb:wrong@")),
        "redis": shop.start("worker", EBB_REDIS_URL=f"redis://{nobody}/0"),
        "kafka": shop.start("worker", EBB_KAFKA_SERVERS=nobody),
        "kafka of the learner": shop.start("learner", EBB_KAFKA_SERVERS=nobody),
        "partitions": shop.start("worker", EBB_PARTITIONS="3"),
        "clock": shop.start("worker", EBB_CLOCK="live"),
        "keys": shop.start("worker", EBB_MODEL_KEYS="", EBB_MODEL_KEYS_FILE="nowhere"),
    }
    said = {name: last_line(process) for name, process in processes.items()}
    assert "does not work: invalid username-password pair" in said["password"]
    assert "wrong@" not in said["password"]
    assert said["redis"].startswith(f"ebb: Redis at redis://{nobody}/0 does not work")
    assert said["kafka"].startswith(f"ebb: Kafka at {nobody}: ")
    assert said["kafka of the learner"].startswith(f"ebb: Kafka at {nobody}: ")
    assert "Set EBB_PARTITIONS=2" in said["partitions"]
    assert "Set EBB_CLOCK=replay" in said["clock"]
    assert "EBB_MODEL_KEYS_FILE='nowhere' cannot be read" in said["keys"]
    shop.processes.clear()
    print(f"seven wrong starts at once took {time.monotonic() - began_s:.1f} s")


@pytest.mark.parametrize(
    ("setting", "value", "mended", "words"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "would forget customers when memory is short. Set it to"),
        ("appendonly", "no", "yes", "keeps no append-only file and would lose everything"),
        ("maxmemory", "1", "0", "maxmemory"),
    ],
)
def test_a_redis_that_may_not_be_trusted_lets_neither_worker_nor_learner_start(
    shop: Deployment, setting: str, value: str, mended: str, words: str
) -> None:
    with redis.Redis.from_url(shop.redis_url) as client:
        client.config_set(setting, value)
        try:
            said = [last_line(shop.start(process)) for process in ("worker", "learner")]
        finally:
            client.config_set(setting, mended)
        assert client.dbsize() == 0
    shop.processes.clear()
    assert [line for line in said if words not in line] == []
