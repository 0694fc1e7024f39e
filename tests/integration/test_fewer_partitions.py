"""A shop goes over to fewer partitions and back to more, with kills in between; nobody and nothing is lost."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka.admin import KafkaAdminClient, NewTopic

from ebb.compose.starting import agree
from ebb.history.repartitioning import plan, repartition
from ebb.services.apache_kafka import ApacheKafka
from ebb.services.processes import start_process
from offline.archive.standing import load_standing
from offline.dead_letters import read_dead_letters
from offline.history import History
from schemas.topics import CHURN_ALERTS, CLOCK, INPUT_TOPICS, INVALID, PASSED_OVER, PURCHASES, SEGMENT_CHANGES
from stream.errors import SettingError
from stream.redis_store.deployment import is_rebuilding
from stream.settings.load import load_worker_settings
from tests.hurting import again
from tests.integration.processes import Deployment, TestedProcess, deployed, eventually
from tests.integration.retail import first_events
from tests.integration.test_archive_recovery import assert_same, documented, ebb, end, everything, publish_models

FIRST, THEN, LAST = 900, 1_300, 1_700
MANY, FEW, SOME = 6, 2, 3
OUTPUTS = (CHURN_ALERTS, SEGMENT_CHANGES, INVALID)


class Killed(BaseException):
    """The process has ended."""


def worked(shop: Deployment, worker: TestedProcess) -> None:
    """Everything is applied and published, and the worker has ended."""
    shop.wait_until_applied()
    end(worker, shop)


def crowd(shop: Deployment, history: History) -> list[str]:
    """What differs between the customers that Redis holds and those of a history."""
    return list(shop.parity(history).mismatches)


def killed_at(number: int) -> Callable[[str], None]:
    """Told of steps, it ends the process at one of them."""
    left = [number]

    def step(_: str) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    return step


def move_with_kills(shop: Deployment, folder: Path, partitions: int) -> int:
    """Be killed at the first step, at the second of each later run, then while Redis is rebuilt; how often before."""
    settings, kills = load_worker_settings(shop.environ()), 0

    async def run(number: int) -> None:
        wanted = await plan(settings, folder, partitions)
        await repartition(settings, folder, wanted, lambda *_: killed_at(1)(""), killed_at(number))

    while not is_rebuilding(settings.redis_url) or moving(folder):
        kills += 1
        with pytest.raises(Killed):
            asyncio.run(run(min(kills, 2)))
    with pytest.raises(Killed):
        asyncio.run(run(100))
    return kills


def kill_once_it_has(done: str, shop: Deployment, command: list[str]) -> None:
    """Run a command in a process of its own, and kill it when it says so."""
    log = shop.folder / "killed.log"
    process = start_process(
        [sys.executable, "-m", "ebb", *command], log, tied=True, environ=os.environ | shop.environ()
    )
    try:
        eventually(lambda: done in log.read_text())
    finally:
        process.kill()
        process.wait()


def moving(folder: Path) -> bool:
    standing = load_standing(folder)
    return standing is not None and standing.move is not None


def by_librdkafka(shop: Deployment, values: list[bytes], partitions: int) -> None:
    """Records that are none, on every partition."""
    producer = Producer({"bootstrap.servers": shop.servers})
    for partition in range(partitions):
        for value in values:
            producer.produce(PURCHASES, value, partition=partition)
    assert producer.flush(30) == 0


def test_a_shop_goes_over_to_fewer_partitions_and_back_to_more_and_loses_nothing(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history, archive = first_events(LAST), tmp_path / "archive"
    folder = str(archive)
    with deployed(empty_apache_kafka, redis_url, tmp_path, partitions=MANY) as shop:
        publish_models(redis_url)
        worker = shop.start("worker")
        by_librdkafka(shop, [b"{", b"[]"], MANY)
        shop.publish(History(history.events[:FIRST]))
        worked(shop, worker)
        undisturbed, sent = everything(redis_url), {topic: len(shop.messages(topic)) for topic in OUTPUTS}
        assert sent[INVALID] == 2 * MANY

        fewer = documented("repartition --partitions 2", folder)
        refused = ebb(shop, *[each for each in fewer if each != "--remake-topics"], code=1)
        assert "add --remake-topics" in refused
        planned = json.loads(ebb(shop, *fewer, "--dry-run", "--json"))
        assert (planned["before"], planned["after"], planned["made_again"]) == (MANY, FEW, list(INPUT_TOPICS))
        assert planned["kept"] == dict.fromkeys(OUTPUTS, MANY)
        assert "deleted and made again: events.purchases" in ebb(shop, *fewer, "--dry-run")
        assert_same(everything(redis_url), undisturbed)

        kill_once_it_has("deleted events.purchases", shop, fewer)
        for other in (["archive", "--to", folder], ["recover", "--from", folder, "--replace"]):
            assert "Topics are on their way from 6 partitions to 2." in ebb(shop, *other, code=1)
        assert "that was interrupted" in ebb(shop, *documented("repartition --partitions 6", folder), code=1)
        assert "was interrupted, and would go on" in ebb(shop, *fewer, "--dry-run")
        with pytest.raises(SettingError, match="is not whole"):
            agree(load_worker_settings(shop.environ()))  # what a worker does first
        assert move_with_kills(shop, archive, FEW) >= 10
        assert "is not whole" in ebb(shop, "archive", "--to", folder, code=1)
        moved = json.loads(ebb(shop, *fewer, "--json"))
        assert moved["partitions"] == FEW
        assert moved["customers"] == sum(key.startswith("state:") for key in undisturbed)
        assert {topic: len(shop.messages(topic)) for topic in OUTPUTS} == sent, "messages stay, and none is sent again"
        assert "There are 2 partitions already" in ebb(shop, *fewer, code=1)
        shop.partitions = FEW
        assert crowd(shop, History(history.events[:FIRST])) == []

        worker = shop.start("worker")
        by_librdkafka(shop, [b"{"], FEW)
        shop.publish(History(history.events[FIRST:THEN]))
        worked(shop, worker)
        assert crowd(shop, History(history.events[:THEN])) == []
        assert len(shop.messages(INVALID)) == sent[INVALID] + FEW
        letters = list(read_dead_letters([shop.servers]))
        assert len(letters) == sent[INVALID] + FEW, "each has a place of its own, by which it is known"
        ebb(shop, "archive", "--to", folder)
        assert "ANOTHER" not in ebb(shop, "archive", "--to", folder, "--check")
        then = everything(redis_url)
        ebb(shop, "recover", "--from", folder, "--replace")
        assert_same(everything(redis_url), then)

        move_with_kills(shop, archive, SOME)
        more = ["repartition", "--partitions", str(SOME), "--archive", folder]
        assert json.loads(ebb(shop, *more, "--json"))["partitions"] == SOME
        shop.partitions = SOME
        worker = shop.start("worker")
        shop.publish(History(history.events[THEN:]))
        worked(shop, worker)
        assert crowd(shop, history) == []
        ebb(shop, "archive", "--to", folder)
        lost_by_accident(shop.servers, PURCHASES, SOME)
        assert "it was deleted and made again" in ebb(shop, "archive", "--to", folder, code=1)


def lost_by_accident(servers: str, topic: str, partitions: int) -> None:
    """Somebody else deletes it and makes it again."""
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.delete_topics([topic])
        while topic in admin.list_topics():
            pass
        admin.create_topics([NewTopic(topic, partitions, 1)])
        admin.wait_for_topics([topic])


def test_a_broker_that_crashes_before_it_has_noted_where_logs_begin_costs_nothing(
    redis_url: str, tmp_path: Path
) -> None:
    folder, events, half = str(tmp_path / "archive"), first_events(300).events, 150
    with ApacheKafka(tmp_path / "kafka") as kafka:
        with deployed(kafka.address, redis_url, tmp_path, partitions=FEW) as shop:
            worker = shop.start("worker")
            shop.publish(History(events[:half]))
            worked(shop, worker)
            ebb(shop, "repartition", "--partitions", "1", "--archive", folder, "--remake-topics")
            kafka.kill()
            again(kafka)
            assert {record.key for record in shop.messages(CLOCK)} == {PASSED_OVER}, "it has forgotten its deletion"
            shop.partitions = 1
            worker = shop.start("worker")
            shop.publish(History(events[half:]))
            worked(shop, worker)
            assert crowd(shop, History(events)) == []
            assert shop.messages(INVALID) == []
            ebb(shop, "archive", "--to", folder)
        kafka.kill()
