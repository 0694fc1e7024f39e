"""Models as data: what the learner publishes and the worker scores with.

A document is numbers and names in JSON, never code. It carries the layout of the columns it was trained on; scoring
other columns with it would be silently wrong, so a document of another layout is refused.
"""

import math
from collections.abc import Sequence
from typing import cast

import msgspec

from stream.errors import ModelRefusedError
from stream.features.model_columns import SEGMENT_COLUMNS
from stream.scoring.kinds import Model

HAZARD_MIX, HAZARD = "mean_logit_hazard", "hazard"
MIX, RIVER_LOGISTIC, NEWTON = "mean_logit", "river_logistic", "newton_logistic"
FLOORS = ("base_rate", "since_last_purchase", "count_90d")
CANDIDATES = (MIX, RIVER_LOGISTIC, NEWTON, *FLOORS)
"""Of every outcome."""

ROLLED = (HAZARD_MIX, HAZARD)
"""Besides of those that can be rolled forward week by week."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How a candidate did, on the probabilities it had stored with the snapshots (never scored again at maturity).

    `log_loss` is the mean per label in nats; `auc` is None while all labels are of one class.
    """

    rows: int
    log_loss: float
    auc: float | None


class OutcomeDocument(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """Everything to score one outcome: the candidates, and which of them serves.

    `candidates` is empty and `serving` None before 200 labels with both classes. `metrics` are over labels that carry
    the scores of the model itself; before the first of them it is empty.
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

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together."""
        if self.serving is not None and self.serving not in self.candidates:
            raise ValueError(f"{self.serving!r} is to serve but is not among the candidates {sorted(self.candidates)}")


class SegmentDocument(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, tag="segments"):
    """Named cluster centres. `centres` are standardised: (value - mean) / scale per column; a scale is never 0."""

    name: str = "segments"
    version: str
    epoch_day: int
    layout: str
    columns: tuple[str, ...] = SEGMENT_COLUMNS
    means: tuple[float, ...]
    scales: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    samples: int

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


def encode(document: Document) -> bytes:
    """The document as JSON bytes, equal for equal documents: floats in their shortest exact spelling, keys in order.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot say.
    """
    plain = msgspec.to_builtins(document)
    _refuse_unbounded(plain, type(document).__name__)
    return msgspec.json.encode(plain, order="sorted")


def decode(payload: bytes, layout: str) -> Document:
    """The document in `payload`.

    Args:
        payload: as `encode` wrote it.
        layout: the layout of the columns that will be scored.

    Raises:
        ModelRefusedError: not a model document, or of another layout.
    """
    try:
        document: Document = msgspec.json.decode(payload, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelRefusedError(f"not a model document: {error}. Publish the model again.") from error
    if document.layout != layout:
        raise ModelRefusedError(
            f"model {document.name} {document.version} was trained on layout {document.layout!r}, this worker has "
            f"{layout!r}. Let the learner of this release publish a new one."
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
    """Whether all of them are floats and finite, without a look at each: most of a document are rows of floats."""
    return set(map(type, plain)) == {float} and math.isfinite(math.fsum(map(abs, cast(Sequence[float], plain))))
