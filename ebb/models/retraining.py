"""What a scheduled retraining decides: under which name, which of its own has to make room, what is good enough."""

import fcntl
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec

from ebb.models.reading import AnyKnown, Known, ModelError
from offline.report.folder import CONFIGURATION
from offline.training.checks import Check
from offline.training.metrics import Metrics
from schemas.misfits import MALFORMED
from stream.errors import ModelRefusedError
from stream.scoring.checking import check_model
from stream.scoring.costs import score_us
from stream.scoring.trained import TrainedDocument, TrainedLinear, TrainedTrees

LOCK = ".retraining"


class RetrainingRunsError(ModelError):
    """Another retraining is at work in the same folder."""


class Retrained(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of a retraining is for: which of its models would take part, and whether it may."""

    model: str
    checks: Sequence[Check]

    @property
    def passed(self) -> bool:
        """Whether all checks were."""
        return all(check.passed for check in self.checks)


class _Configuration(msgspec.Struct):
    retrained: Retrained


def name_of(prefix: str, day: date) -> str:
    """What the challenger of a day is called, whenever on that day and however often it is asked.

    >>> name_of("monthly", date(2026, 3, 1))
    'monthly_2026_03_01'
    """
    return f"{prefix}_{day:%Y_%m_%d}"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only retraining in a folder of runs; a lock that a killed process held is free.

    Raises:
        RetrainingRunsError: another one is at work.
        ModelError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ModelError(f"Cannot write to {folder}: {error.strerror}. Choose another --runs.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RetrainingRunsError(f"Another `ebb offline retrain` is at work in {folder}. Let it end.") from error
    finally:
        os.close(lock)


def chosen_model(metrics: Metrics, documents: Mapping[str, TrainedDocument], budget_us: float) -> str:
    """The model with the least loss in cross-validation that workers may score with.

    Args:
        metrics: of the training.
        documents: its models.
        budget_us: what a score may cost.

    Raises:
        ModelError: none of them may be.
    """
    barred = {name: why for name, each in documents.items() if (why := _barred(name, each, budget_us))}
    losses = {
        name: (judged.search.loss is None, judged.search.loss or 0.0)
        for name, judged in metrics.models.items()
        if name not in barred
    }
    if not losses:
        raise ModelError(" ".join(barred.values()))
    return metrics.chosen if metrics.chosen in losses else min(losses, key=lambda name: losses[name])


def _barred(name: str, document: TrainedDocument, budget_us: float) -> str:
    """Why workers may not score with a model; "" if they may."""
    if not isinstance(document, TrainedLinear | TrainedTrees):
        return f"{name} predicts an amount."
    try:
        check_model(document.model, name)
    except ModelRefusedError as error:
        return str(error)
    cost = score_us(document.model)
    return (
        f"A score by {name} takes about {cost:.1f} us, EBB_SCORE_BUDGET_US is {budget_us:g}."
        if cost > budget_us
        else ""
    )


def run_before(folder: Path) -> Retrained | None:
    """What an earlier retraining of this name has left; None if nothing.

    Raises:
        ModelError: there is something else.
    """
    if not folder.exists():
        return None
    try:
        return msgspec.json.decode((folder / CONFIGURATION).read_bytes(), type=_Configuration).retrained
    except (OSError, *MALFORMED) as error:
        raise ModelError(f"{folder} is not a run of `ebb offline retrain`: {error}. Choose another --runs.") from error


def making_room(known: AnyKnown, prefix: str, keep: int) -> list[str]:
    """Which earlier challengers of this prefix have to go so that, with one more, `keep` are there.

    Never the champion. First goes who does worst beside the champion, over all closed blocks both have scored: also
    those of a look that it has lost, after which none is fresh. Who has no such block goes last, the older one first.
    """
    pattern = re.compile(rf"{re.escape(prefix)}_\d{{4}}_\d\d_\d\d")
    champion = known.contest.championship.champion
    own = sorted(name for name in known.contest.challengers if pattern.fullmatch(name))
    others = [name for name in own if name != champion]
    gains = {name: known.contest.compared(name, champion).gain if isinstance(known, Known) else None for name in others}
    order = sorted(others, key=lambda name: (gains[name] is None, gains[name] or 0.0, name))
    return order[: max(len(own) + 1 - keep, 0)]
