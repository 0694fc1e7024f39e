"""Challengers published from outside: a model of one outcome, made by somebody else, that has to prove itself here.

A publisher seals a document, puts it into Redis under the outcome and the challenger's name, and writes on the labels
log that it is there (`schemas.messages.ModelDecision`, "admit"). The learner takes it up with the next epoch; from then
on it is among the candidates of the outcome's document, workers store its score with every snapshot, and it is judged
on snapshots taken after its training had seen its last event.
"""

import re

import msgspec

from schemas.misfits import MALFORMED
from stream.customers.segments import name_centres
from stream.errors import ModelRefusedError
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.scoring.checking import check_model
from stream.scoring.documents import (
    CALIBRATED,
    CANDIDATES,
    MOVED,
    ONLINE,
    ROLLED,
    SEGMENTS_NAME,
    SegmentDocument,
    check_centres,
    schema_of,
)
from stream.scoring.kinds import Model

CENTRES_AT_MOST = 50  # as many as `ebb offline segments` finds

BEGUN_PREFIX = "drift_"
"""Of the names of challengers that the learner begins by itself; nobody else's has it."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What every challenger says of itself.

    Attributes:
        outcome: what it predicts, or "segments".
        name: what it is called among the candidates.
        layout: of the columns it was trained on.
        schema: their names (`stream.scoring.documents.schema_of`).
        trained_until_ms: its training has seen what happened up to here; it is judged on later snapshots alone.
        published_ms: wall-clock time.
        recipe: how it was made, in words.
    """

    outcome: str
    name: str
    layout: str
    schema: str
    trained_until_ms: int
    published_ms: int
    recipe: str = ""


class ChallengerDocument(Published, frozen=True, kw_only=True, tag="challenger"):
    """A challenger of an outcome: `model` is of any kind that serves (`stream.scoring.kinds`)."""

    model: Model


class SegmentChallenger(Published, frozen=True, kw_only=True, tag="segment_challenger"):
    """Named cluster centres that might be the segments."""

    model: SegmentDocument


AnyChallenger = ChallengerDocument | SegmentChallenger


def check_challenger_name(name: str) -> None:
    """Refuse a name that is none, or that Ebb's own candidates have.

    Raises:
        ModelRefusedError: so it is.

    >>> check_challenger_name("newton_logistic")
    Traceback (most recent call last):
    stream.errors.ModelRefusedError: A challenger cannot be called 'newton_logistic': Ebb's own candidate is. ...
    >>> check_challenger_name("drift_2026_05_14")
    Traceback (most recent call last):
    stream.errors.ModelRefusedError: A challenger cannot be called 'drift_2026_05_14': those that Ebb begins at a ...
    """
    if name in (*CANDIDATES, *ROLLED, MOVED, CALIBRATED, ONLINE):
        raise ModelRefusedError(f"A challenger cannot be called {name!r}: Ebb's own candidate is. Choose another name.")
    if name.startswith(BEGUN_PREFIX):
        raise ModelRefusedError(
            f"A challenger cannot be called {name!a}: those that Ebb begins at a drift are called {BEGUN_PREFIX}…. "
            "Choose another name."
        )
    if not _NAME.fullmatch(name):
        raise ModelRefusedError(
            f"A challenger cannot be called {name!a}: a name has lower-case letters, digits and _, at most 40 of them."
        )


def encode_challenger(document: AnyChallenger) -> bytes:
    """The document as JSON, to be sealed."""
    return msgspec.json.encode(document, order="sorted")


def decode_challenger(payload: bytes, outcome: str, name: str, layout: str) -> AnyChallenger:
    """A published challenger.

    Args:
        payload: as `encode_challenger` wrote it.
        outcome: whose challenger it should be, or "segments".
        name: what it should be called.
        layout: of the columns that it will score.

    Raises:
        ModelRefusedError: it is something else, or cannot score these columns.
    """
    try:
        document = _decoder.decode(payload)
    except MALFORMED as error:
        raise ModelRefusedError(f"not a challenger: {error}. Publish it again.") from error
    check_challenger_name(document.name)
    if (document.outcome, document.name) != (outcome, name):
        raise ModelRefusedError(
            f"Challenger {name} of {outcome} holds {document.name} of {document.outcome}. Publish it again."
        )
    columns = MODEL_COLUMNS if isinstance(document, ChallengerDocument) else SEGMENT_COLUMNS
    if (document.layout, document.schema) != (layout, schema_of(columns)):
        raise ModelRefusedError(
            f"Challenger {name} of {outcome} was trained on other columns: layout {document.layout!r} and schema "
            f"{document.schema!r}, here {layout!r} and {schema_of(columns)!r}. Train it on those of this release."
        )
    if isinstance(document, SegmentChallenger) != (outcome == SEGMENTS_NAME):
        raise ModelRefusedError(f"Challenger {name} of {outcome} is of another kind. Publish it again.")
    if isinstance(document, SegmentChallenger):
        _check_centres(document.model, f"Challenger {name} of {outcome}")
    else:
        check_model(document.model, f"Challenger {name} of {outcome}")
    _refuse_unkept(document)
    return document


def _refuse_unkept(document: AnyChallenger) -> None:
    """A learner keeps what it admits as msgpack, whose whole numbers have 64 bits; those of JSON are of any size."""
    try:
        msgspec.msgpack.encode(document)
    except OverflowError as error:
        what = f"Challenger {document.name} of {document.outcome}"
        raise ModelRefusedError(f"{what} has a whole number beyond 64 bits. Publish it again.") from error


_decoder: msgspec.json.Decoder[AnyChallenger] = msgspec.json.Decoder(AnyChallenger)


def _check_centres(model: SegmentDocument, what: str) -> None:
    """A segment is known by its name, so a name has to mean what it means of the learner's own centres."""
    check_centres(model, what)
    if len(model.centres) > CENTRES_AT_MOST:
        raise ModelRefusedError(f"{what} has {len(model.centres):,} centres, {CENTRES_AT_MOST} are allowed.")
    named = tuple(name_centres(model.centres, model.means, model.scales))
    if model.names != named:
        raise ModelRefusedError(
            f"{what} calls its centres {', '.join(model.names)}; by the rules of this release they are "
            f"{', '.join(named)}. Find them again with `ebb offline segments`."
        )
