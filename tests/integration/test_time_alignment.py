"""Two workers read the same log, one of them gets a topic late: same labels, same alerts; and the journal says why."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ebb.services.embedded_redis import EmbeddedRedis
from schemas.topics import CHURN_ALERTS, ENGAGEMENT, LABELS, PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.redis_store.inspection import outbox_depths, stream_times
from tests.integration.live_events import customers_of, now_ms, publish_silence_model, purchase
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually, read_all, without_topics
from tests.integration.recomputation import equals_recomputation

HELD_BACK = Path(__file__).with_name("held_back_worker.py")
DAYS = 70
ALIGNMENT_MS = 4 * DAY_MS
FETCH_BYTES = 8_000


@dataclass
class Lived:
    """What became of the log in one deployment."""

    shop: Deployment
    messages: list[tuple[str, dict[str, Any]]]


def history(begin_ms: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Customers who buy and look around for 70 days, some of them ever more rarely."""
    customers = [name for partition in range(PARTITIONS) for name in customers_of(partition, 15, "customer")]
    for day in range(DAYS):
        for number, customer in enumerate(customers):
            at_ms = begin_ms + day * DAY_MS + number * 2_000_000
            if day % (1 + number % 7) == 0 and day < 20 + 4 * number:
                yield PURCHASES, purchase(customer, at_ms, f"p{day}-{number}")
            if (day + number) % 2:
                view = {"type": "page_view", "event_id": f"v{day}-{number}", "customer_id": customer}
                yield ENGAGEMENT, view | {"event_time_ms": at_ms + 60_000}
    profile = {"type": "profile", "event_id": "a", "customer_id": customers[0], "event_time_ms": begin_ms + DAY_MS}
    yield PROFILES, profile | {"age": 40}


@pytest.fixture(scope="module")
def runs(apache_kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lived]]:
    """The aligned run, and the one with a topic held back, over one log."""
    servers, lived = without_topics(apache_kafka), []
    folder = tmp_path_factory.mktemp("alignment")
    with ExitStack() as running:
        for name, script in (("aligned", None), ("held-back", HELD_BACK)):
            redis_url = running.enter_context(EmbeddedRedis(folder / name / "redis")).address
            shop = running.enter_context(deployed(servers, redis_url, folder / name, clock="live"))
            if not lived:
                events = list(history(now_ms() - (DAYS + 2) * DAY_MS))
                for topic in (PURCHASES, ENGAGEMENT, PROFILES):
                    shop.send(topic, *(event for of_topic, event in events if of_topic == topic))
            lived.append(Lived(shop, messages_of(shop, script, f"alignment-{name}")))
        yield lived


def messages_of(shop: Deployment, script: Path | None, group: str) -> list[tuple[str, dict[str, Any]]]:
    """Let a worker read the whole log; the labels and alerts that it has sent."""
    publish_silence_model(shop.redis_url)
    before = {topic: len(shop.messages(topic)) for topic in (LABELS, CHURN_ALERTS)}
    settings = {"EBB_ALIGNMENT_MS": str(ALIGNMENT_MS), "FETCH_BYTES": str(FETCH_BYTES)}
    worker = shop.start("worker", script, EBB_WORKER_GROUP=group, **settings)
    began_ms = now_ms()
    shop.wait_until_applied()
    eventually(lambda: min(stream_times(shop.redis_url).values()) >= began_ms, 60, "the wall ticks")
    eventually(lambda: not any(outbox_depths(shop.redis_url).values()), 60, "everything is sent")
    worker.stop()
    return [
        (topic, msgspec.json.decode(record.value))
        for topic, known in before.items()
        for record in sorted(shop.messages(topic), key=lambda record: int(record.timestamp))[known:]
    ]


def test_labels_and_alerts_of_a_run_with_one_topic_held_back_equal_those_of_the_aligned_run(runs: list[Lived]) -> None:
    aligned, held_back = (sorted(map(repr, lived.messages)) for lived in runs)
    assert held_back == aligned
    kinds = [message["type"] for _, message in runs[0].messages]
    assert kinds.count("label") > 20
    assert kinds.count("churn-alert.opened") > 5


def test_a_topic_that_leads_is_fetched_no_further_and_its_records_wait(runs: list[Lived]) -> None:
    ends = {record.partition: record.offset + 1 for record in read_all(runs[1].shop.servers, PURCHASES)}
    handed_over = runs[1].shop.processes[0].said("handed over")
    assert {line["partition"] for line in handed_over} == set(range(PARTITIONS))
    for line in handed_over:
        assert line["tail"] == line["paused_at"] < ends[line["partition"]] / 2
        assert line["applied"] == 0


def test_what_redis_holds_equals_the_recomputation_from_kafka_and_the_journal(runs: list[Lived]) -> None:
    assert equals_recomputation(runs[1].shop) > 25
