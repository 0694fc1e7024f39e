"""A key in Redis that does not say which model is in force: the model before stays, and everybody says so."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis
from click.testing import CliRunner

from ebb.cli import main
from stream.errors import ModelRefusedError
from stream.metrics.worker import REGISTRY
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import encode
from stream.signing import Keyring, seal
from stream.worker.model_watch import ModelWatch
from tests.integration.processes import MODEL_KEYS
from tests.world import silence_document

NAME = "churn_30d"
KEY = f"model:{NAME}:champion"
KEYS = Keyring.from_text(MODEL_KEYS)

Damage = Callable[[Any], object]


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisModelStore]:
    """It holds a model of churn."""
    made = RedisModelStore(redis_url)
    await publish(made, "good")
    yield made
    await made.close()


async def publish(store: RedisModelStore, version: str, name: str = NAME) -> None:
    document = silence_document(name=name, version=version)
    await store.publish(name, version, seal(encode(document), KEYS), 7)


def refused() -> float:
    return REGISTRY.get_sample_value("ebb_models_refused_total", {"name": NAME}) or 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda client: client.hset(KEY, "epoch_day", "abc"),
        lambda client: client.hdel(KEY, "epoch_day"),
        lambda client: client.hset(KEY, "version", b"\xff"),
        lambda client: client.set(KEY, "good"),
    ],
    ids=["no number", "no day", "no text", "no hash"],
)
async def test_a_pointer_to_a_model_that_cannot_be_read_leaves_the_old_one_until_it_is_written_again(
    store: RedisModelStore, redis_url: str, damage: Damage
) -> None:
    watch, before = ModelWatch(store, KEYS, [NAME, "purchase_7d"]), refused()
    await watch.refresh()
    with redis.Redis.from_url(redis_url) as client:
        damage(client)
    with pytest.raises(ModelRefusedError, match=f"The key {KEY} in Redis does not say"):
        await store.champions([NAME])
    await publish(store, "beside", name="purchase_7d")
    for _ in range(3):
        assert await watch.refresh() == -1
    assert watch.models.versions == {NAME: "good", "purchase_7d": "beside"}
    assert refused() == before + 1
    await publish(store, "mended")
    await watch.refresh()
    assert watch.models.versions == {NAME: "mended", "purchase_7d": "beside"}


def test_ebb_models_says_in_a_sentence_which_key_it_is(redis_url: str) -> None:
    environ = {"EBB_REDIS_URL": redis_url, "EBB_MODEL_KEYS": MODEL_KEYS}
    with redis.Redis.from_url(redis_url) as client:
        client.hset(KEY, mapping={"version": "v1", "epoch_day": "abc"})
    listed = CliRunner().invoke(main, ["models", "list"], env=environ)
    assert (listed.exit_code, NAME in listed.output) == (0, True), listed.output
    shown = CliRunner().invoke(main, ["models", "show", NAME], env=environ)
    assert (shown.exit_code, shown.output.count("\n")) == (1, 1)
    assert shown.output.startswith(f"ebb: The key {KEY} in Redis does not say which model is in force: it says ")
    as_json = CliRunner().invoke(main, ["models", "list", "--json"], env=environ)
    assert KEY in as_json.output


@pytest.mark.parametrize(
    "learner",
    [
        {"next_offset": "abc", "state": "x"},
        {"next_offset": "9" * 5_000, "state": "x"},
        {"next_offset": "7"},
        {"state": "x"},
    ],
)
def test_what_is_no_learner_s_is_said_in_a_sentence_too(redis_url: str, learner: dict[str, str]) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.hset(f"learner:{NAME}", mapping=learner)
    shown = CliRunner().invoke(main, ["models", "list"], env={"EBB_REDIS_URL": redis_url, "EBB_MODEL_KEYS": MODEL_KEYS})
    assert (shown.exit_code, shown.output.count("\n")) == (1, 1)
    assert f"The key learner:{NAME} in Redis is no learner's" in shown.output


async def test_a_version_that_another_has_listed_is_shown_as_it_is_and_goes_in_time(
    store: RedisModelStore, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.rpush(f"model:{NAME}:versions", b"\xff")
    assert await store.versions(NAME) == ["good", "\\xff"]
    await publish(store, "next")
    assert await store.versions(NAME) == ["good", "\\xff", "next"]
