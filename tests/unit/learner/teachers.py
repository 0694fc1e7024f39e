"""A learner process over a store that may fail, its labels and what a person decides."""

from schemas.messages import Label, ModelDecision
from schemas.units import DAY_MS
from stream.errors import StoreUnavailableError
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.learner.teaching import Teacher
from stream.memory_store import MemoryModelStore
from stream.scoring.documents import OutcomeDocument, decode
from stream.signing import Keyring, open_sealed

KEYS = Keyring.from_text("k:" + "5e" * 32)
FIRST_DAY = 14_600
DAYS = range(FIRST_DAY, FIRST_DAY + 6)


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
            matured_ms=day * DAY_MS + number,
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


def in_force(store: Store, name: str = "churn_30d", keys: Keyring = KEYS) -> OutcomeDocument:
    """The document that workers score an outcome with."""
    document = decode(open_sealed(store.documents[name, store.champion[name][0]], keys), LAYOUT)
    assert isinstance(document, OutcomeDocument)
    return document


def decision(action: str, candidate: str = "", digest: str = "") -> ModelDecision:
    return ModelDecision(
        message_id=f"{action} {candidate}",
        outcome="churn_30d",
        action=action,  # type: ignore[arg-type]
        candidate=candidate,
        digest=digest,
        decided_ms=0,
        decided_by="ada",
    )
