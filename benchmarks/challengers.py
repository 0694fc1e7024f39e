"""Would another kind of learner beat the River logistic? On the labels of a history, in their order, with their delay.

    python -m benchmarks.challengers examples/online_retail/*.parquet --source online_retail
    python -m benchmarks.challengers CDNOW_master.txt --source cdnow --currency USD --one-in 8

A history is lived through once; what the candidates of Ebb said is stored with each label. The others are asked about
the columns of each snapshot when they had learned what was known at its midnight, and learn a label when it is known.
All are judged on the same labels; "first" are the first 2,000 of them. An interval resamples customers. MBG/NBD is
asked as a candidate, and as a further column of the mean logit, which is learned once more without it beside.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from river import forest, tree

from benchmarks.labelled import SURE, FloatArray, happened, lived, log_losses, simulated, snapshot_days, stored
from ebb.simulate import ShopSettings
from offline.backtest.figures import compare, judge
from offline.history import History
from offline.sources import read_history
from offline.sources.columns import parse_mapping
from schemas.messages import Label
from schemas.units import DAY_MS
from stream.features.missed import MISSED_COLUMNS, with_missed
from stream.features.model_columns import MODEL_COLUMNS
from stream.learning.linear import fresh, learn_rows
from stream.outcomes.declaration import BUILT_IN, Outcome
from stream.outcomes.sampling import customer_hash
from stream.scoring.linear import CLIP

LOGISTIC = "river_logistic"
BESIDES = ("newton_logistic", "mean_logit", "mean_logit_hazard", "hazard", "base_rate")
FIRST = 2_000
LABELS_BEFORE = 200  # fewer, and nobody says anything


class Learner(Protocol):
    """Anything that learns labels one after another."""

    def say(self, row: FloatArray) -> float:
        """The probability that the outcome comes true."""
        ...

    def learn(self, row: FloatArray, true: bool, day: int) -> None:
        """Learn a label that became known on a day, since 1970."""
        ...


class OfRiver:
    """A classifier of River on all columns."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def say(self, row: FloatArray) -> float:
        """What it gives for true."""
        return float(self._model.predict_proba_one(dict(zip(MODEL_COLUMNS, row.tolist(), strict=True))).get(True, 0.0))

    def learn(self, row: FloatArray, true: bool, day: int) -> None:
        """Learn a label."""
        self._model.learn_one(dict(zip(MODEL_COLUMNS, row.tolist(), strict=True)), true)


class Lifetimes(NamedTuple):
    """Parameters of the MBG/NBD model, time in weeks: Batislam, Denizel and Filiztekin, IJRM 24, 2007."""

    r: float
    alpha: float
    a: float
    b: float


CDNOW_LIFETIMES = Lifetimes(r=0.525, alpha=6.183, a=0.891, b=1.614)
"""Of the CDNOW sample until 1997-09-30, as in the documentation of lifetimes, where they can be found again."""


class MbgNbd:
    """The chance of a purchase from purchase days and times alone, with parameters that are never learned."""

    def __init__(self, of: Lifetimes, outcome: Outcome) -> None:
        self._of, self._outcome = of, outcome
        self._days, self._since_first, self._silence, self._gap = map(
            MODEL_COLUMNS.index,
            ("log_purchase_days", "log_since_first_purchase_days", "log_since_last_purchase_days", "log_mean_gap_days"),
        )

    def say(self, row: FloatArray) -> float:
        """The chance that nobody comes, or somebody: dead, or alive and silent."""
        days, age, silence, gap = np.expm1(row[[self._days, self._since_first, self._silence, self._gap]])
        horizon = self._outcome.horizon_days
        if self._outcome.within_own_gap and gap > 0:
            horizon = min(max(2 * gap, 14.0), horizon)
        none = none_within(self._of, max(days - 1, 0), max(age - silence, 0) / 7, age / 7, horizon / 7)
        return none if self._outcome.true_when == "none" else 1 - none

    def learn(self, row: FloatArray, true: bool, day: int) -> None:
        """It never does."""


class OfEbb:
    """The mean logit of Ebb's two regressions, on what they read and, if given, the logit of what another says."""

    def __init__(self, besides: Learner | None = None) -> None:
        self._besides = besides
        reads = [*[True] * len(MODEL_COLUMNS), *[False] * len(MISSED_COLUMNS), *[True] * (besides is not None)]
        self._learned = fresh(np.array([reads]))

    def say(self, row: FloatArray) -> float:
        """The probability of now."""
        learned, row = self._learned, self._with(row)
        scales = np.sqrt(learned.variances)
        deviations = np.divide(row - learned.means, scales, out=np.zeros(len(row)), where=scales > 0)
        weights = (learned.weights[0] + learned.newton[:-1]) / 2
        bias = (learned.intercepts[0] + learned.newton[-1]) / 2
        return float(1.0 / (1.0 + np.exp(-(np.clip(deviations, -CLIP, CLIP) @ weights + bias))))

    def learn(self, row: FloatArray, true: bool, day: int) -> None:
        """A step of both."""
        learn_rows(self._learned, self._with(row)[None], np.array([true]), np.array([day]), np.empty((1, 2)))

    def _with(self, row: FloatArray) -> FloatArray:
        read: FloatArray = with_missed(row[None], MODEL_COLUMNS)[0]
        if self._besides is None:
            return read
        said = min(max(self._besides.say(row), SURE), 1 - SURE)
        return np.append(read, np.log(said / (1 - said)))


