"""Models as data: what the learner publishes and the worker scores with.

A document is numbers and names in JSON, never code. It carries the layout of the columns it was trained on; scoring
other columns with it would be silently wrong, so a document of another layout is refused.
"""

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Literal, Protocol, TypeVar, cast

import msgspec

from schemas.misfits import MALFORMED
from stream.customers.segments import SEGMENTS, UNSEGMENTED
from stream.errors import ModelRefusedError
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.outcomes.declaration import is_same_question
from stream.scoring.checking import check_model
from stream.scoring.kinds import Model
from stream.signing import MODEL, payload_of

HAZARD_MIX, HAZARD = "mean_logit_hazard", "hazard"
MIX, RIVER_LOGISTIC, NEWTON = "mean_logit", "river_logistic", "newton_logistic"
FLOORS = ("base_rate", "since_last_purchase", "count_90d")
CANDIDATES = (MIX, RIVER_LOGISTIC, NEWTON, *FLOORS)
"""Of every outcome."""

ROLLED = (HAZARD_MIX, HAZARD)
"""Besides of those that can be rolled forward week by week."""

MOVED = "mean_logit_moved"
"""Besides of those that count some purchases only, where another asks of all (`stream.learning.moved`)."""

SEGMENTS_NAME = "segments"
NO_DOCUMENT_YET = "none"  # version of a model that has not seen enough; its document is empty
ONLINE = "online"
"""The learner's own centres, among the candidates for segments."""

CALIBRATED = "calibrated"
"""The mean logit of the regressions, moved and stretched; a challenger like those published from outside."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How a candidate did, on the probabilities it had stored with the snapshots (never scored again at maturity).

    Attributes:
        rows: labels.
        log_loss: mean per label, in nats.
        auc: area under the ROC curve; None while all labels are of one class.
        brier: mean squared error; None where an older learner has judged, as for those below.
        pr_auc: average precision; None without a label of value 1.
        ece: expected calibration error: mean distance of what was said and what came true, in ten groups.
    """

    rows: int
    log_loss: float
    auc: float | None
    brier: float | None = None
    pr_auc: float | None = None
    ece: float | None = None


