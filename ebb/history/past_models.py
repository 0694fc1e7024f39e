"""The models under which a past happened, as an archive has them."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from offline.archive.standing import archived_model
from stream.chunk import Models
from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.memory_store import MemoryModelStore
from stream.outcomes.declaration import questions_of
from stream.scoring.documents import SEGMENTS_NAME
from stream.signing import Keyring
from stream.worker.model_watch import ModelWatch
from stream.worker.noted_rules import NotedRules


class ArchivedModels(MemoryModelStore):
    """The models of an archive; `in_force` says which of them are."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder, self.in_force, self.missing = folder, dict[str, str](), set[tuple[str, str]]()
        self.questions: Mapping[str, int] = {}

    async def champions(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """The versions in force."""
        return {name: (self.in_force[name], 0) for name in names if name in self.in_force}

    async def fetch(self, name: str, version: str) -> bytes:
        """A sealed document."""
        sealed = archived_model(self._folder, LAYOUT, name, version, self.questions.get(name, 0))
        if sealed is None:
            self.missing.add((name, version))
            raise ModelRefusedError(f"Version {version!r} of model {name!r} was not archived.")
        return sealed


class PastModels:
    """The models that were in force, by their versions. One that was not archived leaves the one before it.

    What is missing is noted in `missing`.
    """

    def __init__(self, folder: Path, keyring: Keyring, asked: Mapping[str, int]) -> None:
        """Of a past in which outcomes ask what their checksums say, as long as nobody has noted otherwise."""
        self._store, self._keyring, self._asked = ArchivedModels(folder), keyring, asked
        self.missing = self._store.missing
        self._watch = self._asking(asked)

    def _asking(self, questions: Mapping[str, int]) -> ModelWatch:
        """What a worker has in force that starts with these outcomes."""
        self._store.questions, self._store.in_force = questions, {}
        return ModelWatch(self._store, self._keyring, list(questions))

    async def of(self, versions: Mapping[str, str] | None, rules: NotedRules | None = None) -> Models:
        """The models; those of the call before where nobody knows, by which rules nobody noted what they answer."""
        asked = self._asked if rules is None else questions_of(rules.outcomes)
        if asked != self._store.questions:
            self._watch = self._asking(asked)
        if versions is not None and versions != self._store.in_force:
            self._store.in_force = dict(versions)
            await self._watch.refresh()
        return named(self._watch.models, self._store.in_force)


def named(models: Models, names: Container[str]) -> Models:
    """Those of these names. One that is in force no more answers what was asked before its outcome was declared anew.

    >>> named(Models({}, None), ["lapsed"])
    Models(outcomes={}, segments=None)
    """
    outcomes = {name: document for name, document in models.outcomes.items() if name in names}
    return Models(outcomes, models.segments if SEGMENTS_NAME in names else None)


class NoModels:
    """Stands where `PastModels` does for a past whose models have another layout."""

    missing: frozenset[tuple[str, str]] = frozenset()

    async def of(self, _versions: Mapping[str, str] | None, _rules: NotedRules | None = None) -> Models:
        """None."""
        return Models()
