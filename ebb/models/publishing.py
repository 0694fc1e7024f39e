"""Publishing a challenger: the sealed document into Redis, then word of it on the labels log."""

import time
from collections.abc import Iterable
from hashlib import sha256

from ebb.models.deciding import Written, write_decision
from ebb.models.reading import ModelError, document_of, known
from ebb.models.stored import asking
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.ports import CHALLENGERS_AT_MOST
from stream.scoring.challengers import (
    AnyChallenger,
    ChallengerDocument,
    SegmentChallenger,
    check_challenger_name,
    decode_challenger,
    encode_challenger,
)
from stream.scoring.costs import score_us
from stream.scoring.documents import SegmentDocument, schema_of
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring, seal


def publish(settings: WorkerSettings, challenger: AnyChallenger, *, by: str) -> Written:
    """Let a challenger take part: `ebb.models.deciding.taken` waits until it does.

    Raises:
        ModelRefusedError: it cannot be one.
        ModelError: it is champion, or there are as many as may be.
        EbbError: Redis or Kafka is away.
    """
    outcome, name = challenger.outcome, challenger.name
    check_challenger_name(name)
    contest = known(settings, outcome).contest
    if name == contest.championship.champion:
        raise ModelError(f"{name} is champion of {outcome}. Publish under another name.")
    refuse_full(outcome, name, contest.challengers)
    payload = encode_challenger(challenger)
    decode_challenger(payload, outcome, name, LAYOUT)  # what the learner would refuse is not published
    sealed = seal(payload, Keyring.from_text(settings.model_keys))
    asking(settings.redis_url, lambda store: store.publish_challenger(outcome, name, sealed))
    return write_decision(settings, outcome, "admit", name, by=by, digest=sha256(sealed).hexdigest())


def refuse_full(outcome: str, name: str, there: Iterable[str]) -> None:
    """See that there is a place for a challenger beside those there are.

    Raises:
        ModelError: there are as many as may be, and it is none of them.
    """
    names = sorted(there)
    if name not in names and len(names) >= CHALLENGERS_AT_MOST:
        raise ModelError(
            f"{outcome} has {CHALLENGERS_AT_MOST} challengers already: {', '.join(names)}. Let one go first: "
            f"`ebb models withdraw {outcome} {names[0]}`."
        )


def notes(challenger: AnyChallenger, budget_us: float) -> list[str]:
    """What a publisher should know."""
    if isinstance(challenger, SegmentChallenger) or score_us(challenger.model) <= budget_us:
        return []
    return [
        f"a score by {challenger.name} takes about {score_us(challenger.model):.1f} us, EBB_SCORE_BUDGET_US is "
        f"{budget_us:g}: it is judged, but not promoted unless that is raised."
    ]


def version_as_challenger(settings: WorkerSettings, outcome: str, version: str) -> AnyChallenger:
    """What served in a stored version, as it was then: a challenger of its own.

    Raises:
        EbbError: there is no such version, or nothing served in it.
    """
    document = document_of(settings, outcome, version)
    name, published_ms = f"version_{version.replace('.', '_')}", time.time_ns() // 1_000_000
    if isinstance(document, SegmentDocument):
        return SegmentChallenger(
            outcome=outcome,
            name=name,
            layout=LAYOUT,
            schema=schema_of(SEGMENT_COLUMNS),
            model=document,
            trained_until_ms=document.epoch_day * DAY_MS,
            published_ms=published_ms,
            recipe=f"{document.candidate} as it was in version {version}",
        )
    if document.serving is None:
        raise ModelError(f"In version {version} of {outcome} nothing served. `ebb models show {outcome}` lists others.")
    return ChallengerDocument(
        outcome=outcome,
        name=name,
        layout=LAYOUT,
        schema=schema_of(MODEL_COLUMNS),
        model=document.candidates[document.serving],
        trained_until_ms=document.trained_until_ms,
        published_ms=published_ms,
        recipe=f"{document.serving} as it was in version {version}",
    )
