"""Models are taken up whole and verified; a refused one leaves the old one in force."""

import asyncio
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from stream.errors import ModelRefusedError, StoreUnavailableError
from stream.memory_store import MemoryModelStore
from stream.metrics.worker import REGISTRY
from stream.outcomes.declaration import CHURN_30D
from stream.scoring.documents import encode
from stream.signing import Keyring, seal
from stream.warming import warm_trees
from stream.worker.model_watch import ModelWatch, model_names
from tests.property.grown_trees import grown
from tests.world import CENTRES, silence_document

KEYS = Keyring.from_text("ours:" + "5e" * 32)
OTHER_KEYS = Keyring.from_text("ours:" + "0f" * 32)


class Registry(MemoryModelStore):
    """A registry that can be away."""

    away = False

    async def fetch(self, name: str, version: str) -> bytes:
        if self.away:
            raise StoreUnavailableError("Redis is away")
        return await super().fetch(name, version)

    async def publish_document(
        self, document: object, name: str = "churn_30d", keys: Keyring = KEYS, day: int = 0
    ) -> None:
        await self.publish(name, document.version, seal(encode(document), keys), day)


@pytest.fixture
async def registry() -> Registry:
    """It holds a good model of churn."""
    made = Registry()
    await made.publish_document(silence_document(version="good"))
    return made


def refused() -> float:
    return REGISTRY.get_sample_value("ebb_models_refused_total", {"name": "churn_30d"}) or 0


async def in_force(watch: ModelWatch) -> dict[str, str]:
    await watch.refresh()
    return watch.models.versions


def test_refusals_are_counted_from_0_on_so_that_the_first_is_seen_as_an_increase() -> None:
    assert REGISTRY.get_sample_value("ebb_models_refused_total", {"name": "never_asked_for"}) is None
    ModelWatch(Registry(), KEYS, ["never_asked_for"])
    assert REGISTRY.get_sample_value("ebb_models_refused_total", {"name": "never_asked_for"}) == 0


async def test_nothing_is_in_force_before_anything_is_published() -> None:
    watch = ModelWatch(Registry(), KEYS)
    assert await watch.refresh() == -1
    assert watch.models.versions == {}


async def test_what_is_published_is_taken_up(registry: Registry) -> None:
    await registry.publish_document(CENTRES, name="segments")
    assert await in_force(ModelWatch(registry, KEYS)) == {"churn_30d": "good", "segments": "s1"}


async def test_what_runs_trees_is_there_before_they_are_in_force_and_nobody_else_loads_it(registry: Registry) -> None:
    warm_trees.cache_clear()
    watch = ModelWatch(registry, KEYS)
    await watch.refresh()
    assert warm_trees.cache_info().currsize == 0
    grown_trees = {"outsider": grown(np.random.default_rng(1), trees=2)}
    with_trees = msgspec.structs.replace(silence_document(version="trees"), candidates=grown_trees, serving="outsider")
    await registry.publish_document(with_trees)
    assert await in_force(watch) == {"churn_30d": "trees"}
    assert warm_trees.cache_info().currsize == 1


async def test_a_model_of_what_an_outcome_meant_before_is_not_taken_up(registry: Registry) -> None:
    before = msgspec.structs.replace(silence_document(version="before"), question=CHURN_30D.code)
    await registry.publish_document(before)
    anew = msgspec.structs.replace(CHURN_30D, minimum_amount="40")
    assert await in_force(ModelWatch(registry, KEYS, questions={"churn_30d": CHURN_30D.code})) == {
        "churn_30d": "before"
    }
    assert await in_force(ModelWatch(registry, KEYS, questions={"churn_30d": anew.code})) == {}
    await registry.publish_document(silence_document(version="of an older learner"))
    watch = ModelWatch(registry, KEYS, questions={"churn_30d": anew.code})
    assert await in_force(watch) == {"churn_30d": "of an older learner"}


async def test_a_learner_without_a_document_yet_is_no_refusal(registry: Registry) -> None:
    await registry.publish("purchase_7d", "none", b"", 3)
    assert await in_force(ModelWatch(registry, KEYS)) == {"churn_30d": "good"}


