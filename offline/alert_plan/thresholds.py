"""What thresholds come to on a sample of customer-days whose outcome is known."""

from collections.abc import Sequence
from itertools import takewhile

import msgspec
import numpy as np

from offline.alert_plan.snapshots import BoolArray, IntArray, Snapshots
from stream.outcomes.declaration import SAMPLE_ONE_IN_DAYS

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
ASSUMED_SILENCES = 5  # met twice each, so that few silences, none of them met twice yet, do not count as very many


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """What alerts at one probability would have been, on average over the days of the sample.

    Attributes:
        probability: an alert opens here.
        list_size: customers who are on the list on a day: silent for long, and this likely to have left, of those
            who bought within 180 days. Alerts of who is silent for longer stay open and are not in it.
        alerts_per_week: silences that get onto the list in a week; an estimate, see `arrivals`. Where a model begins
            to serve, or a threshold falls, who is on the list already comes besides, within days.
        precision: share of the list that did leave; None for an empty list.
        missed: share of all who were leaving on a day and are not on the list; None where nobody was.
        value_at_risk_minor: of the whole list on a day.
    """

    probability: float
    list_size: float
    alerts_per_week: float
    precision: float | None
    missed: float | None
    value_at_risk_minor: float


def plan(snapshots: Snapshots, thresholds: Sequence[float] = THRESHOLDS) -> list[Threshold]:
    """Judge each threshold.

    Args:
        snapshots: at least one.
        thresholds: probabilities.
    """
    days = int(snapshots.day.max() - snapshots.day.min()) + 1
    return [_at(probability, snapshots, days) for probability in thresholds]


def _at(probability: float, snapshots: Snapshots, days: int) -> Threshold:
    listed = snapshots.long_silence & (snapshots.probability >= probability)
    at_risk = snapshots.probability[listed] * snapshots.spend_minor[listed]
    of_a_day = SAMPLE_ONE_IN_DAYS / days
    return Threshold(
        probability=probability,
        list_size=float(listed.sum()) * of_a_day,
        alerts_per_week=arrivals(snapshots.episode[listed], (snapshots.day - snapshots.day.min())[listed]) * 7 / days,
        precision=_share(snapshots.left[listed]),
        missed=_share(~listed[snapshots.left]),
        value_at_risk_minor=float(at_risk.sum()) * of_a_day,
    )


def arrivals(episode: IntArray, day: IntArray) -> float:
    """How many silences got onto the list over the days of a sample.

    A day of a customer is met by chance, one in `SAMPLE_ONE_IN_DAYS`. If silences leave the list as likely on any day,
    the number of times one is met is geometric: of those met once and more often one knows how many were never met.
    Who was there at the beginning, which the first `SAMPLE_ONE_IN_DAYS` days count, did not arrive: their alerts come
    at once when a model begins to serve, and not again. Over 139 days of Online Retail II it says 5.1 a week at .8,
    where 51 alerts were opened in the first week and 4.0 a week after that (docs/outcomes.md has other histories).

    Args:
        episode: the silence of each snapshot on the list, shape (listed,).
        day: of each of these, days since the first of the sample.

    >>> arrivals(np.array([1, 2, 2, 3, 3, 3]), np.array([40, 50, 70, 60, 80, 99]))
    6.0
    """
    met, silences = len(episode), len(np.unique(episode))
    if not met:
        return 0.0
    times = (met - silences + ASSUMED_SILENCES) / (silences + ASSUMED_SILENCES)  # met, on average, those never met too
    at_first = int((day < SAMPLE_ONE_IN_DAYS).sum())
    return max(silences * (1 + 1 / times) - at_first, 0.0)


def suggested(judged: Sequence[Threshold], per_week: float) -> Threshold | None:
    """The lowest threshold with at most so many alerts a week: it misses least. None if the highest has more.

    Alerts a week are an estimate. Who gets onto the list of a threshold has been on that of a lower one, so where a
    higher one has more than `per_week`, a lower one has too, whatever is said of it.

    Args:
        judged: the lowest first.
        per_week: how many can be acted on.
    """
    few = list(takewhile(lambda each: each.alerts_per_week <= per_week, reversed(judged)))
    return few[-1] if few else None


def at_once(before: Threshold, after: Threshold) -> float:
    """How many alerts a change of threshold opens within days: who is on the list of the new one alone.

    >>> few, many = (Threshold(probability=p, list_size=size, alerts_per_week=1, precision=None, missed=None,
    ...     value_at_risk_minor=0) for p, size in ((0.9, 19), (0.8, 44)))
    >>> at_once(few, many), at_once(many, few)
    (25, 0.0)
    """
    return max(after.list_size - before.list_size, 0.0)


def _share(of: BoolArray) -> float | None:
    return float(of.mean()) if len(of) else None
