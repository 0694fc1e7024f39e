"""What Redis knows of an outcome's models: the document in force, and the learner that wrote it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from stream.errors import EbbError, ModelRefusedError
from stream.features.layout import LAYOUT
from stream.learner.saved import Saved
from stream.learning.contest import Contest
from stream.learning.outcome import learner_of
from stream.outcomes.declaration import Outcome
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import SEGMENTS_NAME, Document, OutcomeDocument, decode
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring, open_sealed

Answer = TypeVar("Answer")


class ModelError(EbbError):
    """What is asked about a model cannot be answered or done."""


@dataclass(frozen=True)
class Known:
    """What is known of an outcome's models.

    Attributes:
        outcome: whose they are.
        document: in force; None before the first.
        contest: how the candidates do.
    """

    outcome: Outcome
    document: OutcomeDocument | None
    contest: Contest


def known_models(settings: WorkerSettings) -> list[Known]:
    """All outcomes of the deployment, in their order.

    Raises:
        EbbError: Redis is away, or a document is not what it should be.
    """
    return asking(settings, lambda store: _all(store, settings))


def known_model(settings: WorkerSettings, name: str) -> Known:
    """One outcome.

    Raises:
        EbbError: there is none of this name; Redis is away; a document is not what it should be.
    """
    outcome = outcome_of(settings, name)
    return asking(settings, lambda store: _known(store, settings, outcome))


def outcome_of(settings: WorkerSettings, name: str) -> Outcome:
    """The outcome of a name.

    Raises:
        ModelError: there is none.
    """
    for outcome in settings.predicted.outcomes:
        if outcome.name == name:
            return outcome
    names = ", ".join(settings.predicted.names)
    besides = f" {SEGMENTS_NAME} has no candidates: `ebb models export {SEGMENTS_NAME} -` shows its centres."
    raise ModelError(f"{name!a} is no outcome; there are {names}.{besides if name == SEGMENTS_NAME else ''}")


def document_of(settings: WorkerSettings, name: str, version: str | None) -> Document:
    """A verified document: of a version, or the one in force.

    Raises:
        EbbError: there is none; Redis is away; it is not what it should be.
    """
    if name != SEGMENTS_NAME:
        outcome_of(settings, name)
    found = asking(settings, lambda store: _document(store, settings, name, version))
    if found is None:
        raise ModelError(f"{name} has no model yet: it needs labels, and a learner (`ebb learner`).")
    return found


def versions_of(settings: WorkerSettings, name: str) -> list[str]:
    """The stored versions of a model, the newest first."""
    return asking(settings, lambda store: store.versions(name))[::-1]


def asking(settings: WorkerSettings, ask: Callable[[RedisModelStore], Awaitable[Answer]]) -> Answer:
    """What the registry answers."""

    async def answered() -> Answer:
        store = RedisModelStore(settings.redis_url)
        try:
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(answered())


async def _all(store: RedisModelStore, settings: WorkerSettings) -> list[Known]:
    return [await _known(store, settings, outcome) for outcome in settings.predicted.outcomes]


async def _known(store: RedisModelStore, settings: WorkerSettings, outcome: Outcome) -> Known:
    document = await _document(store, settings, outcome.name, None)
    saved = await store.load_learner(outcome.name)
    learner = learner_of(outcome, settings.predicted.outcomes, settings.score_budget_us)
    if saved is not None:
        learner = learner.restored(_saved(outcome.name, saved[1]).learner)
    return Known(outcome, document if isinstance(document, OutcomeDocument) else None, learner.contest)


def _saved(name: str, packed: bytes) -> Saved:
    try:
        return msgspec.msgpack.decode(packed, type=Saved)
    except msgspec.DecodeError as error:
        raise ModelError(f"What Redis has for learner {name} is no learner: {error}. Delete learner:{name}.") from error


async def _document(
    store: RedisModelStore, settings: WorkerSettings, name: str, version: str | None
) -> Document | None:
    if version is None:
        in_force = (await store.champions([name])).get(name)
        if in_force is None:
            return None
        version = in_force[0]
    sealed = await store.fetch(name, version)
    if not sealed:
        return None
    document = decode(open_sealed(sealed, Keyring.from_text(settings.model_keys)), LAYOUT)
    if (document.name, document.version) != (name, version):
        raise ModelRefusedError(f"Model {name} {version} holds {document.name} {document.version}.")
    return document
