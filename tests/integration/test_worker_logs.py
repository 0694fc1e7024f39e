"""A worker finds another log in Kafka than the one that Redis has applied, and refuses."""

from pathlib import Path

from offline.history import History
from tests.integration.processes import Deployment, deployed, without_topics
from tests.integration.retail import first_events


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
