"""A model of `ebb offline train`, or centres of `ebb offline segments`, as a challenger: read from a run's folder."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from ebb.models.reading import ModelError
from offline.report.folder import CONFIGURATION, MODELS
from schemas.misfits import MALFORMED
from schemas.units import DAY_MS
from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.scoring.challengers import AnyChallenger, ChallengerDocument, SegmentChallenger
from stream.scoring.documents import SEGMENTS_NAME, SegmentDocument, decode, schema_of
from stream.scoring.trained import TrainedLinear, TrainedTrees, decode_trained

Model = TypeVar("Model")


class _Configuration(msgspec.Struct):
    """What of a run's configuration is asked; of segments there is neither a choice nor model columns."""

    chosen: str = SEGMENTS_NAME
    model_columns: tuple[str, ...] = ()
    segment_columns: tuple[str, ...] = ()
    data_hash: str = ""


def challenger_of_run(folder: Path, model: str | None, name: str | None) -> AnyChallenger:
    """The challenger that a model of a run would be.

    Args:
        folder: of the run.
        model: one of its models; None for the one that was chosen.
        name: what it shall be called; None for "offline_" and the kind of model.

    Raises:
        ModelError: there is no such run or model, or it is of an amount.
        ModelRefusedError: it is no model, or of another layout.
    """
    run = _read_configuration(folder)
    kind = model or run.chosen
    path = folder / MODELS / f"{kind}.json"
    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in path.parent.glob("*.json"))) or "none"
        raise ModelError(f"{folder} has no model {kind!a}; there are {there}. Name one with --model.")
    called = name or f"offline_{kind}"
    if kind == SEGMENTS_NAME:
        return _centres(path, run, called)
    document = _of_this_release(decode_trained, path)
    if not isinstance(document, TrainedLinear | TrainedTrees):
        raise ModelError(f"{path} predicts an amount; workers score probabilities: take a run about an outcome.")
    return ChallengerDocument(
        outcome=document.name,
        name=called,
        layout=document.layout,
        schema=schema_of(run.model_columns),
        model=document.model,
        trained_until_ms=document.trained_until_ms,
        published_ms=time.time_ns() // 1_000_000,
        recipe=f"{document.version}: {kind} on {document.rows:,} rows, data {document.data_hash[:12]}",
    )


def _centres(path: Path, run: _Configuration, name: str) -> SegmentChallenger:
    document = _of_this_release(decode, path)
    if not isinstance(document, SegmentDocument):
        raise ModelError(f"{path} holds no centres. Write the run again with `ebb offline segments`.")
    return SegmentChallenger(
        outcome=SEGMENTS_NAME,
        name=name,
        layout=document.layout,
        schema=schema_of(run.segment_columns),
        model=document,
        trained_until_ms=document.epoch_day * DAY_MS,
        published_ms=time.time_ns() // 1_000_000,
        recipe=f"{document.version}: {len(document.centres)} centres of {document.samples:,} customers, "
        f"data {run.data_hash[:12]}",
    )


def _of_this_release(decoded: Callable[[bytes, str], Model], path: Path) -> Model:
    try:
        return decoded(path.read_bytes(), LAYOUT)
    except ModelRefusedError as error:
        raise ModelRefusedError(f"{path} is refused: {error} For a run that means: make it again.") from error


def _read_configuration(folder: Path) -> _Configuration:
    path = folder / CONFIGURATION
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Configuration)
    except (OSError, *MALFORMED) as error:
        raise ModelError(
            f"{path} is not that of a run of `ebb offline train` or `ebb offline segments`: {error}."
        ) from error
