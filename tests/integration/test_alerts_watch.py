"""`ebb alerts watch` as a process of its own: on the embedded broker, and on Apache Kafka that goes away."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from kafka import KafkaProducer

from ebb.services.apache_kafka import ApacheKafka
from ebb.services.embedded_broker import EmbeddedBroker
from ebb.topic_admin import create_topics
from schemas.topics import CHURN_ALERTS, SEGMENT_CHANGES

OPENED_MS = 1_291_939_200_000  # 2010-12-10 UTC
HOSTILE = "two\nlines \x1b[2J"


def opened(customer):
    return {
        "type": "churn-alert.opened", "message_id": f"m-{customer}", "partition": 0, "sequence": 1,
        "customer_id": customer, "opened_ms": OPENED_MS, "episode_ms": OPENED_MS, "probability": 0.83,
        "value_at_risk": "64.06", "currency": "GBP", "reasons": ["no purchase for 41 days, usual gap 12"],
        "model": "river_logistic", "model_version": "14951", "added_by_a_later_version": 1,
    }  # fmt: skip


def moved(customer):
    return {
        "type": "segment-change", "message_id": f"s-{customer}", "partition": 0, "sequence": 2,
        "customer_id": customer, "changed_ms": OPENED_MS, "left": "Champions", "entered": "At Risk",
        "model_version": "s1",
    }  # fmt: skip


class Shop:
    """A broker with topics, something that sends, and watchers that end with the test."""

    def __init__(self, servers):
        create_topics([servers], 2)
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("EBB_")}
        self.environ["EBB_KAFKA_SERVERS"] = servers
        self.producer = KafkaProducer(bootstrap_servers=servers, enable_idempotence=False)
        self.watchers = []

    def send(self, topic, *messages):
        for message in messages:
            value = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.producer.send(topic, value, partition=0).get(timeout=30)

    def watch(self, *options):
        """A watcher that has found its place."""
        watcher = subprocess.Popen(
            [sys.executable, "-m", "ebb", "alerts", "watch", *options],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.watchers.append(watcher)
        assert watcher.stderr.readline().startswith("watching marketing.churn-alerts")
        return watcher


@contextmanager
def watched(servers):
    shop = Shop(servers)
    try:
        yield shop
    finally:
        shop.producer.close(timeout=1)
        for watcher in shop.watchers:
            watcher.kill()
            watcher.communicate()


@pytest.fixture
def shop(embedded_kafka):
    with watched(embedded_kafka) as shop:
        yield shop


def test_alerts_are_shown_as_they_come_and_a_hostile_id_cannot_touch_the_terminal(shop):
    shop.send(CHURN_ALERTS, opened("before"))
    watcher = shop.watch("--limit", "2")
    shop.send(SEGMENT_CHANGES, moved("not-asked-for"))
    shop.send(CHURN_ALERTS, opened("ada"), b"no JSON", opened(HOSTILE), opened("one too many"))
    shown, errors = watcher.communicate(timeout=60)
    what = "83 %  £ 64.06 at risk  no purchase for 41 days, usual gap 12"
    assert shown.splitlines() == [
        f"2010-12-10 00:00  opened  ada  {what}",
        rf"2010-12-10 00:00  opened  two\nlines \x1b[2J  {what}",
    ]
    assert "the message at marketing.churn-alerts partition 0 offset 2 cannot be read" in errors
    assert watcher.returncode == 0


def test_json_from_the_start_is_the_messages_line_by_line(shop):
    shop.send(CHURN_ALERTS, opened("ada"), opened(HOSTILE))
    shop.send(SEGMENT_CHANGES, moved("bob"))
    watcher = shop.watch("--json", "--segments", "--from-start", "--limit", "3")
    shown, _ = watcher.communicate(timeout=60)
    messages = [json.loads(line) for line in shown.splitlines()]
    assert sorted(messages, key=lambda message: message["message_id"]) == [opened("ada"), opened(HOSTILE), moved("bob")]
    assert watcher.returncode == 0


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_being_asked_to_end_is_no_failure(shop, asked):
    watcher = shop.watch()
    watcher.send_signal(asked)
    assert watcher.communicate(timeout=60) == ("", "")
    assert watcher.returncode == 0


def test_it_ends_when_its_time_is_over_or_its_reader_has_gone(shop):
    timed, piped = shop.watch("--for", "0.2"), shop.watch()
    assert timed.communicate(timeout=60) == ("", "")
    piped.stdout.close()
    assert piped.wait(timeout=60) == 0
    assert piped.stderr.read() == ""
    assert timed.returncode == 0


def test_a_kafka_that_goes_away_and_comes_back_is_told_and_costs_no_alert(tmp_path):
    with ApacheKafka(tmp_path / "kafka") as kafka, watched(kafka.address) as shop:
        watcher, asked = shop.watch("--limit", "2"), shop.watch()
        shop.send(CHURN_ALERTS, opened("before"))
        assert ["opened  before" in each.stdout.readline() for each in (watcher, asked)] == [True, True]
        kafka.kill()
        for each in (watcher, asked):
            away = each.stderr.readline()
            assert away.startswith(f"ebb: Kafka at {kafka.address} has not answered for ")
            assert "about marketing.churn-alerts: nothing can be shown. Check that it runs" in away
        asked.send_signal(signal.SIGINT)
        assert asked.communicate(timeout=60) == ("", "")
        assert asked.returncode == 0, "to be asked to end is no failure, whether Kafka is there or not"
        kafka.start()
        kafka.wait_until_ready()
        assert watcher.stderr.readline().startswith(f"ebb: Kafka at {kafka.address} answers again after ")
        shop.send(CHURN_ALERTS, opened("after"))
        shown, errors = watcher.communicate(timeout=60)
        assert ("opened  after" in shown, errors, watcher.returncode) == (True, "", 0)
        kafka.kill()  # its data goes away: nothing to write down first


def test_a_kafka_that_stays_away_ends_it_with_exit_code_1(tmp_path, pytestconfig):
    binaries = pytestconfig.rootpath / ".ebb" / "bin"
    with EmbeddedBroker(tmp_path / "kafka", binaries=binaries) as kafka, watched(kafka.address) as shop:
        watcher = shop.watch("--give-up-after", "0.5")
        kafka.kill()
        shown, errors = watcher.communicate(timeout=60)
        assert errors.startswith(f"ebb: Kafka at {kafka.address} has not answered for ")
        assert "waiting was bounded at 0.5 s (--give-up-after)" in errors
        assert (shown, errors.count("\n"), watcher.returncode) == ("", 1, 1)
