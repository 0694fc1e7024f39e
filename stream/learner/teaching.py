"""All learners of a deployment together: taught from the same labels, saved and published one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import attrgetter
from typing import NamedTuple

import msgspec
import structlog

from schemas.messages import DriftNoticed, Label, ModelDecision
from schemas.units import DAY_MS
from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.learner.drift import news, show_drift
from stream.learner.saved import Saved, open_saved, seal_saved
from stream.learner.showing import show_contest
from stream.learning.label_rows import LabelRows
from stream.learning.outcome import OutcomeLearner, learner_of
from stream.learning.segments import SegmentLearner
from stream.metrics import learner as metrics
from stream.metrics.info import show_version
from stream.outcomes.declaration import BUILT_IN, Outcome, is_same_question, sampled_outcome
from stream.ports import ModelStore
from stream.scoring.budget import SCORE_BUDGET_US
from stream.scoring.challengers import AnyChallenger, ChallengerDocument, SegmentChallenger, decode_challenger
from stream.scoring.documents import NO_DOCUMENT_YET, SEGMENTS_NAME, OutcomeDocument, SegmentDocument, encode
from stream.scoring.kinds import HALF
from stream.signing import Keyring, open_sealed, seal

log = structlog.get_logger()


class Ruling(NamedTuple):
    """A decision of a person, with the challenger it admits; None if it admits none, or that was refused."""

    decision: ModelDecision
    challenger: AnyChallenger | None


@dataclass
class Pupil:
    """One learner, how many labels it has learned, and the document it gave out last.

    Versions are numbers of labels, and of a person's decisions where there are any: the same log gives the same names.
    """

    name: str
    learner: OutcomeLearner | SegmentLearner
    learns_from: str
    """The outcome whose labels it learns from."""
    question: int = 0
    """Checksum of the outcome's declaration; 0 of segments, which ask nothing."""
    labels: int = 0
    version: str = NO_DOCUMENT_YET
    written: OutcomeDocument | SegmentDocument | None = None
    """A document that is not sealed yet."""
    sealed: bytes = b""
    metrics: bytes = b"{}"
    epoch_day: int = 0
    shown: set[str] = field(default_factory=set)
    """Candidates that the metrics show."""


