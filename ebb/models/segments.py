"""What `ebb models` shows of the centres of segments, for a reader and for a script."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from ebb.models.reading import KnownSegments
from ebb.models.wording import day, digits, newest, present_reign
from ebb.text import aligned, percent
from stream.customers.segments import SEGMENTS
from stream.learning.segment_contest import Fit


def segments_object(known: KnownSegments, versions: Sequence[str]) -> dict[str, Any]:
    """Everything about the centres of segments."""
    document, championship = known.document, known.contest.championship
    return {
        "outcome": known.name,
        "version": document.version if document else None,
        "serving": known.serving,
        "champion": msgspec.to_builtins(championship.reigns[-1]),
        "is_pinned": championship.is_pinned,
        "reigns": msgspec.to_builtins(championship.reigns),
        "versions": list(versions),
        "centres": list(document.names) if document else [],
        "recipes": {name: each.recipe for name, each in known.contest.challengers.items()},
        "fits": msgspec.to_builtins(known.contest.fits()),
    }


def segments_screen(known: KnownSegments, versions: Sequence[str]) -> list[str]:
    """The same, for a reader."""
    document, contest = known.document, known.contest
    if document is None:
        return [f"{known.name} have no centres yet: they need 500 samples, and a learner (`ebb learner`)."]
    lines = [
        f"{known.name} · {document.candidate} in force · version {document.version} of {day(document.epoch_day)}",
        f"  champion  {present_reign(contest.championship)}",
        f"  centres   {', '.join(f'{count} {name}' for name, count in Counter(document.names).items())}",
        f"  versions  {newest(versions)}",
        "",
        *_distances(known),
        "",
        *([*_shares(known), ""] if known.contest.fits() else []),
        "  Distances are mean standard deviations to the nearest centre, of sampled customers the centres have not",
        "  been found with; alike is the share that online calls the same. No rule promotes centres: a person does.",
    ]
    others = [name for name in contest.candidates if name != contest.championship.champion]
    next_ = f"ebb models promote {known.name} {others[0]}" if others else "ebb offline segments HISTORY… --out RUN"
    return [*lines, f"next: {next_}"]


def _distances(known: KnownSegments) -> list[str]:
    """How near each candidate's centres are."""
    fits = known.contest.fits()
    rows: list[Sequence[str]] = [("candidate", "samples", "distance", "online's", "alike")]
    rows += [(candidate, *_nearness(fits.get(candidate))) for candidate in known.contest.candidates]
    return aligned(rows, "<>>>>", indent="  ")


def _nearness(fit: Fit | None) -> tuple[str, str, str, str]:
    if fit is None:
        return ("–",) * 4
    return f"{fit.samples:,}", digits(fit.distance, 3), digits(fit.online_distance, 3), percent(fit.alike)


def _shares(known: KnownSegments) -> list[str]:
    """How many customers each candidate calls what."""
    fits = known.contest.fits()
    named = [name for name in SEGMENTS if any(name in fit.sizes for fit in fits.values())]
    rows: list[Sequence[str]] = [("calls so", *named)]
    for candidate, fit in fits.items():
        rows.append((candidate, *(percent(fit.sizes.get(name, 0) / fit.samples) for name in named)))
    return aligned(rows, "<" + ">" * len(named), indent="  ")
