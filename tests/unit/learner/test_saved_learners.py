"""Whoever can write to Redis but has no key cannot move what the learner learns from and signs next."""

from collections.abc import Callable

import msgspec
import pytest

from stream.errors import LayoutError, ModelRefusedError
from stream.learner.saved import Saved, open_saved, seal_saved
from stream.learner.teaching import Teacher
from stream.metrics.learner import REFUSED, REGISTRY
from stream.signing import LEARNER, Keyring, open_sealed, seal
from tests.unit.learner.teachers import DAYS, KEYS, Store, in_force, labels, taught

OLD, NEW = "k:" + "5e" * 32, "new:" + "0f" * 32
LOST = "Take the learner's keys .* sign it once: `ebb models sign`. Else delete learner:churn_30d"
CHANGED = "Somebody else writes to this Redis. Bring the key back from a copy of Redis, or delete learner:churn_30d"

Damage = Callable[[Store], tuple[int, bytes]]


def of(store: Store, name: str = "churn_30d") -> tuple[int, bytes]:
    """Offset and state of a learner."""
    return store.learners[name][:2]


def resealed(store: Store, keyring: Keyring) -> tuple[int, bytes]:
    next_offset, packed = of(store)
    return next_offset, seal(open_sealed(packed, KEYS, LEARNER), keyring, LEARNER)


def flipped(store: Store, at: int) -> tuple[int, bytes]:
    next_offset, packed = of(store)
    changed = bytearray(packed)
    changed[at] ^= 1
    return next_offset, bytes(changed)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "unsigned": (lambda store: (of(store)[0], open_sealed(of(store)[1], KEYS, LEARNER)), f"is not signed.* {LOST}"),
    "empty": (lambda store: (of(store)[0], b""), f"A learner of 0 bytes is not signed.* {LOST}"),
    "of a key that is not known": (
        lambda store: resealed(store, Keyring.from_text(NEW)),
        f"signed with key 'new'; known are k. {LOST}",
    ),
    "of another key by the same name": (
        lambda store: resealed(store, Keyring.from_text("k:" + "0f" * 32)),
        f"does not match key 'k'.* {CHANGED}",
    ),
    "changed in its numbers": (lambda store: flipped(store, -100), f"does not match key 'k'.* {CHANGED}"),
    "changed in its signature": (lambda store: flipped(store, 20), f"does not match key 'k'.* {CHANGED}"),
    "cut short": (lambda store: (of(store)[0], of(store)[1][:-1]), f"has .* where its header says .* {CHANGED}"),
    "of another learner": (lambda store: of(store, "purchase_7d"), f"signed as learner purchase_7d at .* {CHANGED}"),
    "beside another offset": (
        lambda store: (of(store)[0] + 1, of(store)[1]),
        f"at offset {DAYS[1] + 1} is refused: it was signed as learner churn_30d at offset {DAYS[1]}. {CHANGED}",
    ),
    "a model": (
        lambda store: (of(store)[0], store.documents["churn_30d", store.champion["churn_30d"][0]]),
        f"is not signed.* {LOST}",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_is_not_the_learner_that_was_signed_is_refused_and_the_model_in_force_stays(damage: str) -> None:
    replace, told = DAMAGES[damage]
    store = Store()
    await taught(store, DAYS[:2])
    document = in_force(store)
    store.learners["churn_30d"] = (*replace(store), b"{}")
    with pytest.raises(ModelRefusedError, match=f"What Redis has for learner churn_30d .*{told}"):
        await Teacher(store, KEYS).restore()
    assert refused() == 1
    assert in_force(store) == document
    await taught(store := Store(), DAYS[:2])
    await Teacher(store, KEYS).restore()
    assert refused() == 0


def refused() -> float | None:
    return REGISTRY.get_sample_value("ebb_learner_refused", {"name": "churn_30d"})


async def test_a_learner_that_begins_is_shown_as_not_refused() -> None:
    REFUSED.clear()
    await Teacher(Store(), KEYS).restore()
    assert refused() == 0


async def test_a_signed_learner_that_is_none_is_refused() -> None:
    store = Store()
    await store.save_learner("churn_30d", 5, seal(b"\x00", KEYS, LEARNER), b"{}")
    with pytest.raises(LayoutError, match="Delete learner:churn_30d"):
        await Teacher(store, KEYS).restore()


async def test_an_older_learner_put_in_place_of_a_newer_one_reads_the_labels_since_again() -> None:
    store, undisturbed = Store(), Store()
    await taught(undisturbed, DAYS)
    await taught(store, DAYS[:3])
    older = dict(store.learners)
    await taught(store, DAYS)
    store.learners.update(older)
    teacher = Teacher(store, KEYS)
    assert await teacher.restore() == DAYS[2]
    for day in DAYS[3:]:
        teacher.learn(labels(day), day)
        await teacher.publish(next_offset=day)
    assert store.learners == undisturbed.learners
    assert in_force(store) == in_force(undisturbed)


@pytest.mark.parametrize(
    "rings",
    [
        [OLD, f"{OLD},{NEW}", f"{NEW},{OLD}", NEW],
        [OLD, f"{NEW},{OLD}", NEW],
        [OLD, f"{NEW},{OLD}", f"{OLD},{NEW}", OLD],
    ],
    ids=["as documented", "without telling it first", "and back again"],
)
async def test_a_learner_is_signed_by_each_key_that_signs_in_turn(rings: list[str]) -> None:
    """Also of those that have not published anything, as segments before their first centres."""
    store = Store()
    await taught(store, DAYS[:2])
    for ring in rings:
        await Teacher(store, Keyring.from_text(ring)).restore()
    for name, (next_offset, packed, _) in store.learners.items():
        assert open_saved(packed, name, next_offset, Keyring.from_text(rings[-1])).name == name


def test_what_was_signed_as_a_learner_is_no_model() -> None:
    saved = Saved(epoch_day=1, labels=2, version="2", sealed=b"", learner=b"", name="churn_30d", next_offset=3)
    packed = seal_saved(saved, KEYS)
    assert open_saved(packed, "churn_30d", 3, KEYS) == saved
    with pytest.raises(ModelRefusedError, match=r"A model of .* is not signed"):
        open_sealed(packed, KEYS)
    with pytest.raises(ModelRefusedError, match=r"A learner of .* is not signed"):
        open_saved(seal(msgspec.msgpack.encode(saved), KEYS), "churn_30d", 3, KEYS)
