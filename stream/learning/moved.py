"""Lets an outcome that counts some purchases only know what the hazard knows of all.

Whether purchases of 500 in all come within 90 days is known 91 days later, and of how much is bought nobody makes a
hazard. Of whether anything is bought there are both: regressions as late, and the hazard, which knows the last weeks.
What the hazard says beyond those regressions is news of the shop. A share of it is added to the logit.
"""

import numpy as np

from stream.outcomes.declaration import Outcome
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import HALF, MovedLogit
from stream.scoring.linear import LinearModel

HAZARD_SHARE = 0.2
"""Of .2, .25, .33 and .5 the most that pushed none of 29 cases over a margin (docs/learning-measured.md, "How the
numbers were chosen")."""


def moved(
    mix: LinearModel,
    every: LinearModel,
    weekly: LinearModel,
    outcome: Outcome,
    of_every: Outcome,
    hazard_share: float = HALF,
) -> MovedLogit:
    """The mean logit of an outcome, moved.

    Args:
        mix: the mean logit of the outcome's own regressions.
        every: that of the outcome which asks of every purchase.
        weekly: the probability of a purchase within seven days.
        outcome, of_every: the two declarations.
        hazard_share: what the hazard counts for where it is rolled forward; the less that is than a half, the less it
            moves this one.
    """
    share = HAZARD_SHARE * hazard_share / HALF
    sign = 1.0 if outcome.true_when == of_every.true_when else -1.0
    hazard = HazardModel(weekly, outcome.horizon_days, outcome.true_when, outcome.within_own_gap)
    return MovedLogit(less(mix, every, sign * share), hazard, share)


def less(one: LinearModel, other: LinearModel, share: float) -> LinearModel:
    """The linear model whose logit is one's less a share of another's, standardised as the first.

    They may have learned from other customers, and standardise otherwise. But for what is clipped the answer is exact.
    A column that has no spread for the first counts as its mean there.

    Args:
        one, other: with the same columns.
        share: may be negative.

    >>> one = LinearModel(("x",), means=(2.0,), scales=(1.0,), weights=(1.0,), bias=0.5)
    >>> other = LinearModel(("x",), means=(0.0,), scales=(4.0,), weights=(2.0,), bias=0.0)
    >>> less(one, other, 0.5)  # 1 (x - 2) + .5 less half of 2 x / 4
    LinearModel(columns=('x',), means=(2.0,), scales=(1.0,), weights=(0.75,), bias=0.0, clip=6.0)
    """
    scales = np.array(other.scales)
    slopes = np.divide(other.weights, scales, out=np.zeros(len(scales)), where=scales > 0.0)
    at_means = other.bias + float(slopes @ (np.array(one.means) - np.array(other.means)))
    weights = np.array(one.weights) - share * slopes * np.array(one.scales)
    bias = one.bias - share * at_means
    return LinearModel(one.columns, one.means, one.scales, tuple(weights.tolist()), bias, one.clip)