class Teacher:
    """Teaches, saves and publishes.

    Each learner is saved in a write of its own: after a crash between two of them one is a day ahead of the other. The
    day is then read again, and who has learned it is passed over.
    """

    def __init__(
        self,
        store: ModelStore,
        keyring: Keyring,
        outcomes: Sequence[Outcome] = BUILT_IN,
        budget_us: float = SCORE_BUDGET_US,
    ) -> None:
        self._store, self._keyring = store, keyring
        self._every = {outcome.name: of.name for outcome in outcomes if (of := outcome.of_every_purchase(outcomes))}
        rolled = {outcome.name: of.name for outcome in outcomes if (of := outcome.weekly(outcomes))}
        soonest = sorted((outcome for outcome in outcomes if outcome.name in rolled), key=attrgetter("horizon_days"))
        self._soonest_rolled = soonest[0].name if soonest else None
        self._weekly = rolled | {name: rolled[of] for name, of in self._every.items() if of in rolled}
        sampled = sampled_outcome(outcomes)
        self._pupils = [
            Pupil(outcome.name, learner_of(outcome, outcomes, budget_us), outcome.name, outcome.code)
            for outcome in outcomes
        ]
        self._pupils.append(Pupil(SEGMENTS_NAME, SegmentLearner(sampled), sampled))
        self._shown: dict[str, str] = {}
        self._noticed: list[DriftNoticed] = []

    @property
    def epoch_day(self) -> int:
        """The last day that every learner has been taught, 0 before the first.

        One that has been taught nothing yet, as of an outcome that is new, has missed no day: unless the one that is
        saved last has not either, since then the first of all days was interrupted.
        """
        taught = [pupil.epoch_day for pupil in self._pupils if pupil.epoch_day]
        return min(taught) if self._pupils[-1].epoch_day else 0

    async def restore(self) -> int:
        """Take up what was saved, publish it again, and return the offset of the labels log to go on at.

        It is that of the last one, which is saved when all others are. One that is farther back is of an outcome that
        is asked again after a time, as a new one is: of neither are there labels that came since.

        Raises:
            StoreUnavailableError: Redis does not answer.
            LayoutError: saved by another layout.
            ModelRefusedError: it is not signed by a key of ours, or was changed.
        """
        next_offset, signed_anew = 0, dict[str, tuple[int, bytes]]()
        for pupil in self._pupils:
            metrics.REFUSED.labels(pupil.name)  # 0 also of who has saved nothing yet
            saved = await self._store.load_learner(pupil.name)
            next_offset = saved[0] if saved else 0
            if saved and (kept := await self._take_up(pupil, *saved)):
                packed = seal_saved(kept, self._keyring)
                if packed != saved[1]:
                    signed_anew[pupil.name] = next_offset, packed
                await self._store.publish(pupil.name, pupil.version, pupil.sealed, pupil.epoch_day)
        for pupil in self._pupils:
            document = self._document(pupil) if isinstance(pupil.learner, OutcomeLearner) and pupil.sealed else None
            if isinstance(document, OutcomeDocument):
                _judged(pupil, document)
            self._heed_drift(pupil)
            if pupil.name in signed_anew:  # else a start without the key before would publish what nobody can verify
                await self._store.save_learner(pupil.name, *signed_anew[pupil.name], pupil.metrics)
        metrics.EPOCH_DAY.set(self.epoch_day)
        self._show_versions()
        return next_offset

    async def _take_up(self, pupil: Pupil, next_offset: int, packed: bytes) -> Saved | None:
        """Go on where a learner was saved; what was saved, with the document signed by the key that signs now.

        None where it had learned another question. Of that everything goes: its models answer what nobody asks any
        more, its challengers were trained for that.
        """
        try:
            saved = open_saved(packed, pupil.name, next_offset, self._keyring)
        except ModelRefusedError:
            metrics.REFUSED.labels(pupil.name).set(1)
            raise
        metrics.REFUSED.labels(pupil.name).set(0)
        if not is_same_question(saved.question, pupil.question):
            await self._store.forget(pupil.name)
            log.warning("an outcome is declared anew under its name, and its learner begins anew", outcome=pupil.name)
            return None
        pupil.learner = pupil.learner.restored(saved.learner)
        pupil.labels, pupil.version, pupil.sealed = saved.labels, saved.version, self._signed_anew(saved.sealed)
        pupil.epoch_day = saved.epoch_day
        return msgspec.structs.replace(saved, sealed=pupil.sealed)

    def _signed_anew(self, sealed: bytes) -> bytes:
        """What was published last, signed with the key that signs now: the one before may be taken away next."""
        if not sealed:
            return sealed
        try:
            return seal(open_sealed(sealed, self._keyring), self._keyring)
        except ModelRefusedError as error:
            log.warning("what was published last stays as it is; workers refuse it until the next", error=str(error))
            return sealed

    async def ruling(self, decision: ModelDecision) -> Ruling:
        """A decision with what it is about: of the challenger that it admits the document, verified.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        if decision.outcome not in {pupil.name for pupil in self._pupils}:
            log.warning("a decision is about no outcome of this deployment", outcome=decision.outcome)
        if decision.action != "admit":
            return Ruling(decision, None)
        try:
            sealed = await self._store.fetch_challenger(decision.outcome, decision.candidate)
            return Ruling(decision, _admitted(decision, sealed, self._keyring))
        except ModelRefusedError as error:
            metrics.CHALLENGERS_REFUSED.inc()
            log.warning("a challenger was refused", outcome=decision.outcome, error=str(error))
            return Ruling(decision, None)

    def learn(self, labels: Sequence[Label], day: int | None, rulings: Sequence[Ruling] = ()) -> None:
        """Learn labels, then do what was decided.

        Args:
            labels: sorted as they should be learned.
            day: the epoch they complete; None on the live clock.
            rulings: a person's decisions.
        """
        newest_ms = max((label.matured_ms for label in labels), default=0)
        by_outcome: dict[str, list[Label]] = {}
        for label in labels:
            by_outcome.setdefault(label.outcome, []).append(label)
        taught = []
        for pupil in self._pupils:
            if day is None or day > pupil.epoch_day:
                pupil.epoch_day = day if day is not None else max(pupil.epoch_day, newest_ms // DAY_MS)
                decided = [each for each in rulings if each.decision.outcome == pupil.name]
                begun = _begun(pupil.learner)
                new = pupil.learner.learn(by_outcome.get(pupil.learns_from, ()))
                _tell_who_came_and_went(pupil.name, begun, _begun(pupil.learner))
                if self._taught(pupil, new, decided):
                    taught.append(pupil)
        for pupil in taught:  # when all have learned: what one has learned of weeks is part of another's document
            self._write(pupil)

    def learn_rows(self, labels: Mapping[str, LabelRows], day: int) -> None:
        """Learn the labels of an epoch, in one process: none comes twice, no person decides, no log is told.

        Args:
            labels: outcome -> its labels, sorted as they should be learned; at least one each.
            day: the epoch that they complete.
        """
        taught = []
        for pupil in self._pupils:
            ours, pupil.epoch_day = labels.get(pupil.learns_from), day
            if self._taught(pupil, 0 if ours is None else pupil.learner.learn_rows(ours)):
                taught.append(pupil)
        for pupil in taught:
            self._write(pupil)

    def _taught(self, pupil: Pupil, new: int, rulings: Sequence[Ruling] = ()) -> bool:
        """Show what a pupil has noticed, count new labels, do what was decided; whether there is something to write."""
        self._heed_drift(pupil)
        pupil.labels += new
        metrics.LABELS.labels(pupil.name).inc(new)
        for ruling in rulings:
            _do(ruling, pupil.learner)
        return bool(new or rulings or pupil.version == NO_DOCUMENT_YET)

    def _heed_drift(self, pupil: Pupil) -> None:
        """Show what a learner has measured at the ends of weeks, and keep what is to be said."""
        if isinstance(pupil.learner, OutcomeLearner):
            measured = pupil.learner.after_drift.take_measured()
            show_drift(measured)
            self._noticed += news(measured)

    def take_noticed(self) -> list[DriftNoticed]:
        """What has moved since this was last asked."""
        taken, self._noticed = self._noticed, []
        return taken

    def _document(self, pupil: Pupil) -> OutcomeDocument | SegmentDocument | None:
        decisions = pupil.learner.contest.championship.decisions
        version = f"{pupil.labels}.{decisions}" if decisions else str(pupil.labels)
        if isinstance(pupil.learner, SegmentLearner):
            return pupil.learner.document(version, pupil.epoch_day)
        weekly, every = (self._learner(of.get(pupil.name)) for of in (self._weekly, self._every))
        parts = weekly.newton if weekly else None, every.mix if every else None
        soonest = self._learner(self._soonest_rolled)  # what it has learned is the freshest, and of the most labels
        share = soonest.hazard_share.share if soonest else HALF
        return pupil.learner.document(version, pupil.epoch_day, *parts, share)

    def _learner(self, name: str | None) -> OutcomeLearner | None:
        """The learner of an outcome, of which another's document has a part."""
        found = next((pupil.learner for pupil in self._pupils if pupil.name == name), None)
        return found if isinstance(found, OutcomeLearner) else None

    def _write(self, pupil: Pupil) -> None:
        document = self._document(pupil)
        if document is not None:
            pupil.version, pupil.written = document.version, document

    def take_written(self) -> list[OutcomeDocument | SegmentDocument]:
        """The documents that were written since this was last asked, for a run in one process, which publishes none."""
        taken = [pupil.written for pupil in self._pupils if pupil.written is not None]
        for pupil in self._pupils:
            pupil.written = None
        return taken

    def _seal(self, pupil: Pupil) -> None:
        document, pupil.written = pupil.written, None
        if document is not None:
            pupil.sealed = seal(encode(document), self._keyring)
        if isinstance(document, OutcomeDocument):
            _judged(pupil, document)

    def _show_versions(self) -> None:
        for pupil in self._pupils:
            if pupil.sealed:
                show_version(metrics.MODEL_INFO, self._shown, pupil.name, pupil.version)

    async def publish(self, next_offset: int) -> None:
        """Save each learner with its offset in one write, then put its document in force."""
        for pupil in self._pupils:
            self._seal(pupil)
            packed = pupil.learner.to_bytes()
            saved = Saved(
                pupil.epoch_day, pupil.labels, pupil.version, pupil.sealed, packed, pupil.name, next_offset,
                pupil.question,
            )  # fmt: skip
            await self._store.save_learner(pupil.name, next_offset, seal_saved(saved, self._keyring), pupil.metrics)
            await self._store.publish(pupil.name, pupil.version, pupil.sealed, pupil.epoch_day)
        metrics.EPOCH_DAY.set(self.epoch_day)
        metrics.PUBLISHED.set_to_current_time()
        self._show_versions()