@pytest.mark.parametrize(
    ("name", "document", "keys"),
    [
        ("churn_30d", silence_document(version="bad"), OTHER_KEYS),
        ("churn_30d", msgspec.structs.replace(silence_document(version="bad"), layout="another"), KEYS),
        ("churn_30d", msgspec.structs.replace(silence_document(version="bad"), schema="of other columns"), KEYS),
        ("churn_30d", silence_document(name="purchase_7d", version="bad"), KEYS),
        ("churn_30d", msgspec.structs.replace(CENTRES, version="bad"), KEYS),
        ("churn_30d", msgspec.structs.replace(CENTRES, name="churn_30d", version="bad"), KEYS),
    ],
    ids=["signature", "layout", "schema", "name", "kind", "kind under the name"],
)
async def test_a_model_that_is_not_what_it_says_leaves_the_old_one(
    registry: Registry, name: str, document: object, keys: Keyring
) -> None:
    watch = ModelWatch(registry, KEYS)
    assert await in_force(watch) == {"churn_30d": "good"}
    before = refused()
    await registry.publish_document(document, name, keys)
    assert await in_force(watch) == {"churn_30d": "good"}
    assert refused() == before + 1
    await registry.publish_document(silence_document(version="mended"))
    assert await in_force(watch) == {"churn_30d": "mended"}


async def test_a_version_that_was_refused_is_taken_up_when_it_is_published_anew(registry: Registry) -> None:
    watch = ModelWatch(registry, KEYS)
    await in_force(watch)
    before = refused()
    await registry.publish_document(silence_document(version="next"), keys=OTHER_KEYS)
    for _ in range(3):
        assert await in_force(watch) == {"churn_30d": "good"}
    assert refused() == before + 1, "a refusal counts once, however often the version is looked at"
    await registry.publish_document(silence_document(version="next"))
    assert await in_force(watch) == {"churn_30d": "next"}


@pytest.mark.parametrize("damage", [seal(encode(silence_document()), KEYS)[:-1], b"", b"{", b"\x00" * 40])
async def test_a_truncated_document_leaves_the_old_one(registry: Registry, damage: bytes) -> None:
    watch = ModelWatch(registry, KEYS)
    await in_force(watch)
    before = refused()
    await registry.publish("churn_30d", "bad", damage, 0)
    assert await in_force(watch) == {"churn_30d": "good"}
    assert refused() == before + 1


async def test_a_version_that_could_not_be_fetched_is_fetched_when_redis_answers(registry: Registry) -> None:
    watch = ModelWatch(registry, KEYS)
    registry.away = True
    with pytest.raises(StoreUnavailableError):
        await watch.refresh()
    registry.away = False
    assert await in_force(watch) == {"churn_30d": "good"}


async def test_a_champion_that_is_gone_leaves_the_old_one(registry: Registry) -> None:
    watch = ModelWatch(registry, KEYS)
    await in_force(watch)
    registry.champion["churn_30d"] = ("gone", 1)
    with pytest.raises(ModelRefusedError):
        await registry.fetch("churn_30d", "gone")
    assert await in_force(watch) == {"churn_30d": "good"}


class TestInLockstep:
    async def publish(self, registry: Registry, days: Sequence[int]) -> None:
        for name, day in zip(model_names(("churn_30d", "purchase_7d")), days, strict=True):
            await registry.publish(name, "none", b"", day)

    async def test_a_lane_waits_until_all_models_of_its_day_are_there(self) -> None:
        registry = Registry()
        watch = ModelWatch(registry, KEYS, ("churn_30d", "purchase_7d"), lockstep=True)
        await self.publish(registry, [7, 7, 6])
        waiting = asyncio.ensure_future(watch.reached(7))
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert not waiting.done()
        await self.publish(registry, [7, 7, 7])
        await asyncio.wait_for(waiting, 5)
        await asyncio.wait_for(watch.reached(6), 5)

    async def test_on_the_live_clock_nobody_waits(self) -> None:
        await asyncio.wait_for(ModelWatch(Registry(), KEYS).reached(7), 5)
