"""A decision counts once the model it puts in force is: a learner saves first, and publishes what it has saved then."""

import asyncio
from typing import Any

import pytest

from ebb.models.deciding import Written, taken
from ebb.models.reading import ModelError
from stream.errors import StoreUnavailableError
from stream.learner.teaching import Ruling, Teacher
from stream.redis_store.registry import RedisModelStore
from stream.settings.load import load_worker_settings
from stream.signing import Keyring
from tests.unit.learner.teachers import DAYS, decision, labels

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
