"""Everything that befalls a broker under load, one after another; and topics that are not what they were."""

import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions

from ebb.services.apache_kafka import ApacheKafka
from schemas.topics import CHURN_ALERTS, INVALID, PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.redis_store.inspection import outbox_depths
from stream.worker.output_watch import MISSING
from tests.hurting import again, fill_disk, frozen
from tests.integration.feed import Feed
from tests.integration.live_events import customers_of, now_ms, publish_silence_model, purchase
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually, while_it_lasts
from tests.integration.recomputation import counted, equals_recomputation
from tests.integration.test_redis_faults import OUTAGES_S


def limit(servers: str, topic: str, message_bytes: int) -> None:
    """Set how large a message of a topic may be."""
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(message_bytes)})]
        )


@pytest.mark.parametrize("away_s", OUTAGES_S)
def test_a_broker_that_fails_in_every_way_costs_no_event(away_s: float, redis_url: str, tmp_path: Path) -> None:
    told: dict[str, float] = {}
    with ApacheKafka(tmp_path / "kafka") as kafka:
        with deployed(kafka.address, redis_url, tmp_path, clock="live") as shop:
            publish_silence_model(redis_url)
            worker = shop.start("worker")
            eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
            with Feed(shop.servers) as feed:
                shop.more()
                with frozen(kafka):
                    while_it_lasts(away_s)
                told["frozen"] = shop.more()

                kafka.kill()
                again(kafka)
                told["killed"] = shop.more()

                fill_disk(kafka)
                kafka.wait()
                again(kafka)
                told["full disk"] = shop.more()

                limit(shop.servers, INVALID, 10_000)
                shop.send(PURCHASES, b"?" * 20_000, partition=0)
                assert worker.exit_code() == 1
                assert f"for topic {INVALID}, with 20," in worker.output().splitlines()[-1]
                shop.processes.clear()
                limit(shop.servers, INVALID, 2_000_000)
                worker = shop.start("worker")
                shop.more()
                feed.stop()
            shop.wait_until_applied()
            eventually(lambda: not any(outbox_depths(redis_url).values()), what="everything is sent")
            with frozen(kafka):
                worker.send(signal.SIGTERM)
                assert worker.exit_code() == 0
            assert "Traceback" not in worker.output()
            shop.processes.clear()
            assert counted(redis_url) == (feed.events, feed.garbage + 1)
            messages = equals_recomputation(shop)
        kafka.kill()
    print(f"{feed.events} events, {messages} messages; first commit after each fault:")
    print("; ".join(f"{fault} {seconds:.1f} s" for fault, seconds in told.items()))


def send_both(shop: Deployment, round_: str) -> tuple[set[str], set[str]]:
    """Garbage and long silences on every partition: what `received` will be of it."""
    garbage = [f"{{{round_}-{number}".encode() for number in range(2 * PARTITIONS)]
    for number, value in enumerate(garbage):
        shop.send(PURCHASES, value, partition=number % PARTITIONS)
    silent = [name for partition in range(PARTITIONS) for name in customers_of(partition, 3, f"silent-{round_}")]
    for days in (40, 38):
        shop.send(PURCHASES, *(purchase(name, now_ms() - days * DAY_MS, f"{name}-{days}") for name in silent))
    return {value.decode() for value in garbage}, set(silent)


def received(shop: Deployment) -> tuple[set[str], set[str]]:
    """The values of dead letters and the customers of alerts."""
    alerts = [msgspec.json.decode(record.value) for record in shop.messages(CHURN_ALERTS)]
    return {record.value.decode() for record in shop.messages(INVALID)}, {alert["customer_id"] for alert in alerts}


def test_what_comes_while_a_topic_of_messages_is_missing_is_sent_once_it_is_there_again(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    with (
        deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop,
        closing(KafkaAdminClient(bootstrap_servers=shop.servers)) as admin,
    ):
        publish_silence_model(redis_url)
        worker = shop.start("worker")
        before = send_both(shop, "before")
        eventually(lambda: received(shop) == before, what="all is told")

        admin.delete_topics([INVALID])
        letters, alerts = send_both(shop, "without letters")
        eventually(lambda: worker.said(MISSING), what="the worker says what is missing")
        assert worker.said(MISSING)[0]["topic"] == INVALID
        shop.make_topics()
        eventually(lambda: received(shop) == (letters, before[1] | alerts), what="what waited is sent")
        eventually(lambda: worker.said("the topic is there again, what waited for it is sent"))

        admin.delete_topics([CHURN_ALERTS])
        more_letters, alerts = send_both(shop, "without alerts")
        eventually(lambda: len(worker.said(MISSING)) > 1, what="the worker says what is missing")
        shop.kill(worker)
        again = shop.start("worker")
        (made,) = eventually(lambda: again.said("topics created"))
        assert made["topics"] == [CHURN_ALERTS]
        eventually(lambda: received(shop) == (letters | more_letters, alerts), what="what waited is sent by the next")
        eventually(lambda: not any(outbox_depths(redis_url).values()), what="everything is sent")


def grows(admin: KafkaAdminClient) -> str:
    admin.create_partitions({PURCHASES: NewPartitions(PARTITIONS + 1)})
    return f"Topic {PURCHASES} has {PARTITIONS + 1} partitions now"


def goes(admin: KafkaAdminClient) -> str:
    admin.delete_topics([PROFILES])
    return f"Topic {PROFILES} is not there any more"


@pytest.mark.parametrize("change", [grows, pytest.param(goes, marks=pytest.mark.long)])
def test_a_topic_that_grows_or_goes_while_a_worker_runs_ends_it_with_an_explanation(
    change: Callable[[KafkaAdminClient], str], empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        worker = shop.start("worker")
        eventually(lambda: len(worker.said("lane started")) == PARTITIONS)
        with closing(KafkaAdminClient(bootstrap_servers=shop.servers)) as admin:
            expected = change(admin)
        assert worker.exit_code() == 1
        assert expected in worker.output().splitlines()[-1]
