"""`ebb models sign`: a deployment whose learners were saved before they were signed goes on, once a person says so."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result

from ebb.cli import main
from stream.errors import ModelRefusedError
from stream.learner.saved import open_saved
from stream.learner.teaching import Teacher
from stream.redis_store.registry import RedisModelStore
from stream.signing import LEARNER, Keyring, open_sealed, seal
from tests.integration.processes import MODEL_KEYS, TestedProcess, deployed, eventually
from tests.unit.learner.teachers import DAYS, labels

KEYS, OTHER = Keyring.from_text(MODEL_KEYS), Keyring.from_text("lost:" + "0f" * 32)
NAME = "churn_30d"
WAITS = "nothing is learned until this is mended; models in force stay"


@pytest.fixture
async def store(redis_url: str) -> Any:
    """Learners of two days, signed."""
    made = RedisModelStore(redis_url)
    teacher = Teacher(made, KEYS)
    for day in DAYS[:2]:
        teacher.learn(labels(day), day)
    await teacher.publish(0)
    yield made
    await made.close()


async def run(redis_url: str, *arguments: str) -> Result:
    """A command of `ebb models`, which has an event loop of its own."""
    environ = {"EBB_REDIS_URL": redis_url, "EBB_MODEL_KEYS": MODEL_KEYS}
    return await asyncio.to_thread(CliRunner().invoke, main, ["models", *arguments], env=environ)


async def unsigned(store: RedisModelStore, name: str) -> None:
    """Put a learner back as a version of before has left it."""
    next_offset, packed = await store.load_learner(name) or (0, b"")
    fields = msgspec.msgpack.decode(open_sealed(packed, KEYS, LEARNER))
    before = {each: fields[each] for each in ("epoch_day", "labels", "version", "sealed", "learner")}
    await store.save_learner(name, next_offset, msgspec.msgpack.encode(before), b'{"judged": 3}')


@pytest.fixture
async def waiting(store: RedisModelStore, redis_url: str, embedded_kafka: str, tmp_path: Path) -> Any:
    """A learner that has said that it waits for a person's word."""
    await unsigned(store, NAME)
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded") as shop:
        learner = shop.start("learner")
        await asyncio.to_thread(eventually, lambda: learner.said(WAITS))
        yield learner


async def test_a_learner_of_before_is_signed_once_and_goes_on(store: RedisModelStore, redis_url: str) -> None:
    await unsigned(store, NAME)
    with pytest.raises(ModelRefusedError, match="`ebb models sign`"):
        await Teacher(store, KEYS).restore()
    listed = await run(redis_url, "list")
    assert (listed.exit_code, listed.output.count("\n")) == (1, 1)
    assert "`ebb models sign`" in listed.output
    done = await run(redis_url, "sign")
    assert done.exit_code == 0, done.output
    assert f"{NAME}              80 labels, up to offset 0: signed\n" in done.output
    assert "purchase_7d            80 labels, up to offset 0: was signed already\n" in done.output
    assert done.output.endswith("next: ebb models list\n")
    assert await Teacher(store, KEYS).restore() == 0
    with redis.Redis.from_url(redis_url) as client:
        assert client.hget(f"learner:{NAME}", "metrics") != b"{}", "written anew at its start"
    again = json.loads((await run(redis_url, "sign", "--json")).output)
    assert {each["is_signed_now"] for each in again} == {False}


async def test_a_learner_whose_key_is_lost_goes_on_with_another(store: RedisModelStore, redis_url: str) -> None:
    next_offset, packed = await store.load_learner(NAME) or (0, b"")
    by_lost = seal(open_sealed(packed, KEYS, LEARNER), OTHER, LEARNER)
    await store.save_learner(NAME, next_offset, by_lost, b"{}")
    with pytest.raises(ModelRefusedError, match="signed with key 'lost'"):
        await Teacher(store, KEYS).restore()
    assert (await run(redis_url, "sign")).exit_code == 0
    assert open_saved((await store.load_learner(NAME) or (0, b""))[1], NAME, 0, KEYS).labels == 80


@pytest.mark.parametrize("damage", ["changed", "another's", "nothing of the kind"])
async def test_what_was_changed_is_signed_by_nobody(store: RedisModelStore, redis_url: str, damage: str) -> None:
    next_offset, packed = await store.load_learner(NAME) or (0, b"")
    _, others = await store.load_learner("purchase_7d") or (0, b"")
    found = {"changed": packed[:-1] + bytes([packed[-1] ^ 1]), "another's": others, "nothing of the kind": b"{}"}[
        damage
    ]
    await store.save_learner(NAME, next_offset, found, b"{}")
    done = await run(redis_url, "sign")
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert f"delete learner:{NAME}" in done.output.replace("Delete", "delete")
    assert await store.load_learner(NAME) == (next_offset, found)


async def test_where_there_is_no_learner_there_is_nothing_to_sign(redis_url: str) -> None:
    done = await run(redis_url, "sign")
    assert (done.exit_code, done.output) == (0, "there is no learner in this Redis\n")


async def test_a_learner_that_waits_for_a_person_s_word_goes_on_without_a_restart(
    waiting: TestedProcess, redis_url: str
) -> None:
    (told,) = waiting.said(WAITS)
    assert (told["level"], "`ebb models sign`" in told["error"]) == ("error", True)
    assert (await run(redis_url, "sign")).exit_code == 0
    await asyncio.to_thread(eventually, lambda: waiting.said("learner started"))
    assert len(waiting.said(WAITS)) == 1


async def test_a_learner_that_waits_can_be_stopped(waiting: TestedProcess) -> None:
    waiting.send(signal.SIGTERM)
    assert await asyncio.to_thread(waiting.exit_code) == 0
