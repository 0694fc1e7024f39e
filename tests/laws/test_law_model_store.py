"""What every `ModelStore` must keep."""

import pytest

from stream.errors import ModelRefusedError, OvertakenError

NAME = "churn_30d"


async def test_nothing_is_in_force_before_the_first_publication(models):
    assert await models.champions([NAME, "segments"]) == {}
    assert await models.champions([]) == {}
    assert await models.load_learner(NAME) is None


async def test_the_version_published_last_is_in_force(models):
    await models.publish(NAME, "v1", b"one", epoch_day=14_610)
    await models.publish(NAME, "v2", b"two", epoch_day=14_611)
    await models.publish("segments", "v1", b"three", epoch_day=14_611)
    assert await models.champions([NAME, "segments", "purchase_7d"]) == {
        NAME: ("v2", 14_611),
        "segments": ("v1", 14_611),
    }
    assert [await models.fetch(NAME, "v1"), await models.fetch(NAME, "v2")] == [b"one", b"two"]
    assert await models.fetch("segments", "v1") == b"three"


async def test_an_unchanged_model_is_published_again_for_the_next_day(models):
    await models.publish(NAME, "v1", b"one", epoch_day=14_610)
    await models.publish(NAME, "v1", None, epoch_day=14_611)
    assert await models.champions([NAME]) == {NAME: ("v1", 14_611)}
    assert await models.fetch(NAME, "v1") == b"one"


async def test_a_version_that_is_not_there_is_refused_by_name(models):
    await models.publish(NAME, "v1", b"one", epoch_day=1)
    with pytest.raises(ModelRefusedError, match=r"'v2'.*'churn_30d'"):
        await models.fetch(NAME, "v2")
    with pytest.raises(ModelRefusedError, match=r"'v2'.*'churn_30d'"):
        await models.publish(NAME, "v2", None, epoch_day=2)
    assert await models.champions([NAME]) == {NAME: ("v1", 1)}


async def test_the_fifty_versions_in_force_last_are_kept(models):
    await models.publish("segments", "v0", b"other", epoch_day=0)
    for day in range(50):
        await models.publish(NAME, f"v{day}", b"%d" % day, epoch_day=day)
    await models.publish(NAME, "v0", None, epoch_day=50)
    await models.publish(NAME, "v50", b"50", epoch_day=51)
    with pytest.raises(ModelRefusedError):
        await models.fetch(NAME, "v1")
    assert [await models.fetch(NAME, version) for version in ("v0", "v2", "v50")] == [b"0", b"2", b"50"]
    assert await models.fetch("segments", "v0") == b"other"


async def test_challengers_are_kept_by_outcome_and_name_and_no_more_than_four(models):
    for number in range(4):
        await models.publish_challenger(NAME, f"c{number}", b"%d" % number)
    await models.publish_challenger("purchase_7d", "c0", b"other")
    with pytest.raises(ModelRefusedError):
        await models.publish_challenger(NAME, "c4", b"4")
    await models.publish_challenger(NAME, "c0", b"anew")
    assert [await models.fetch_challenger(NAME, f"c{number}") for number in (0, 3)] == [b"anew", b"3"]
    assert await models.fetch_challenger("purchase_7d", "c0") == b"other"
    await models.withdraw_challenger(NAME, "c0")
    await models.withdraw_challenger(NAME, "c0")
    with pytest.raises(ModelRefusedError, match=r"'c0'.*'churn_30d'"):
        await models.fetch_challenger(NAME, "c0")
    await models.publish_challenger(NAME, "c4", b"4")


async def test_of_what_is_forgotten_nothing_is_left_and_of_others_everything(models):
    for name in (NAME, "segments"):
        for version in ("v1", "v2"):
            await models.publish(name, version, b"one", epoch_day=1)
        await models.publish_challenger(name, "c0", b"other")
        await models.save_learner(name, 12, b"state", b"{}")
    await models.forget(NAME)
    await models.forget("purchase_7d")
    assert await models.champions([NAME, "segments"]) == {"segments": ("v2", 1)}
    assert (await models.load_learner(NAME), await models.load_learner("segments")) == (None, (12, b"state"))
    for asked in (models.fetch(NAME, "v1"), models.fetch_challenger(NAME, "c0")):
        with pytest.raises(ModelRefusedError):
            await asked
    assert await models.fetch_challenger("segments", "c0") == b"other"


async def test_a_learner_s_state_and_offset_are_saved_together(models):
    await models.save_learner(NAME, 12, b"state", b"{}")
    assert await models.load_learner(NAME) == (12, b"state")
    await models.save_learner(NAME, 12, b"", b"{}")
    assert await models.load_learner(NAME) == (12, b"")
    assert await models.load_learner("purchase_7d") is None


async def test_a_learner_that_another_has_overtaken_is_not_saved(models):
    await models.save_learner(NAME, 12, b"state", b"{}")
    await models.save_learner("segments", 5, b"state", b"{}")
    with pytest.raises(OvertakenError, match="up to offset 12 of labels, and this process has it up to 11"):
        await models.save_learner(NAME, 11, b"of a sleeper", b"{}")
    assert await models.load_learner(NAME) == (12, b"state")
    await models.forget(NAME)
    await models.save_learner(NAME, 11, b"anew", b"{}")
    assert await models.load_learner(NAME) == (11, b"anew")
