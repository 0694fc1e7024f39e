"""Learners are saved one after another: a crash between two of them must not make one skip a day."""

from typing import Any

import msgspec
import pytest

from schemas.messages import Label
from stream.errors import LayoutError, StoreUnavailableError
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.learner.teaching import Teacher
from stream.memory_store import MemoryModelStore
from stream.scoring.documents import OutcomeDocument, decode
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit
from stream.signing import Keyring, open_sealed
from stream.worker.model_watch import model_names

KEYS = Keyring.from_text("k:" + "5e" * 32)
FIRST_DAY = 14_600


class Store(MemoryModelStore):
    """Fails at the save that is told, as a crash would."""

    saves_left = 10**9

    async def save_learner(self, name: str, next_offset: int, state: bytes, metrics: bytes) -> None:
        if not self.saves_left:
            raise StoreUnavailableError("the process is gone")
        self.saves_left -= 1
        await super().save_learner(name, next_offset, state, metrics)


def labels(day: int, count: int = 40) -> list[Label]:
    """Labels of both outcomes that matured on a day."""
    return [
        Label(
            message_id=f"{outcome}-{day}-{number}",
            partition=0,
            sequence=day * 1_000 + number,
            customer_id=f"c{number}",
            outcome=outcome,
            snapshot_ms=0,
            matured_ms=day * 86_400_000 + number,
            value=float(number % 3 == 0),
            columns=[float((number + day + at) % 7) for at in range(len(MODEL_COLUMNS))],
            scores={},
            layout=LAYOUT,
        )
        for outcome in ("churn_30d", "purchase_7d")
        for number in range(count)
    ]


async def taught(store: Store, days: range) -> Teacher:
    """A learner process from its start over these days, as far as the store lets it."""
    teacher = Teacher(store, KEYS)
    await teacher.restore()
    for day in days:
        if day > teacher.epoch_day:
            teacher.learn(labels(day), day)
            await teacher.publish(next_offset=day)
    return teacher


def outcome(store: Store) -> dict[str, Any]:
    """Everything a worker would score with."""
    return {"documents": store.documents, "champions": store.champion, "learners": store.learners}


def published(store: Store, name: str) -> OutcomeDocument:
    """The document in force."""
    document = decode(open_sealed(store.documents[name, store.champion[name][0]], KEYS), LAYOUT)
    assert isinstance(document, OutcomeDocument)
    return document


DAYS = range(FIRST_DAY, FIRST_DAY + 6)


@pytest.mark.parametrize("saves", range(1, 3 * len(DAYS)))
async def test_wherever_it_crashes_between_two_saves_the_models_are_the_same(saves: int) -> None:
    undisturbed, disturbed = Store(), Store()
    await taught(undisturbed, DAYS)
    disturbed.saves_left = saves
    with pytest.raises(StoreUnavailableError):
        await taught(disturbed, DAYS)
    disturbed.saves_left = 10**9
    await taught(disturbed, DAYS)
    assert outcome(disturbed) == outcome(undisturbed)


async def test_no_model_is_said_to_be_of_a_day_it_has_not_learned() -> None:
    store = Store()
    await taught(store, DAYS[:2])
    store.saves_left = 1
    with pytest.raises(StoreUnavailableError):
        await taught(store, DAYS[:3])
    teacher = Teacher(store, KEYS)
    assert await teacher.restore() == DAYS[1]
    assert teacher.epoch_day == DAYS[1]
    ahead, *others = (store.champion[name][1] for name in model_names())
    assert (ahead, others) == (DAYS[2], [DAYS[1]] * len(others))


async def test_a_repetition_teaches_nothing() -> None:
    store = Store()
    teacher = await taught(store, DAYS[:1])
    before = msgspec.msgpack.decode(store.learners["churn_30d"][1])["labels"]
    teacher.learn(labels(DAYS[0]), DAYS[1])
    await teacher.publish(DAYS[1])
    assert msgspec.msgpack.decode(store.learners["churn_30d"][1])["labels"] == before == 40


async def test_what_is_no_learner_is_refused() -> None:
    store = Store()
    await store.save_learner("churn_30d", 5, b"\x00", b"{}")
    with pytest.raises(LayoutError, match="Delete learner:churn_30d"):
        await Teacher(store, KEYS).restore()


async def test_outcomes_are_rolled_forward_by_what_is_learned_of_seven_days() -> None:
    store = Store()
    await taught(store, DAYS)
    churn, weekly = (published(store, name) for name in ("churn_30d", "purchase_7d"))
    hazard = HazardModel(weekly.candidates["newton_logistic"], 30, "none")
    assert churn.candidates["hazard"] == hazard
    assert churn.candidates["mean_logit_hazard"] == MeanLogit(churn.candidates["mean_logit"], hazard)
    assert "hazard" not in weekly.candidates
