"""A simulated shop whose customers change on one day: when drift is noticed, and how models recover.

    python -m benchmarks.concept_change --customers 3000 --seed 2

Log losses are of the scores stored with snapshots, by when these were taken. "frozen" is what served on the day of the
change and learns no more; "served" is what was acted on; "begun" the challenger that began by itself, whoever it was at
that time. The means at the end are over the snapshots that it has scored.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.labelled import FloatArray, Lived, happened, lived, log_losses, simulated, snapshot_days, stored
from ebb.simulate import ShopSettings
from schemas.messages import Label
from schemas.units import DAY_MS
from stream.outcomes.declaration import BUILT_IN_NAMES
from stream.scoring.challengers import BEGUN_PREFIX
from stream.scoring.documents import OutcomeDocument
from stream.scoring.kinds import probability

PERIOD_DAYS, PERIODS_BEFORE = 28, 3


def main() -> None:
    """Measure, and print."""
    arguments = _arguments()
    settings = ShopSettings(
        customers=arguments.customers,
        days=arguments.days,
        seed=arguments.seed,
        late=0.0,
        duplicate=0.0,
        concept_change_day=arguments.change_day,
    )
    change_ms = settings.start_ms + arguments.change_day * DAY_MS
    found = lived(simulated(settings), settings.currency, settings.start_ms + 10_000 * DAY_MS, (change_ms,))
    for line in _noticed(found, change_ms):
        print(line)
    for outcome in arguments.outcomes.split(","):
        for line in _recovery(found, outcome, change_ms):
            print(line)


def _noticed(found: Lived, change_ms: int) -> Iterator[str]:
    for each in found.noticed:
        days = (each.noticed_ms - change_ms) // DAY_MS
        when = f"{days} days after the change" if days >= 0 else f"{-days} days before the change"
        yield f"{each.measure} of {each.subject}: {each.value:.3f} above {each.limit:.3f}, noticed {when}"


def _recovery(found: Lived, outcome: str, change_ms: int) -> Iterator[str]:
    """A table of 28 days each around the change, and means."""
    labels = [label for label in found.labels if label.outcome == outcome]
    losses = {
        name: log_losses(each, happened(labels)) for name, each in _said(found, labels, outcome, change_ms).items()
    }
    period = (snapshot_days(labels) - change_ms // DAY_MS) // PERIOD_DAYS
    yield f"\n{outcome}\n{'snapshots from day':>18}{'labels':>8}" + "".join(f"{name:>11}" for name in losses)
    for number in range(-PERIODS_BEFORE, int(period.max()) + 1):
        inside = period == number
        figures = "".join(f"{_mean(each[inside]):>11}" for each in losses.values())
        yield f"{number * PERIOD_DAYS:>+18}{int(inside.sum()):>8,}{figures}"
    scored = ~np.isnan(losses["begun"]) & (period >= 0)
    if scored.any():
        figures = "".join(f"{_mean(each[scored]):>11}" for each in losses.values())
        yield f"{'scored by begun':>18}{int(scored.sum()):>8,}{figures}"
    after = period >= 0
    yield f"{'after the change':>18}{int(after.sum()):>8,}" + "".join(
        f"{_mean(each[after]):>11}" for each in losses.values()
    )


def _said(found: Lived, labels: Sequence[Label], outcome: str, change_ms: int) -> dict[str, FloatArray]:
    served = [found.serving.get((outcome, label.snapshot_ms)) or "" for label in labels]
    return {
        "frozen": _frozen(found.documents[change_ms].get(outcome), labels),
        "served": _stored_of(labels, served),
        "begun": _stored_of(labels, [_begun(label.scores) for label in labels]),
        "base rate": stored(labels, "base_rate"),
    }


def _stored_of(labels: Sequence[Label], candidates: Sequence[str]) -> FloatArray:
    """What a candidate of each label's own said of it."""
    return np.array([label.scores.get(name, np.nan) for label, name in zip(labels, candidates, strict=True)])


def _frozen(document: OutcomeDocument | None, labels: Sequence[Label]) -> FloatArray:
    if document is None or document.serving is None:
        return np.full(len(labels), np.nan)
    return probability(document.candidates[document.serving], np.array([label.columns for label in labels], np.float64))


def _begun(scores: Mapping[str, float]) -> str:
    return max((name for name in scores if name.startswith(BEGUN_PREFIX)), default="")


def _mean(losses: FloatArray) -> str:
    """The mean of what was scored, if that is nearly everything."""
    given = losses[~np.isnan(losses)]
    return f"{given.mean():.4f}" if len(given) > 0.9 * len(losses) and len(given) else "–"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--days", type=int, default=1_100)
    parser.add_argument("--change-day", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outcomes", default=",".join(BUILT_IN_NAMES))
    return parser.parse_args()


if __name__ == "__main__":
    main()
