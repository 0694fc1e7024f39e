"""How the model columns of a customer move while it buys nothing: each column ahead is a formula of the columns of now.

Who buys nothing may still look around. What is known of a customer's visits therefore grows old at a quarter of the
pace of time; all that is of purchases moves as if nothing arrived.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from stream.features.model_columns import FRESH, HINGES, MOVING, Hinge
from stream.features.scored import SCORED

GAP_COLUMN = "log_mean_gap_days"
"""The logarithm of one and the mean gap; 0 where there is no gap."""

AGEING_OF_VISITS = 0.25
"""Days by which the last visit is longer ago after a day without a purchase. With 1, as if nobody came to look, six
simulated shops lost too many customers: 1, .6, .4, .25 and .15 are in docs/learning-measured.md, "How the numbers were
chosen"."""

Course = Literal["grows", "grows by gap", "fades", "decays", "bends"]


class Movement(NamedTuple):
    """How a column moves, with `days` without a purchase.

    Attributes:
        course: "grows" is log1p(amount + days), "grows by gap" log1p(amount + days / gap), "decays"
            log1p(amount / 2 ** (days / half-life)), "fades" 7 / (days since + days * AGEING_OF_VISITS + 7), "bends"
            follows another column above a knot.
        half_life_days: of one that decays.
        source, knot: of one that bends, the column it follows and from which value of the feature on.
    """

    course: Course
    half_life_days: float = 1.0
    source: str = ""
    knot: float = 0.0


def movements() -> dict[str, Movement]:
    """Column -> how it moves, of all that do; what bends comes after what it follows.

    >>> movements()["log_decayed_count_90d"].half_life_days, movements()["fresh_browsing"].course
    (90, 'fades')
    """
    logged = {entry.name: _of_feature(entry.feature) for entry in MOVING}
    fading = {entry.name: Movement("fades") for entry in FRESH}
    return {**logged, **fading, **_bending(HINGES)}


def _bending(hinges: Sequence[Hinge]) -> dict[str, Movement]:
    return {hinge.name: Movement("bends", source=f"log_{hinge.feature}", knot=hinge.knot) for hinge in hinges}


def _of_feature(feature: str) -> Movement:
    half_life_days = SCORED[feature].half_life_days
    if half_life_days is not None:
        return Movement("decays", half_life_days=half_life_days)
    return Movement("grows by gap" if feature == "silence_over_gap" else "grows")
