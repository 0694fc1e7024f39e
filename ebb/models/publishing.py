"""Publishing a challenger: the sealed document into Redis, then word of it on the labels log."""

import time
from hashlib import sha256

from ebb.models.deciding import Written, write_decision
from ebb.models.reading import ModelError, asking, document_of, known_model
from stream.features.layout import LAYOUT
from stream.features.model_columns import MODEL_COLUMNS
from stream.ports import CHALLENGERS_AT_MOST
from stream.scoring.challengers import (
    ChallengerDocument,
    check_challenger_name,
    decode_challenger,
    encode_challenger,
)
from stream.scoring.documents import OutcomeDocument, schema_of
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring, seal


def publish(settings: WorkerSettings, challenger: ChallengerDocument, *, by: str) -> Written:
    """Let a challenger take part: `ebb.models.deciding.taken` waits until it does.

    Raises:
        ModelRefusedError: it cannot be one.
        ModelError: it is champion, or there are as many as may be.
        EbbError: Redis or Kafka is away.
    """
    outcome, name = challenger.outcome, challenger.name
    check_challenger_name(name)
    contest = known_model(settings, outcome).contest
    if name == contest.championship.champion:
        raise ModelError(f"{name} is champion of {outcome}. Publish under another name.")
    if name not in contest.challengers and len(contest.challengers) >= CHALLENGERS_AT_MOST:
        there = sorted(contest.challengers)
        raise ModelError(
            f"{outcome} has {CHALLENGERS_AT_MOST} challengers already: {', '.join(there)}. Let one go first: "
            f"`ebb models withdraw {outcome} {there[0]}`."
        )
    payload = encode_challenger(challenger)
    decode_challenger(payload, outcome, name, LAYOUT)  # what the learner would refuse is not published
    sealed = seal(payload, Keyring.from_text(settings.model_keys))
    asking(settings, lambda store: store.publish_challenger(outcome, name, sealed))
    return write_decision(settings, outcome, "admit", name, by=by, digest=sha256(sealed).hexdigest())


def version_as_challenger(settings: WorkerSettings, outcome: str, version: str) -> ChallengerDocument:
    """What served in a stored version, as it was then: a challenger of its own.

    Raises:
        EbbError: there is no such version, or nothing served in it.
    """
    document = document_of(settings, outcome, version)
    if not isinstance(document, OutcomeDocument) or document.serving is None:
        raise ModelError(f"In version {version} of {outcome} nothing served. `ebb models show {outcome}` lists others.")
    return ChallengerDocument(
        outcome=outcome,
        name=f"version_{version.replace('.', '_')}",
        layout=LAYOUT,
        schema=schema_of(MODEL_COLUMNS),
        model=document.candidates[document.serving],
        trained_until_ms=document.trained_until_ms,
        published_ms=time.time_ns() // 1_000_000,
        recipe=f"{document.serving} as it was in version {version}",
    )
