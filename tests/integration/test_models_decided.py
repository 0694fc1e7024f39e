"""A decision counts once the model it puts in force is: a learner saves first, and publishes what it has saved then.

Where all places of challengers are taken, a retraining ends before it has read anything.
"""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ebb.cli import main
from ebb.cli.retrain import retrain
from ebb.models.deciding import Written, take_away, taken
from ebb.models.reading import ModelError
from ebb.models.stored import asking
from ebb.services.ports import LOOPBACK, free_port
from stream.errors import StoreUnavailableError
from stream.learner.teaching import Ruling, Teacher
from stream.redis_store.registry import RedisModelStore
from stream.settings.load import load_worker_settings
from stream.signing import Keyring
from tests.unit.learner.teachers import DAYS, decision, labels
from tests.unit.learning.contests import published

KEYS = "k:" + "5e" * 32
DECISION = decision("promote", "newton_logistic")


class Interrupted(RedisModelStore):
    """Ends before it publishes when it is told to, as a process would that is killed after its save."""

    publishes = True

    async def publish(self, *document: Any) -> None:
        if not self.publishes:
            raise StoreUnavailableError("the process is gone")
        await super().publish(*document)


async def decided(redis_url: str) -> None:
    """A learner that has learned, then saved the decision and not published what follows from it."""
    store = Interrupted(redis_url)
    teacher = Teacher(store, Keyring.from_text(KEYS))
    for day in DAYS:
        teacher.learn(labels(day), day)
    await teacher.publish(1)
    teacher.learn([], DAYS[-1] + 1, [Ruling(DECISION, None)])
    store.publishes = False
    with pytest.raises(StoreUnavailableError, match="the process is gone"):
        await teacher.publish(2)
    await store.close()


async def restarted(redis_url: str) -> None:
    """A learner starts again."""
    store = RedisModelStore(redis_url)
    await Teacher(store, Keyring.from_text(KEYS)).restore()
    await store.close()


async def test_a_decision_that_is_saved_counts_only_when_its_model_is_in_force(redis_url: str) -> None:
    settings = load_worker_settings({"EBB_REDIS_URL": redis_url, "EBB_MODEL_KEYS": KEYS})
    written = Written(DECISION, offset=1)
    await decided(redis_url)
    with pytest.raises(ModelError, match="no learner has taken it"):
        await asyncio.to_thread(taken, settings, written, 0.1)

    await restarted(redis_url)
    known = await asyncio.to_thread(taken, settings, written, 10.0)
    assert (known.contest.championship.champion, known.serving) == ("newton_logistic", "newton_logistic")


def test_who_is_unknown_is_refused_with_the_names_there_are_before_kafka_is_asked_for(redis_url: str) -> None:
    asyncio.run(four_admitted(redis_url))
    with socket.create_server((LOOPBACK, free_port())) as kafka:
        kafka.setblocking(False)
        host, port = kafka.getsockname()
        environ = {"EBB_REDIS_URL": redis_url, "EBB_MODEL_KEYS": KEYS, "EBB_KAFKA_SERVERS": f"{host}:{port}"}
        said = {
            action: CliRunner(env=environ).invoke(main, ["models", action, "churn_30d", "nobody"]).stderr
            for action in ("promote", "pin", "withdraw")
        }
        with pytest.raises(BlockingIOError):
            kafka.accept()
    for action in ("promote", "pin"):
        assert said[action].startswith("ebb: 'nobody' is no candidate of churn_30d; there are mean_logit_hazard, ")
        assert said[action].endswith(", calibrated, spring, summer, autumn, winter.\n")
    assert said["withdraw"] == (
        "ebb: 'nobody' is no challenger from outside of churn_30d, nor began at a drift; "
        "there are: autumn, spring, summer, winter.\n"
    )


def test_a_challenger_can_be_withdrawn_that_no_learner_has_admitted_yet(redis_url: str) -> None:
    settings = load_worker_settings({"EBB_REDIS_URL": redis_url, "EBB_MODEL_KEYS": KEYS})
    asking(redis_url, lambda store: store.publish_challenger("churn_30d", "autumn", b"sealed"))
    take_away(settings, "churn_30d", "autumn")
    with pytest.raises(ModelError, match=r"'autumn' is no challenger from outside .*; there are: none\."):
        take_away(settings, "churn_30d", "autumn")


async def four_admitted(redis_url: str) -> None:
    """A learner that four challengers from outside take part in."""
    store = RedisModelStore(redis_url)
    teacher = Teacher(store, Keyring.from_text(KEYS))
    names = ("spring", "summer", "autumn", "winter")
    teacher.learn(labels(DAYS[0]), DAYS[0], [Ruling(decision("admit", name), published(name=name)) for name in names])
    await teacher.publish(1)
    await store.close()


async def test_a_retraining_without_a_place_for_its_challenger_ends_before_it_trains(
    redis_url: str, tmp_path: Path
) -> None:
    await four_admitted(redis_url)
    given = ["not there", "--outcome", "churn_30d", "--runs", str(tmp_path)]
    environ = {"EBB_REDIS_URL": redis_url, "EBB_MODEL_KEYS": KEYS}
    done = await asyncio.to_thread(CliRunner(env=environ).invoke, retrain, given)
    assert (done.exit_code, "has 4 challengers already: autumn, spring, summer" in done.output) == (1, True)
