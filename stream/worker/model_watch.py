"""The models in force: polled from the registry, verified, and taken up whole between two chunks."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import structlog

from stream.chunk import Models
from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.metrics.info import show_version
from stream.metrics.worker import EPOCH_WAIT_SECONDS, MODEL_EPOCH, MODEL_INFO, MODELS_REFUSED
from stream.outcomes.declaration import BUILT_IN_NAMES
from stream.ports import ModelStore
from stream.scoring.documents import (
    NO_DOCUMENT_YET,
    SEGMENTS_NAME,
    Document,
    OutcomeDocument,
    SegmentDocument,
    decode,
    refuse_another_question,
)
from stream.scoring.trees import TreeModel
from stream.signing import Keyring, open_sealed
from stream.warming import warm_trees
from stream.worker.retrying import retrying

EPOCH_POLL_S = 0.003  # in lockstep all lanes stand still until the epoch's models are there
LIVE_POLL_S = 1.0


def model_names(outcomes: Sequence[str] = BUILT_IN_NAMES) -> tuple[str, ...]:
    """The models of a deployment that predicts these outcomes."""
    return (*outcomes, SEGMENTS_NAME)


log = structlog.get_logger()


class ModelWatch:
    """Keeps `models` at what the registry calls champion. A refused document leaves the old one in force.

    In lockstep, models change where `reached` is called and nowhere else.

    Args:
        store: the registry.
        keyring: of the keys that documents may be signed with.
        outcomes: names of what is predicted.
        lockstep: as above.
        questions: outcome -> checksum of its declaration, where a document must answer just that.
    """

    def __init__(
        self,
        store: ModelStore,
        keyring: Keyring,
        outcomes: Sequence[str] = BUILT_IN_NAMES,
        *,
        lockstep: bool = False,
        questions: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._store, self._keyring, self._lockstep, self._questions = store, keyring, lockstep, questions
        self._names = model_names(outcomes)
        self._documents: dict[str, Document] = {}
        self._versions: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._refusals: dict[str, tuple[str, str]] = {}  # of a model, the version that was refused, and why
        self._unreadable: dict[str, str] = {}  # why it cannot be read which version is in force, as was said already
        self._epoch_day = -1
        self._polling = asyncio.Lock()
        self.models = Models()
        for name in self._names:  # from 0 on: the first refusal is an increase too
            MODELS_REFUSED.labels(name)

    async def refresh(self) -> int:
        """Take up what is new; returns the last epoch day that all models were published for, -1 for none."""
        champions = await self._champions()
        for name, (version, epoch_day) in champions.items():
            if self._versions.get(name) != version or name in self._refusals:  # it may have been published anew since
                await self._take_up(name, version)
                MODEL_EPOCH.labels(name).set(epoch_day)
        self.models = _models_of(self._documents)
        for name, version in self.models.versions.items():
            show_version(MODEL_INFO, self._shown, name, version)
        complete = len(champions) == len(self._names)
        return min(epoch_day for _, epoch_day in champions.values()) if complete else -1

    async def _champions(self) -> dict[str, tuple[str, int]]:
        """Which versions are in force, as far as that can be read."""
        try:
            found = await self._store.champions(self._names)
        except ModelRefusedError:
            found = {}
            for name in self._names:
                found |= await self._champion(name)
            return found
        self._unreadable.clear()
        return found

    async def _champion(self, name: str) -> dict[str, tuple[str, int]]:
        try:
            found = await self._store.champions([name])
        except ModelRefusedError as error:
            if self._unreadable.get(name) != str(error):
                self._unreadable[name] = str(error)
                _refused(name, "", error)
            return {}
        self._unreadable.pop(name, None)
        return found

    async def _take_up(self, name: str, version: str) -> None:
        try:
            sealed = await self._store.fetch(name, version)
            if sealed or version != NO_DOCUMENT_YET:
                document = _expected(name, version, decode(open_sealed(sealed, self._keyring), LAYOUT))
                refuse_another_question(document, self._questions.get(name, 0))
                if has_trees(document):
                    await asyncio.to_thread(warm_trees)  # before a lane meets them: it may take seconds
                self._documents[name] = document
        except ModelRefusedError as error:
            if self._refusals.get(name) != (version, str(error)):
                self._refusals[name] = version, str(error)
                _refused(name, version, error)
        else:
            self._refusals.pop(name, None)
        self._versions[name] = version  # not before: while Redis is away it is still to be fetched

    async def reached(self, epoch_day: int) -> None:
        """In lockstep: wait until models of `epoch_day` are in force. The wait is counted; it ends with the lane."""
        if not self._lockstep:
            return
        began = time.monotonic()
        while self._epoch_day < epoch_day:
            async with self._polling:
                if self._epoch_day < epoch_day:
                    await self._poll()
        EPOCH_WAIT_SECONDS.inc(time.monotonic() - began)

    async def _poll(self) -> None:
        self._epoch_day = await retrying(self.refresh)
        await asyncio.sleep(EPOCH_POLL_S)

    async def run(self) -> None:
        """Live: look for new models every second until cancelled."""
        while not self._lockstep:
            await asyncio.sleep(LIVE_POLL_S)
            await retrying(self.refresh)


def _refused(name: str, version: str, error: ModelRefusedError) -> None:
    MODELS_REFUSED.labels(name).inc()
    log.warning("a model was refused, the old one stays", name=name, version=version, error=str(error))


def has_trees(document: Document) -> bool:
    """Whether a candidate is made of trees."""
    candidates = document.candidates.values() if isinstance(document, OutcomeDocument) else ()
    return any(isinstance(model, TreeModel) for model in candidates)


def _expected(name: str, version: str, document: Document) -> Document:
    """A signature says who wrote a document, not where it belongs.

    Raises:
        ModelRefusedError: it is another model, or another version of it.
    """
    if (document.name, document.version) != (name, version):
        raise ModelRefusedError(
            f"Model {name} {version} holds {document.name} {document.version}. Let the learner publish it again."
        )
    return document


def _models_of(documents: dict[str, Document]) -> Models:
    outcomes = {name: document for name, document in documents.items() if isinstance(document, OutcomeDocument)}
    segments = documents.get(SEGMENTS_NAME)
    return Models(outcomes, segments if isinstance(segments, SegmentDocument) else None)
