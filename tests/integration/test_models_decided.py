"""A decision counts once the model it puts in force is: a learner saves first, and publishes what it has saved then.

Where all places of challengers are taken, a retraining ends before it has read anything.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ebb.cli.retrain import retrain
from ebb.models.deciding import Written, taken
from ebb.models.reading import ModelError
from stream.errors import StoreUnavailableError
from stream.learner.teaching import Ruling, Teacher
from stream.redis_store.registry import RedisModelStore
from stream.settings.load import load_worker_settings
from stream.signing import Keyring
from tests.unit.learner.teachers import DAYS, decision, labels
from tests.unit.learning.test_learning_contest import published

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