def _begun(learner: OutcomeLearner | SegmentLearner) -> dict[str, str]:
    """The challengers that began at a drift, and their recipes."""
    return dict(learner.contest.begun) if isinstance(learner, OutcomeLearner) else {}


def _tell_who_came_and_went(outcome: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    for name in now.keys() - before.keys():
        log.info("a challenger begins after drift", outcome=outcome, candidate=name, recipe=now[name])
    for name in before.keys() - now.keys():
        log.info("a challenger that began after drift has not won, and goes", outcome=outcome, candidate=name)


def _admitted(decision: ModelDecision, sealed: bytes, keyring: Keyring) -> AnyChallenger:
    """The challenger that is meant.

    Raises:
        ModelRefusedError: it is another one, or signed wrongly, or of another layout.
    """
    if sha256(sealed).hexdigest() != decision.digest:
        raise ModelRefusedError(
            f"Challenger {decision.candidate} of {decision.outcome} is not the one that was meant. Publish it again."
        )
    return decode_challenger(open_sealed(sealed, keyring), decision.outcome, decision.candidate, LAYOUT)


def _do(ruling: Ruling, learner: OutcomeLearner | SegmentLearner) -> None:
    """Tell a learner what was decided about it."""
    decision, challenger = ruling
    if isinstance(learner, SegmentLearner):
        refused = learner.decide(decision, challenger if isinstance(challenger, SegmentChallenger) else None)
    else:
        refused = learner.decide(decision, challenger if isinstance(challenger, ChallengerDocument) else None)
    metrics.DECISIONS.labels(decision.outcome, "refused" if refused else "taken").inc()
    log.info(
        "a person has decided about a model",
        outcome=decision.outcome,
        action=decision.action,
        candidate=decision.candidate,
        refused=refused,
    )


def _judged(pupil: Pupil, document: OutcomeDocument) -> None:
    """How the candidates do, for who asks Redis and for the metrics."""
    pupil.metrics = msgspec.json.encode(document.metrics)
    if isinstance(pupil.learner, OutcomeLearner):
        show_contest(document, pupil.learner.contest, pupil.shown)
