"""All learners of a deployment together: taught from the same labels, saved and published one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from schemas.messages import Label
from schemas.units import DAY_MS
from stream.errors import LayoutError
from stream.learning.outcome import OutcomeLearner
from stream.learning.segments import SegmentLearner
from stream.metrics import learner as metrics
from stream.metrics.info import show_version
from stream.outcomes.declaration import ACTIVE_WITHIN_DAYS, BUILT_IN, Outcome
from stream.ports import ModelStore
from stream.scoring.documents import OutcomeDocument, SegmentDocument, encode
from stream.scoring.linear import LinearModel
from stream.signing import Keyring, seal

SEGMENTS_NAME = "segments"
NO_DOCUMENT_YET = "none"  # version of a model that has not seen enough; its document is empty


class Saved(msgspec.Struct, frozen=True):
    """A learner as saved, with the document it published last: a crash between saving and publishing loses nothing."""

    epoch_day: int
    labels: int
    version: str
    sealed: bytes
    learner: bytes


@dataclass
class Pupil:
    """One learner, how many labels it has learned, and the document it gave out last.

    Versions are numbers of labels: the same log gives the same names.
    """

    name: str
    learner: OutcomeLearner | SegmentLearner
    labels: int = 0
    version: str = NO_DOCUMENT_YET
    sealed: bytes = b""
    metrics: bytes = b"{}"
    epoch_day: int = 0


class Teacher:
    """Teaches, saves and publishes.

    Each learner is saved in a write of its own: after a crash between two of them one is a day ahead of the other. The
    day is then read again, and who has learned it is passed over.
    """

    def __init__(self, store: ModelStore, keyring: Keyring, outcomes: Sequence[Outcome] = BUILT_IN) -> None:
        self._store, self._keyring = store, keyring
        weekly = {outcome: outcome.weekly(outcomes) for outcome in outcomes}
        self._weekly = {outcome.name: of.name for outcome, of in weekly.items() if of}
        self._pupils = [
            Pupil(outcome.name, OutcomeLearner(outcome.name, rolled=outcome if weekly[outcome] else None))
            for outcome in outcomes
        ]
        self._shown: dict[str, str] = {}
        self._pupils.append(Pupil(SEGMENTS_NAME, SegmentLearner(sampled_outcome(outcomes))))

    @property
    def epoch_day(self) -> int:
        """The last day that every learner has been taught, 0 before the first."""
        return min(pupil.epoch_day for pupil in self._pupils)

    async def restore(self) -> int:
        """Take up what was saved, publish it again, and return the offset of the labels log to go on at.

        Raises:
            StoreUnavailableError: Redis does not answer.
            LayoutError: saved by another layout.
        """
        offsets = []
        for pupil in self._pupils:
            saved = await self._store.load_learner(pupil.name)
            offsets.append(saved[0] if saved else 0)
            if saved:
                self._take_up(pupil, saved[1])
                await self._store.publish(pupil.name, pupil.version, pupil.sealed, pupil.epoch_day)
        for pupil in self._pupils:
            document = self._document(pupil) if isinstance(pupil.learner, OutcomeLearner) and pupil.sealed else None
            if isinstance(document, OutcomeDocument):
                _judged(pupil, document)
        self._show_versions()
        return min(offsets)

    def _take_up(self, pupil: Pupil, packed: bytes) -> None:
        try:
            saved = msgspec.msgpack.decode(packed, type=Saved)
        except msgspec.DecodeError as error:
            raise LayoutError(
                f"What Redis has for learner {pupil.name} is no learner: {error}. Delete learner:{pupil.name}."
            ) from error
        pupil.learner = pupil.learner.restored(saved.learner)
        pupil.labels, pupil.version, pupil.sealed = saved.labels, saved.version, saved.sealed
        pupil.epoch_day = saved.epoch_day

    def learn(self, labels: Sequence[Label], day: int | None) -> None:
        """Learn labels, sorted as they should be learned; `day` is the epoch they complete, None on the live clock."""
        newest_ms = max((label.matured_ms for label in labels), default=0)
        taught = []
        for pupil in self._pupils:
            if day is None or day > pupil.epoch_day:
                pupil.epoch_day = day if day is not None else max(pupil.epoch_day, newest_ms // DAY_MS)
                if self._teach(pupil, labels) or not pupil.sealed:
                    taught.append(pupil)
        for pupil in taught:  # when all have learned: what one has learned of weeks is part of another's document
            self._write(pupil)

    def _teach(self, pupil: Pupil, labels: Sequence[Label]) -> int:
        new = pupil.learner.learn(labels)
        pupil.labels += new
        metrics.LABELS.labels(pupil.name).inc(new)
        return new

    def _document(self, pupil: Pupil) -> OutcomeDocument | SegmentDocument | None:
        version = str(pupil.labels)
        if isinstance(pupil.learner, SegmentLearner):
            return pupil.learner.document(version, pupil.epoch_day)
        return pupil.learner.document(version, pupil.epoch_day, self._weekly_model(pupil.name))

    def _weekly_model(self, name: str) -> LinearModel | None:
        """The regression that an outcome is rolled forward with."""
        weekly = next((pupil.learner for pupil in self._pupils if pupil.name == self._weekly.get(name)), None)
        return weekly.newton if isinstance(weekly, OutcomeLearner) else None

    def _write(self, pupil: Pupil) -> None:
        document = self._document(pupil)
        if document is None:
            return
        pupil.version, pupil.sealed = document.version, seal(encode(document), self._keyring)
        if isinstance(document, OutcomeDocument):
            _judged(pupil, document)

    def _show_versions(self) -> None:
        for pupil in self._pupils:
            if pupil.sealed:
                show_version(metrics.MODEL_INFO, self._shown, pupil.name, pupil.version)

    async def publish(self, next_offset: int) -> None:
        """Save each learner with its offset in one write, then put its document in force."""
        for pupil in self._pupils:
            packed = pupil.learner.to_bytes()
            saved = Saved(pupil.epoch_day, pupil.labels, pupil.version, pupil.sealed, packed)
            await self._store.save_learner(pupil.name, next_offset, msgspec.msgpack.encode(saved), pupil.metrics)
            await self._store.publish(pupil.name, pupil.version, pupil.sealed, pupil.epoch_day)
        metrics.EPOCH_DAY.set(self.epoch_day)
        metrics.PUBLISHED.set_to_current_time()
        self._show_versions()


def sampled_outcome(outcomes: Sequence[Outcome]) -> str:
    """The outcome whose labels are a sample of customers: everybody is asked about, and it matures first."""
    everybody = [
        each for each in outcomes if each.purchase_days_at_least == 1 and each.active_within_days == ACTIVE_WITHIN_DAYS
    ]
    return min(everybody or outcomes, key=lambda each: each.horizon_days).name


def _judged(pupil: Pupil, document: OutcomeDocument) -> None:
    """How the candidates do, for who asks Redis and for the metrics."""
    pupil.metrics = msgspec.json.encode(document.metrics)
    for candidate in document.candidates:
        metrics.SERVING.labels(document.name, candidate).set(candidate == document.serving)
    for candidate, judged in document.metrics.items():
        metrics.JUDGED.labels(document.name, candidate).set(judged.rows)
        metrics.LOG_LOSS.labels(document.name, candidate).set(judged.log_loss)
        if judged.auc is not None:
            metrics.AUC.labels(document.name, candidate).set(judged.auc)