class Reign(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's time as champion.

    Attributes:
        candidate: who.
        since_ms: maturity of the label with which it began; 0 before the first.
        by: "start" for the initial champion, "rule" for the block rule, "person".
        who: the person.
        why: the evidence, or what the person asked for.
    """

    candidate: str
    since_ms: int = 0
    by: Literal["start", "rule", "person"]
    who: str = ""
    why: str = ""


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a document comes from.

    Attributes:
        champion: the candidate that serves, unless it is below a floor, and how it became champion.
        is_pinned: whether a person has said that nobody else shall be.
        recipes: candidate -> how it was made, in words.
    """

    champion: Reign
    is_pinned: bool
    recipes: dict[str, str]


class OutcomeDocument(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """Everything to score one outcome: the candidates, and which of them serves.

    `candidates` is empty and `serving` None before 200 labels with both classes. `metrics` are over labels that carry
    the scores of the model itself; before the first of them it is empty. `schema` is that of the columns (`schema_of`),
    `question` the checksum of the outcome's declaration; they and `lineage` are missing in documents of older learners.
    """

    name: str
    version: str
    epoch_day: int
    layout: str
    trained_until_ms: int
    labels: int
    positives: int
    candidates: dict[str, Model]
    serving: str | None
    metrics: dict[str, Judged]
    schema: str = ""
    lineage: Lineage | None = None
    question: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        if self.serving is not None and self.serving not in self.candidates:
            raise ValueError(f"{self.serving!r} is to serve but is not among the candidates {sorted(self.candidates)}")


class SegmentDocument(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, tag="segments"):
    """Named cluster centres. `centres` are standardised: (value - mean) / scale per column; a scale is never 0.

    `candidate` says whose they are: the learner's own, or a challenger's.
    """

    name: str = SEGMENTS_NAME
    version: str
    epoch_day: int
    layout: str
    columns: tuple[str, ...] = SEGMENT_COLUMNS
    means: tuple[float, ...]
    scales: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    samples: int
    candidate: str = ONLINE

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        widths = {len(self.means), len(self.scales), *map(len, self.centres)}
        if widths != {len(self.columns)} or not self.centres or len(self.centres) != len(self.names):
            raise ValueError(
                f"{len(self.columns)} columns, {len(self.names)} names and {len(self.centres)} centres disagree"
            )
        if 0.0 in self.scales:
            raise ValueError("a column of the centres has scale 0")


Document = OutcomeDocument | SegmentDocument


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Document)


class OfLayout(Protocol):
    """A document of some columns."""

    @property
    def name(self) -> str:
        """What it is a model of."""

    @property
    def version(self) -> str:
        """Which of them."""

    @property
    def layout(self) -> str:
        """The layout of its columns."""


Kind = TypeVar("Kind", bound=OfLayout)


def schema_of(columns: Sequence[str]) -> str:
    """What names a list of columns in its order.

    >>> schema_of(("silence", "spend")) == schema_of(("spend", "silence"))
    False
    """
    return blake2b("\n".join(columns).encode(), digest_size=8).hexdigest()


def encode(document: msgspec.Struct) -> bytes:
    """The document as JSON bytes, equal for equal documents: floats in their shortest exact spelling, keys in order.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot say.
    """
    plain = msgspec.to_builtins(document)
    _refuse_unbounded(plain, type(document).__name__)
    return msgspec.json.encode(plain, order="sorted")


class _Questioned(msgspec.Struct):
    question: int = 0


_question_decoder = msgspec.json.Decoder(_Questioned)


def question_of(sealed: bytes) -> int:
    """What a sealed document says that it answers, whoever signed it; 0 where it does not say. Nothing is verified."""
    try:
        return _question_decoder.decode(payload_of(sealed, MODEL)).question
    except MALFORMED:
        return 0


def decode(payload: bytes, layout: str) -> Document:
    """The document in `payload`.

    Args:
        payload: as `encode` wrote it.
        layout: the layout of the columns that will be scored.

    Raises:
        ModelRefusedError: not a model document, of another layout, or with a model that cannot score its columns.
    """
    document: Document = decode_as(_decoder, payload, layout)
    if isinstance(document, SegmentDocument) != (document.name == SEGMENTS_NAME):
        raise ModelRefusedError(
            f"model {document.name} {document.version} is of another kind. Publish the model again."
        )
    if isinstance(document, OutcomeDocument):
        for name, model in document.candidates.items():
            check_model(model, f"candidate {name} of model {document.name} {document.version}")
    else:
        check_centres(document, f"model {document.name} {document.version}")
    return document


def refuse_another_question(document: Document, question: int) -> None:
    """Refuse a model of what was asked under the same name before.

    Args:
        document: of the name at hand.
        question: checksum of the declaration of now; 0 where it is not known, as in documents of older learners.

    Raises:
        ModelRefusedError: it is one.
    """
    if isinstance(document, OutcomeDocument) and not is_same_question(document.question, question):
        raise ModelRefusedError(
            f"model {document.name} {document.version} answers what {document.name} meant before it was declared anew. "
            "Start the learner, which begins anew with what is asked now."
        )


def check_centres(document: SegmentDocument, what: str) -> None:
    """Refuse centres that customers cannot be compared with.

    Raises:
        ModelRefusedError: they lie in other columns, or have names or numbers that cannot be meant.
    """
    if document.columns != SEGMENT_COLUMNS:
        raise ModelRefusedError(
            f"{what} has centres in {', '.join(document.columns)}, not {', '.join(SEGMENT_COLUMNS)}."
        )
    unknown = sorted(set(document.names).difference(SEGMENTS[UNSEGMENTED + 1 :]))
    if unknown:
        raise ModelRefusedError(f"{what} calls a centre {unknown[0]!a}, which is no segment.")
    numbers = [*document.means, *document.scales, *(number for centre in document.centres for number in centre)]
    least = min(document.scales)
    if least <= 0 or not all(map(math.isfinite, [1.0 / least, *numbers])):
        raise ModelRefusedError(f"{what} has a number that cannot be meant: infinite, or a scale that is not positive.")


def decode_as(decoder: msgspec.json.Decoder[Kind], payload: bytes, layout: str) -> Kind:
    """The document in `payload`, of a kind that `decoder` knows; else as `decode`.

    Raises:
        ModelRefusedError: it is no such document, or of another layout or schema.
    """
    try:
        document = decoder.decode(payload)
    except MALFORMED as error:
        raise ModelRefusedError(f"not a model document: {error}. Publish the model again.") from error
    if document.layout != layout:
        raise ModelRefusedError(
            f"model {document.name} {document.version} was trained on layout {document.layout!r}, this worker has "
            f"{layout!r}. Let the learner of this release publish a new one."
        )
    if isinstance(document, OutcomeDocument) and document.schema not in ("", schema_of(MODEL_COLUMNS)):
        raise ModelRefusedError(
            f"model {document.name} {document.version} has other columns than this worker, in spite of its layout "
            f"{document.layout!r}. Let the learner of this release publish a new one."
        )
    return document


def _refuse_unbounded(plain: object, path: str) -> None:
    if isinstance(plain, float) and not math.isfinite(plain):
        raise ValueError(f"{path} is {plain}")
    if isinstance(plain, dict):
        for key, value in plain.items():
            _refuse_unbounded(value, f"{path}.{key}")
    if isinstance(plain, list | tuple) and not _are_finite(plain):
        for index, value in enumerate(plain):
            _refuse_unbounded(value, f"{path}[{index}]")


def _are_finite(plain: Sequence[object]) -> bool:
    """Whether all of them are numbers and finite, without a look at each: most of a document are rows of numbers."""
    kinds = set(map(type, plain))
    if kinds == {int}:
        return True
    return kinds == {float} and math.isfinite(sum(map(abs, cast(Sequence[float], plain))))
