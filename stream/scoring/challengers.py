"""Challengers published from outside: a model of one outcome, made by somebody else, that has to prove itself here.

A publisher seals a document, puts it into Redis under the outcome and the challenger's name, and writes on the labels
log that it is there (`schemas.messages.ModelDecision`, "admit"). The learner takes it up with the next epoch; from then
on it is among the candidates of the outcome's document, workers store its score with every snapshot, and it is judged
on snapshots taken after its training had seen its last event.
"""

import re

import msgspec

from stream.errors import ModelRefusedError
from stream.features.model_columns import MODEL_COLUMNS
from stream.scoring.checking import check_model
from stream.scoring.documents import CALIBRATED, CANDIDATES, schema_of
from stream.scoring.kinds import Model

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class ChallengerDocument(msgspec.Struct, frozen=True, kw_only=True, tag="challenger"):
    """A challenger as it is published.

    Attributes:
        outcome: what it predicts.
        name: what it is called among the candidates.
        layout: of the columns it was trained on.
        schema: their names (`stream.scoring.documents.schema_of`).
        model: what it says, of any kind that serves (`stream.scoring.kinds`).
        trained_until_ms: its training has seen what happened up to here; it is judged on later snapshots alone.
        published_ms: wall-clock time.
        recipe: how it was made, in words.
    """

    outcome: str
    name: str
    layout: str
    schema: str
    model: Model
    trained_until_ms: int
    published_ms: int
    recipe: str = ""


def check_challenger_name(name: str) -> None:
    """Refuse a name that is none, or that Ebb's own candidates have.

    Raises:
        ModelRefusedError: so it is.

    >>> check_challenger_name("newton_logistic")
    Traceback (most recent call last):
    stream.errors.ModelRefusedError: A challenger cannot be called 'newton_logistic': Ebb's own candidate is. ...
    """
    if name in (*CANDIDATES, CALIBRATED):
        raise ModelRefusedError(f"A challenger cannot be called {name!r}: Ebb's own candidate is. Choose another name.")
    if not _NAME.fullmatch(name):
        raise ModelRefusedError(
            f"A challenger cannot be called {name!a}: a name has lower-case letters, digits and _, at most 40 of them."
        )


def encode_challenger(document: ChallengerDocument) -> bytes:
    """The document as JSON, to be sealed."""
    return msgspec.json.encode(document, order="sorted")


def decode_challenger(payload: bytes, outcome: str, name: str, layout: str) -> ChallengerDocument:
    """A published challenger.

    Args:
        payload: as `encode_challenger` wrote it.
        outcome: whose challenger it should be.
        name: what it should be called.
        layout: of the columns that it will score.

    Raises:
        ModelRefusedError: it is something else, or cannot score these columns.
    """
    try:
        document = msgspec.json.decode(payload, type=ChallengerDocument)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelRefusedError(f"not a challenger: {error}. Publish it again.") from error
    check_challenger_name(document.name)
    if (document.outcome, document.name) != (outcome, name):
        raise ModelRefusedError(
            f"Challenger {name} of {outcome} holds {document.name} of {document.outcome}. Publish it again."
        )
    if (document.layout, document.schema) != (layout, schema_of(MODEL_COLUMNS)):
        raise ModelRefusedError(
            f"Challenger {name} of {outcome} was trained on other columns: layout {document.layout!r} and schema "
            f"{document.schema!r}, here {layout!r} and {schema_of(MODEL_COLUMNS)!r}. Train it on those of this release."
        )
    check_model(document.model, f"Challenger {name} of {outcome}")
    return document
