"""What `ebb models` shows of the centres of segments, for a reader and for a script."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ebb.models.reading import KnownSegments
from ebb.models.wording import day, digits, reign
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
        f"  champion  {reign(contest.championship.reigns[-1])}",
        f"  centres   {', '.join(document.names)}",
        f"  versions  {' '.join(versions[:6])}{f' … {len(versions)} in all' if len(versions) > 6 else ''}",
        "",
        *_candidates(known),
        "",
        "  Distances are mean standard deviations to the nearest centre, of sampled customers the centres have not",
        "  been found with; alike is the share that online calls the same. No rule promotes centres: a person does.",
    ]
    others = [name for name in contest.candidates if name != contest.championship.champion]
    next_ = f"ebb models promote {known.name} {others[0]}" if others else "ebb offline segments HISTORY… --out RUN"
    return [*lines, f"next: {next_}"]


def _candidates(known: KnownSegments) -> list[str]:
    fits = known.contest.fits()
    named = [name for name in SEGMENTS if any(name in fit.sizes for fit in fits.values())]
    rows: list[Sequence[str]] = [("candidate", "samples", "distance", "online's", "alike", *named)]
    for candidate in known.contest.candidates:
        rows.append((candidate, *_figures(fits.get(candidate), named)))
    return aligned(rows, "<" + ">" * (len(rows[0]) - 1), indent="  ")


def _figures(fit: Fit | None, named: Sequence[str]) -> tuple[str, ...]:
    if fit is None:
        return ("–",) * (4 + len(named))
    shares = (percent(fit.sizes.get(name, 0) / fit.samples) for name in named)
    return f"{fit.samples:,}", digits(fit.distance, 3), digits(fit.online_distance, 3), percent(fit.alike), *shares