def none_within(of: Lifetimes, repeats: float, last: float, now: float, horizon: float) -> float:
    """The chance of no purchase within a horizon.

    Args:
        of: parameters.
        repeats: purchase days after the first.
        last, now: weeks from the first purchase to the last one, and to now.
        horizon: in weeks.

    >>> round(none_within(CDNOW_LIFETIMES, repeats=2, last=30.43, now=38.86, horizon=39.0), 3)
    0.44
    """
    rate = of.r + repeats
    alive = 1 / (1 + of.a / (of.b + repeats) * ((of.alpha + now) / (of.alpha + last)) ** rate)
    return float(1.0 - alive * (1.0 - ((of.alpha + now) / (of.alpha + now + horizon)) ** rate))


def learners(outcome: Outcome) -> dict[str, Learner]:
    """Who is measured, as new."""
    return {
        "hoeffding_tree": OfRiver(tree.HoeffdingAdaptiveTreeClassifier(seed=1)),
        "adaptive_forest": OfRiver(forest.ARFClassifier(n_models=10, seed=1)),
        "mbg_nbd": MbgNbd(CDNOW_LIFETIMES, outcome),
        "mean_logit_again": OfEbb(),
        "with_mbg_column": OfEbb(MbgNbd(CDNOW_LIFETIMES, outcome)),
    }


def said_in_time(labels: Sequence[Label], asked: Mapping[str, Learner]) -> dict[str, FloatArray]:
    """What each learner says of each snapshot, having learned what was known at its midnight; nan before 200 labels.

    Args:
        labels: of one outcome, in the order in which they became known.
        asked: learners, new; are taught.
    """
    rows, true = np.array([label.columns for label in labels], np.float64), happened(labels)
    matured_day = np.array([label.matured_ms // DAY_MS for label in labels], np.int64)
    said = {name: np.full(len(labels), np.nan) for name in asked}
    learned = 0
    for day, of_a_day in _by_day(snapshot_days(labels)):
        until = int(np.searchsorted(matured_day + 1, day))  # known with the epoch of the day it matured on
        for name, learner in asked.items():
            for at in range(learned, until):
                learner.learn(rows[at], bool(true[at]), int(matured_day[at]))
            if until >= LABELS_BEFORE:
                said[name][of_a_day] = [learner.say(row) for row in rows[of_a_day]]
        learned = max(learned, until)
    return said


def mean_of_logits(one: FloatArray, other: FloatArray) -> FloatArray:
    """The probability whose logit is the mean of two.

    >>> mean_of_logits(np.array([0.5]), np.array([0.9])).round(3)
    array([0.75])
    """
    one, other = (np.clip(each, SURE, 1 - SURE) for each in (one, other))
    odds = np.sqrt(one / (1 - one) * other / (1 - other))
    mean: FloatArray = odds / (1 + odds)
    return mean


def _by_day(days: Any) -> Iterator[tuple[int, Any]]:
    order = np.argsort(days, kind="stable")
    distinct, begins = np.unique(days[order], return_index=True)
    yield from zip(distinct.tolist(), np.split(order, begins[1:]), strict=True)


def _judged(labels: Sequence[Label], outcome: Outcome) -> Iterator[str]:
    """Lines of figures, the logistic first; the difference of log loss to it with its interval."""
    began_s = time.process_time()
    said = {name: stored(labels, name) for name in (LOGISTIC, *BESIDES)}
    said |= said_in_time(labels, learners(outcome))
    said |= {f"{name}_mix": mean_of_logits(said[name], said[LOGISTIC]) for name in ("adaptive_forest", "mbg_nbd")}
    said = {name: each for name, each in said.items() if not np.isnan(each).all()}
    both: Any = ~np.isnan(np.stack([*said.values()])).any(axis=0)
    true = happened(labels)[both]
    customers = np.unique([label.customer_id for label in labels], return_inverse=True)[1][both]
    yield f"\n{outcome.name}: {len(true):,} labels, {100 * true.mean():.1f} % true"
    for name, each in said.items():
        figures, first = judge(each[both], true.astype(np.float64)), log_losses(each[both], true)[:FIRST].mean()
        differs = compare(each[both], said[LOGISTIC][both], true.astype(np.float64), customers).log_loss
        beside = "" if name == LOGISTIC else f"{differs.difference:>+9.4f} ({differs.low:+.4f} to {differs.high:+.4f})"
        numbers = f"AUC {figures.auc:.4f}  log loss {figures.log_loss:.4f}  ECE {figures.ece:.3f}  first {first:.4f}"
        yield f"  {name:<20} {numbers}{beside}"
    yield f"  {time.process_time() - began_s:.0f} s of CPU"


def main() -> None:
    """Measure, and print."""
    arguments = _arguments()
    history = _history(arguments)
    if arguments.one_in > 1:
        kept = [each for each in history.events if customer_hash(each.customer_id or "") % arguments.one_in == 0]
        history = replace(history, events=kept)
    found = lived(history, arguments.currency, received_ms=history.events[-1].event_time_ms + DAY_MS)
    for outcome in BUILT_IN:
        if outcome.name in arguments.outcomes.split(","):
            for line in _judged([label for label in found.labels if label.outcome == outcome.name], outcome):
                print(line, flush=True)


def _history(arguments: argparse.Namespace) -> History:
    if arguments.simulated:
        return simulated(ShopSettings(customers=arguments.simulated, days=730, late=0.0, duplicate=0.0))
    return read_history(arguments.files, arguments.source, arguments.currency, parse_mapping(arguments.columns))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--source", default="generic")
    parser.add_argument("--columns", default="", help="as of ebb offline backtest")
    parser.add_argument("--currency", default="GBP")
    parser.add_argument("--one-in", type=int, default=1, help="keep one customer in so many")
    parser.add_argument("--simulated", type=int, default=0, help="a simulated shop of so many customers instead")
    parser.add_argument("--outcomes", default="churn_30d,purchase_7d,lapsed,churn_90d")
    return parser.parse_args()


if __name__ == "__main__":
    main()
