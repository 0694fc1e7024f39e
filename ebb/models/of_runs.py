"""A model of `ebb offline train` as a challenger: read from the folder of its run."""

import time
from pathlib import Path

import msgspec

from ebb.models.reading import ModelError
from offline.report.folder import CONFIGURATION, MODELS
from stream.features.layout import LAYOUT
from stream.scoring.challengers import ChallengerDocument
from stream.scoring.documents import schema_of
from stream.scoring.trained import TrainedLinear, decode_trained


class _Configuration(msgspec.Struct):
    """What of a run's configuration is asked."""

    chosen: str
    model_columns: tuple[str, ...]


def challenger_of_run(folder: Path, model: str | None, name: str | None) -> ChallengerDocument:
    """The challenger that a model of a run would be.

    Args:
        folder: of the run.
        model: one of its models; None for the one that was chosen.
        name: what it shall be called; None for "offline_" and the kind of model.

    Raises:
        ModelError: there is no such run or model, or workers cannot score its kind.
        ModelRefusedError: it is no model, or of another layout.
    """
    run = _read_configuration(folder)
    kind = model or run.chosen
    path = folder / MODELS / f"{kind}.json"
    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in path.parent.glob("*.json"))) or "none"
        raise ModelError(f"{folder} has no model {kind!a}; there are {there}. Name one with --model.")
    document = decode_trained(path.read_bytes(), LAYOUT)
    if not isinstance(document, TrainedLinear):
        raise ModelError(
            f"{path} is of trees or of an amount; workers score logistic regressions: take --model logistic of a run "
            "about an outcome."
        )
    return ChallengerDocument(
        outcome=document.name,
        name=name or f"offline_{kind}",
        layout=document.layout,
        schema=schema_of(run.model_columns),
        model=document.model,
        trained_until_ms=document.trained_until_ms,
        published_ms=time.time_ns() // 1_000_000,
        recipe=f"{document.version}: {kind} on {document.rows:,} rows, data {document.data_hash[:12]}",
    )


def _read_configuration(folder: Path) -> _Configuration:
    path = folder / CONFIGURATION
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Configuration)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} is not that of a run of `ebb offline train`: {error}.") from error
