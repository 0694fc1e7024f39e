"""What `ebb models` shows, for a script."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ebb.models.reading import Known
from schemas.units import DAY_MS
from stream.learning.evidence import gains
from stream.learning.judgement import reliability_by_period


def list_object(models: Sequence[Known]) -> dict[str, Any]:
    """Each outcome, without its tables."""
    return {"models": [_summary(known) for known in models]}


def _summary(known: Known) -> dict[str, Any]:
    document, contest = known.document, known.contest
    return {
        "outcome": known.outcome.name,
        "version": document.version if document else None,
        "refused": known.refused or None,
        "serving": document.serving if document else None,
        "champion": msgspec.to_builtins(contest.championship.reigns[-1]),
        "is_pinned": contest.championship.is_pinned,
        "proposed": contest.proposed(),
        "begun": dict(contest.begun),
        "labels": document.labels if document else 0,
        "trained_until_ms": document.trained_until_ms if document else 0,
        "metrics": msgspec.to_builtins(contest.metrics()),
    }


def show_object(known: Known, versions: Sequence[str], candidate: str) -> dict[str, Any]:
    """Everything about an outcome's models; the reliability tables are those of `candidate`."""
    contest, document = known.contest, known.document
    judge = contest.judgement.pooled.get(candidate)
    periods = reliability_by_period(contest.judgement.periods, candidate)
    return _summary(known) | {
        "positives": document.positives if document else 0,
        "layout": document.layout if document else None,
        "schema": document.schema if document else None,
        "costs_us": known.costs_us,
        "over_budget": known.contest.over_budget,
        "recipes": dict(contest.lineage().recipes),
        "reigns": msgspec.to_builtins(contest.championship.reigns),
        "versions": list(versions),
        "block_days": contest.judgement.block_days,
        "evidence": msgspec.to_builtins(contest.evidence()),
        "reliability_of": candidate,
        "reliability": msgspec.to_builtins(judge.reliability()) if judge else [],
        "reliability_by_28_days": [
            {
                "from_ms": first_day * DAY_MS,
                "is_open": known.is_period_open(first_day),
                "metrics": msgspec.to_builtins(judge.judged()),
                "reliability": msgspec.to_builtins(judge.reliability()),
            }
            for first_day, judge in periods
        ],
    }


def compare_object(known: Known, one: str, other: str) -> dict[str, Any]:
    """Two candidates block by block."""
    metrics, judgement = known.contest.metrics(), known.contest.judgement
    by_block = gains(judgement.blocks, one, other)
    said = known.contest.compared(one, other)
    return {
        "outcome": known.outcome.name,
        "candidates": {each: msgspec.to_builtins(metrics.get(each)) for each in (one, other)},
        "blocks": [
            {
                "from_ms": block * judgement.block_days * DAY_MS,
                "is_open": known.contest.is_open(block),
                "metrics": {each: msgspec.to_builtins(judgement.blocks[block][each].judged()) for each in (one, other)},
                "better_by": by_block[block],
            }
            for block in sorted(by_block)
        ],
        "evidence": msgspec.to_builtins(said) | {"is_better": said.is_better},
    }
