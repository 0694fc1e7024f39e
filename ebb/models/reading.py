"""What Redis knows of a model: the document in force, and the learner that wrote it."""

from dataclasses import dataclass

from ebb.models.stored import asking, fetched
from schemas.units import DAY_MS
from stream.errors import EbbError, ModelRefusedError
from stream.features.layout import LAYOUT
from stream.features.model_columns import MODEL_COLUMNS
from stream.learner.saved import Saved, open_saved
from stream.learning.contest import Contest
from stream.learning.judgement import PERIOD_DAYS
from stream.learning.outcome import learner_of
from stream.learning.segment_contest import SegmentContest
from stream.learning.segment_state import SegmentState
from stream.learning.states import decode_state, refuse_other_layout
from stream.outcomes.declaration import GRACE_MS, Outcome, is_same_question
from stream.redis_store.registry import RedisModelStore
from stream.scoring.costs import score_us
from stream.scoring.documents import (
    SEGMENTS_NAME,
    Document,
    OutcomeDocument,
    SegmentDocument,
    refuse_another_question,
)
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring


class ModelError(EbbError):
    """What is asked about a model cannot be answered or done."""


@dataclass(frozen=True)
class Known:
    """What is known of an outcome's models.

    Attributes:
        outcome: whose they are.
        document: in force; None before the first.
        contest: how the candidates do.
        is_in_force: whether `document` is the one the learner has saved beside `contest`; it saves first.
        refused: why what Redis has in the place of `document` was refused; "" if it was not.
    """

    outcome: Outcome
    document: OutcomeDocument | None
    contest: Contest
    is_in_force: bool = True
    refused: str = ""

    @property
    def name(self) -> str:
        """The outcome's."""
        return self.outcome.name

    @property
    def serving(self) -> str | None:
        """The candidate that serves."""
        return self.document.serving if self.document else None

    def is_period_open(self, first_day: int) -> bool:
        """Whether labels of these days may come still: where windows are customers' own, those of seldom customers."""
        closes_ms = (first_day + PERIOD_DAYS + self.outcome.horizon_days) * DAY_MS + GRACE_MS
        return self.contest.newest_ms < closes_ms

    @property
    def costs_us(self) -> dict[str, float]:
        """Candidate -> about what a score by it costs, in us."""
        candidates = self.document.candidates if self.document else {}
        return {name: score_us(model) for name, model in candidates.items()}


@dataclass(frozen=True)
class KnownSegments:
    """What is known of the centres of segments: the document in force (None before the first), and who takes part.

    `is_in_force` as of `Known`.
    """

    document: SegmentDocument | None
    contest: SegmentContest
    is_in_force: bool = True
    name: str = SEGMENTS_NAME

    @property
    def serving(self) -> str | None:
        """The candidate whose centres are in force."""
        return self.document.candidate if self.document else None


AnyKnown = Known | KnownSegments


def known_models(settings: WorkerSettings) -> list[Known]:
    """All outcomes of the deployment, in their order, also those whose document is refused.

    Raises:
        EbbError: Redis is away, or what a learner has saved is not what it should be.
    """
    return asking(settings.redis_url, lambda store: _all(store, settings))


def known_model(settings: WorkerSettings, name: str) -> Known:
    """One outcome.

    Raises:
        EbbError: there is none of this name; Redis is away; a document is not what it should be.
    """
    outcome = _outcome_of(settings, name)
    return asking(settings.redis_url, lambda store: _known(store, settings, outcome))


def known_segments(settings: WorkerSettings) -> KnownSegments:
    """The segments.

    Raises:
        EbbError: Redis is away, or a document is not what it should be.
    """
    return asking(settings.redis_url, lambda store: _segments(store, settings))


def known(settings: WorkerSettings, name: str) -> AnyKnown:
    """An outcome, or the segments; else as `known_model`."""
    return known_segments(settings) if name == SEGMENTS_NAME else known_model(settings, name)


