"""Redis is lost, and made again from the archive; then everybody moves to another number of partitions."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from click.testing import CliRunner

from ebb.cli import main
from ebb.compose.starting import agree
from ebb.services.processes import start_process
from offline.archive.reading import last_record
from offline.archive.standing import load_standing, save_standing
from offline.history import History
from offline.replay import publish
from schemas.topics import CHURN_ALERTS, INVALID, LABELS, PURCHASES, SEGMENT_CHANGES
from stream.drafts import Outgoing, unpack_outgoing
from stream.errors import SettingError
from stream.features.layout import LAYOUT
from stream.redis_store import keys
from stream.redis_store.inspection import outbox_depths
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import encode
from stream.settings.load import load_worker_settings
from stream.signing import Keyring, seal
from tests.integration.live_shop import published, send_history, teach
from tests.integration.processes import MODEL_KEYS, PARTITIONS, Deployment, TestedProcess, deployed, eventually
from tests.integration.retail import first_events
from tests.world import CENTRES, silence_document

ARCHIVED, APPLIED, LATER = 900, 1_500, 1_800
MORE = 6  # as documented
NOWHERE = "redis://127.0.0.1:1/0"


def ebb(shop: Deployment, *arguments: str, code: int = 0) -> str:
    """Run a command to its end, in this process; what it said."""
    done = CliRunner().invoke(main, arguments, env=shop.environ())
    assert done.exit_code == code, done.output
    return done.output


def documented(command: str, folder: str) -> list[str]:
    """A command as docs/operations.md has it, with the archive of the test."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (line,) = re.findall(rf"^ebb ({command} [^#\n]*?)\s*(?:#.*)?$", page, re.MULTILINE)
    return line.replace("/var/lib/ebb/archive", folder).split()


def everything(redis_url: str) -> dict[str, Any]:
    """All that Redis holds but what only says how it came to be."""
    with redis.Redis.from_url(redis_url) as client:
        return {key.decode(): _value(client, key) for key in client.scan_iter(b"*:{*}*") if b"journal" not in key}


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    other = {key: (found.get(key), value) for key, value in expected.items() if found.get(key) != value}
    assert not other, f"{len(other)} keys differ: {dict(list(other.items())[:3])}"
    assert found.keys() == expected.keys()


def _value(client: redis.Redis, key: bytes) -> Any:
    match client.type(key):
        case b"string":
            return client.get(key)
        case b"hash":
            fields: Any = client.hgetall(key)
            return {name: _known(name, value) for name, value in fields.items() if name not in {b"version", b"owner"}}
        case b"zset":
            return client.zrange(key, 0, -1, withscores=True)
        case b"set":
            return client.smembers(key)
        case _:
            return b"".join(client.lrange(key, 0, -1))


def _known(name: bytes, value: bytes) -> bytes:
    """How many customers a sweep that has ended had looked at is not remembered."""
    return re.sub(rb",\d+\]$", b"]", value) if name == b"sweep" else value


def end(worker: TestedProcess, shop: Deployment) -> None:
    """Let it publish everything, and stop it."""
    eventually(lambda: not any(outbox_depths(shop.redis_url).values()), what="all messages published and forgotten")
    worker.send(signal.SIGTERM)
    assert worker.exit_code() == 0
    shop.processes.remove(worker)


def publish_models(redis_url: str) -> None:
    """What a learner would have published."""

    async def publish() -> None:
        store, keys = RedisModelStore(redis_url), Keyring.from_text(MODEL_KEYS)
        for name, document in (("churn_30d", silence_document()), ("segments", CENTRES)):
            await store.publish(name, document.version, seal(encode(document), keys), 0)
        await store.close()

    asyncio.run(publish())


def test_redis_is_rebuilt_from_archive_and_kafka_and_then_has_more_partitions(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history, folder = first_events(LATER), str(tmp_path / "archive")
    with deployed(empty_apache_kafka, redis_url, tmp_path, settings={"EBB_CHUNK_RECORDS": "100"}) as shop:
        publish_models(redis_url)
        worker = shop.start("worker")
        shop.send(PURCHASES, b"{", partition=0)
        shop.publish(History(history.events[:ARCHIVED]))
        shop.wait_until_applied()
        eventually(lambda: not any(outbox_depths(redis_url).values()))
        archived = json.loads(ebb(shop, *documented("archive --to [^ ]+(?= +# once)", folder), "--json"))
        applied = shop.applied()
        assert archived["records"] >= applied > ARCHIVED
        assert archived["journal_entries"] > 0
        then = everything(redis_url)
        assert len(shop.messages(INVALID)) == 1
        assert "are running" in ebb(shop, "recover", "--from", folder, "--replace", code=1)
        shop.publish(History(history.events[ARCHIVED:APPLIED]))
        shop.wait_until_applied()
        end(worker, shop)
        undisturbed = everything(redis_url)
        assert "--replace" in ebb(shop, "recover", "--from", folder, code=1)
        assert_same(everything(redis_url), undisturbed)

        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
            client.hset(
                "meta", mapping={"partitions": 2, "clock": "replay", "layout": LAYOUT, "rebuilding": "ebb recover"}
            )
        with pytest.raises(SettingError, match="is not whole"):
            agree(load_worker_settings(shop.environ()))  # what a worker does first
        # the recovery was interrupted: --replace is not needed again
        recovered = json.loads(ebb(shop, *documented("recover(?!.*--replace)", folder), "--json"))
        assert (recovered["records"], recovered["unjournaled"]) == (applied, 0)
        assert_same(everything(redis_url), then)
        worker = shop.start("worker")
        shop.wait_until_applied()
        end(worker, shop)
        assert_same(everything(redis_url), undisturbed)
        assert len(shop.messages(INVALID)) == 1  # what was known to be sent is not sent again

        move = [*documented("repartition --partitions 6", folder), "--json"]
        assert json.loads(ebb(shop, *move, "--dry-run"))["before"] == PARTITIONS
        assert_same(everything(redis_url), undisturbed)
        moved = json.loads(ebb(shop, *move))
        assert moved["to_publish"] == 0
        assert moved["customers"] == sum(key.startswith("state:") for key in undisturbed)
        publish(History(history.events[APPLIED:]), [shop.servers], MORE)
        shop.start("worker", EBB_PARTITIONS=str(MORE))
        shop.wait_until_applied()
        assert list(shop.parity(history).mismatches) == []


def learned(redis_url: str) -> dict[str, Any]:
    """Learners as they were saved, and which models are in force."""
    with redis.Redis.from_url(redis_url) as client:
        found = [key for match in (b"learner:*", b"model:*:champion") for key in client.scan_iter(match)]
        return {key.decode(): client.hgetall(key) for key in found}


def waiting(redis_url: str) -> list[Outgoing]:
    """Messages to be published."""
    with redis.Redis.from_url(redis_url) as client:
        return [unpack_outgoing(each) for p in range(PARTITIONS) for each in client.hvals(keys.outbox(p))]


def of_alerts(messages: list[Outgoing]) -> list[Outgoing]:
    return [message for message in messages if message.topic == CHURN_ALERTS]


def id_of(message: Any) -> str:
    """Of a record or a message to be published."""
    return str(json.loads(message.value)["message_id"])


@contextmanager
def following(shop: Deployment, folder: str) -> Iterator[Callable[[], str]]:
    """`ebb archive --follow` meanwhile; what it has said so far."""
    log = shop.folder / "follow.log"
    command = [sys.executable, "-m", "ebb", "archive", "--to", folder, "--follow", "--every", "0.2", "--json"]
    process = start_process(command, log, tied=True, environ={**os.environ, **shop.environ()})
    try:
        yield log.read_text
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()


def test_a_live_shop_with_its_learner_is_rebuilt_and_after_another_layout_begins_anew(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    folder = str(tmp_path / "archive")
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        teach(shop)
        nowhere = CliRunner().invoke(main, ["archive", "--to", folder], env=shop.environ(EBB_REDIS_URL=NOWHERE))
        assert (nowhere.exit_code, "does not work" in nowhere.output) == (1, True)
        assert last_record(tmp_path / "archive", LABELS, 0) is not None, "whatever is wrong with Redis, Kafka forgets"
        learner = shop.start("learner", EBB_PUBLISH_EVERY_MS="500")
        eventually(lambda: published(redis_url))
        send_history(shop)
        worker = shop.start("worker")
        with following(shop, folder) as said:
            shop.wait_until_applied()
            eventually(lambda: shop.messages(CHURN_ALERTS), what="silence has opened alerts")
            with redis.Redis.from_url(redis_url) as client:
                client.hset("meta", "rebuilding", "ebb recover")
                eventually(lambda: "is being rebuilt" in said())
                client.hdel("meta", "rebuilding")
            end(worker, shop)
            learner.send(signal.SIGTERM)
            assert learner.exit_code() == 0
            shop.processes.remove(learner)
            rounds = said().count('"records"')
            eventually(lambda: said().count('"records"') > rounds + 1)
        followed = sum(json.loads(line)["records"] for line in said().splitlines() if line.startswith("{"))
        assert followed >= shop.applied()

        undisturbed, models = everything(redis_url), learned(redis_url)
        unpublished = waiting(redis_url)  # of a silence that had not ended when the worker was
        alerts = {id_of(record) for record in (*shop.messages(CHURN_ALERTS), *of_alerts(unpublished))}
        assert alerts
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        assert json.loads(ebb(shop, "recover", "--from", folder, "--json"))["to_publish"] == len(unpublished)
        assert_same(everything(redis_url), undisturbed)
        assert learned(redis_url) == models

        again = json.loads(ebb(shop, "recover", "--from", folder, "--replace", "--publish-again", "--json"))
        messages = waiting(redis_url)
        assert len(messages) == again["to_publish"]
        assert {message.topic for message in messages} <= {CHURN_ALERTS, SEGMENT_CHANGES, INVALID}
        assert {id_of(message) for message in of_alerts(messages)} == alerts
        learner = shop.start("learner")
        (started,) = eventually(lambda: learner.said("learner started"))
        last_saved = models["learner:segments"]  # when all others are: the learner was stopped at any point
        assert started["offset"] == int(last_saved[b"next_offset"])
        learner.send(signal.SIGTERM)
        assert learner.exit_code() == 0

        of_another_layout(redis_url, tmp_path / "archive")
        assert "ebb recover --from" in CliRunner().invoke(main, ["worker"], env=shop.environ()).output
        assert "not published" in ebb(shop, "recover", "--from", folder, "--replace", code=1)
        with redis.Redis.from_url(redis_url) as client:
            client.delete(*map(keys.outbox, range(PARTITIONS)))  # a worker has sent them
        anew = json.loads(ebb(shop, *documented("recover(?=.*--replace)", folder), "--json"))
        assert anew["learns_anew"]
        assert {message.topic for message in waiting(redis_url)} == {LABELS}
        assert learned(redis_url) == {}


def of_another_layout(redis_url: str, folder: Path) -> None:
    """Redis and archive as another version of Ebb has written them."""
    with redis.Redis.from_url(redis_url) as client:
        client.hset("meta", "layout", "another")
    standing = load_standing(folder)
    assert standing is not None
    save_standing(folder, msgspec.structs.replace(standing, layout="another"))
