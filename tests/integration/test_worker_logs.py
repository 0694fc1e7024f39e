"""A worker finds another log in Kafka than the one that Redis has applied, and refuses."""

import urllib.request
from contextlib import closing
from pathlib import Path

import msgspec
from kafka import KafkaAdminClient, TopicPartition

from ebb.services.apache_kafka import ApacheKafka
from offline.history import History
from schemas.topics import LABELS, PURCHASES
from tests.hurting import Snapshot, again, frozen
from tests.integration.live_events import now_ms, purchase
from tests.integration.processes import (
    PARTITIONS,
    Deployment,
    TestedProcess,
    deployed,
    eventually,
    send,
    without_topics,
)
from tests.integration.retail import first_events
from tests.unit.learning.label_history import labels

PATIENT = {"EBB_SESSION_TIMEOUT_MS": "30000"}  # a worker that sleeps stays a member, so that nobody is assigned anew


def test_a_log_that_is_not_the_one_redis_has_applied_is_refused(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history = first_events(300)
    later = History([event for event in first_events(1_000).events if event not in history.events])
    with deployed(empty_apache_kafka, redis_url, tmp_path) as shop:
        shop.publish(history)
        worker = shop.start("worker")
        shop.wait_until_applied()
        worker.stop()
        assert "ends at offset 0" in refusal_without_topics(shop)
        assert "ends at offset" in refusal(shop, History(history.events[:50]))
        assert "holds another record at offset" in refusal(shop, later)


def refusal_without_topics(shop: Deployment) -> str:
    """What a worker says that finds no topics, and makes them: they were there, since Redis has applied records."""
    shop.processes.clear()
    without_topics(shop.servers)
    return last_words(shop)


def refusal(shop: Deployment, instead: History) -> str:
    """What a worker says that finds another history in the topics."""
    shop.processes.clear()
    without_topics(shop.servers)
    shop.make_topics()
    shop.publish(instead)
    return last_words(shop)


def last_words(shop: Deployment) -> str:
    """Of a worker that refuses to work."""
    worker = shop.start("worker")
    assert worker.exit_code() == 1
    return worker.output().splitlines()[-1]


def read(shop: Deployment, name: str, count: int) -> None:
    """Let purchases be applied."""
    sell(shop, name, count)
    shop.wait_until_applied()


def sell(shop: Deployment, name: str, count: int) -> None:
    shop.send(PURCHASES, *(purchase(f"{name}-{at}", now_ms(), f"{name}-{at}") for at in range(count)))


def started(shop: Deployment) -> TestedProcess:
    worker = shop.start("worker")
    eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
    return worker


def refused_for_good(shop: Deployment, worker: TestedProcess) -> None:
    """The worker ends, and so does the next, though the log that it finds is the one that was read last."""
    assert worker.exit_code() == 1
    assert "holds another record at offset" in worker.output().splitlines()[-1]
    shop.processes.clear()
    said = last_words(shop)
    assert "holds another record at offset" in said
    assert "what lies there before it was passed over" in said


def test_a_topic_that_is_made_anew_unseen_and_longer_than_before_ends_the_worker_that_reads_it(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live", settings=PATIENT) as shop:
        worker = started(shop)
        read(shop, "before", 40)
        with frozen(worker):
            without_topics(shop.servers)
            shop.make_topics()
            sell(shop, "after", 100)
        refused_for_good(shop, worker)


def test_a_broker_that_comes_back_with_older_data_and_grows_beyond_what_was_read_ends_the_worker(
    redis_url: str, tmp_path: Path
) -> None:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        with deployed(kafka.address, redis_url, tmp_path, clock="live", settings=PATIENT) as shop:
            worker = started(shop)
            read(shop, "before", 40)
            kafka.kill()
            older = Snapshot(kafka, tmp_path / "older")
            again(kafka)
            read(shop, "lost", 40)
            with frozen(worker):
                older.restore()
                sell(shop, "after", 100)
            refused_for_good(shop, worker)
        kafka.kill()


def test_labels_that_are_made_anew_unseen_end_the_learner_that_reads_them(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    settings = PATIENT | {"EBB_PUBLISH_EVERY_MS": "100"}
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live", settings=settings) as shop:
        learner = shop.start("learner")
        send_labels(shop, seed=1, count=40)
        eventually(lambda: shop.learned_offset("churn_30d") == 40)
        with frozen(learner):
            without_topics(shop.servers)
            shop.make_topics()
            send_labels(shop, seed=2, count=100)
        assert learner.exit_code() == 1
        assert f"topic {LABELS} partition 0 holds another record at offset" in learner.output().splitlines()[-1]


def send_labels(shop: Deployment, seed: int, count: int) -> None:
    told = [(LABELS, msgspec.json.encode(label), 0, None, []) for label in labels(count, seed=seed)]
    send(shop.servers, told)


def test_labels_that_retention_took_before_they_were_learned_are_counted_and_said(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    gone = 30
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        send(shop.servers, [(LABELS, msgspec.json.encode(label), 0, None, []) for label in labels(gone)])
        with closing(KafkaAdminClient(bootstrap_servers=shop.servers)) as admin:
            admin.delete_records({TopicPartition(LABELS, 0): gone})
        learner = shop.start("learner")
        eventually(lambda: learner.said("learner started"))
        told = learner.said("records were lost to retention")
        assert [(line["topic"], line["lost"]) for line in told] == [(LABELS, gone)]
        with urllib.request.urlopen(learner.address, timeout=10) as answer:
            assert f"ebb_learner_lost_records_total {gone}.0\n" in answer.read().decode()