def _outcome_of(settings: WorkerSettings, name: str) -> Outcome:
    """The outcome of a name.

    Raises:
        ModelError: there is none.
    """
    for outcome in settings.predicted.outcomes:
        if outcome.name == name:
            return outcome
    names = ", ".join(settings.predicted.names)
    besides = f" `ebb models show {SEGMENTS_NAME}` shows their centres." if name == SEGMENTS_NAME else ""
    raise ModelError(f"{name!a} is no outcome; there are {names}.{besides}")


def document_of(settings: WorkerSettings, name: str, version: str | None) -> Document:
    """A verified document: of a version, or the one in force.

    Raises:
        EbbError: there is none; Redis is away; it is not what it should be.
    """
    if name != SEGMENTS_NAME:
        _outcome_of(settings, name)
    if version is not None and (there := versions_of(settings, name)) and version not in there:
        raise ModelError(
            f"There is no version {version!r} of {name} in Redis: it keeps the newest {len(there)}, {there[-1]} to "
            f"{there[0]}. `ebb models show {name} --json` lists them."
        )
    keyring = Keyring.from_text(settings.model_keys)
    found = asking(settings.redis_url, lambda store: fetched(store, keyring, name, version))
    if found is None:
        raise ModelError(f"{name} has no model yet: it needs labels, and a learner (`ebb learner`).")
    return found


def versions_of(settings: WorkerSettings, name: str) -> list[str]:
    """The stored versions of a model, the newest first."""
    return asking(settings.redis_url, lambda store: store.versions(name))[::-1]


async def _all(store: RedisModelStore, settings: WorkerSettings) -> list[Known]:
    return [await _known_or_refused(store, settings, outcome) for outcome in settings.predicted.outcomes]


async def _known_or_refused(store: RedisModelStore, settings: WorkerSettings, outcome: Outcome) -> Known:
    try:
        return await _known(store, settings, outcome)
    except ModelRefusedError as error:
        contest, _ = await _learned(store, settings, outcome)
        return Known(outcome, None, contest, refused=str(error))


async def _known(store: RedisModelStore, settings: WorkerSettings, outcome: Outcome) -> Known:
    document = await fetched(store, Keyring.from_text(settings.model_keys), outcome.name, None)
    if document is not None:
        refuse_another_question(document, outcome.code)
    in_force = document if isinstance(document, OutcomeDocument) else None
    contest, saved = await _learned(store, settings, outcome)
    return Known(outcome, in_force, contest, _is_in_force(saved, in_force))


async def _learned(store: RedisModelStore, settings: WorkerSettings, outcome: Outcome) -> tuple[Contest, Saved | None]:
    """How an outcome's candidates do, and what its learner has left."""
    learner = learner_of(outcome, settings.predicted.outcomes, settings.score_budget_us)
    saved = await _saved(store, settings, outcome.name)
    if saved is not None and not is_same_question(saved.question, outcome.code):
        saved = None  # as the learner takes it when it starts
    return (learner if saved is None else learner.restored(saved.learner)).contest, saved


async def _segments(store: RedisModelStore, settings: WorkerSettings) -> KnownSegments:
    document = await fetched(store, Keyring.from_text(settings.model_keys), SEGMENTS_NAME, None)
    saved = await _saved(store, settings, SEGMENTS_NAME)
    state = None
    if saved is not None:
        learned = decode_state(saved.learner, SegmentState)
        refuse_other_layout(SEGMENTS_NAME, (learned.layout, learned.columns), (LAYOUT, MODEL_COLUMNS))
        state = learned.contest
    in_force = document if isinstance(document, SegmentDocument) else None
    return KnownSegments(in_force, SegmentContest(state), _is_in_force(saved, in_force))


def _is_in_force(saved: Saved | None, document: Document | None) -> bool:
    """Whether a document is the one a learner was saved with, which may have none yet."""
    return saved is None or not saved.sealed or (document is not None and document.version == saved.version)


async def _saved(store: RedisModelStore, settings: WorkerSettings, name: str) -> Saved | None:
    """What a learner has left, verified."""
    saved = await store.load_learner(name)
    if saved is None:
        return None
    next_offset, packed = saved
    return open_saved(packed, name, next_offset, Keyring.from_text(settings.model_keys))
