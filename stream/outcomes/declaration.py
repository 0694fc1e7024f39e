"""What is predicted. An outcome is declared once; snapshots, maturity, the learner and the engine read it from here."""

from dataclasses import dataclass
from typing import Literal

from schemas.units import DAY_MS
from stream.features.facts import KIND_CODES

ACTIVE_WITHIN_DAYS = 180  # who is silent for longer is no longer a customer whose return is predicted
SAMPLE_ONE_IN_DAYS = 28  # one snapshot per customer and four weeks; matched full weekly sampling in measurement
GRACE_MS = DAY_MS  # events may arrive this much later than their time and still count


@dataclass(frozen=True)
class Outcome:
    """Something that happens, or fails to, within `horizon_days` after a snapshot.

    >>> churn = Outcome("churn_30d", horizon_days=30, event="purchase", true_when="none")
    >>> churn.value(hits=0), churn.value(hits=2)
    (1.0, 0.0)
    >>> churn.closes_ms(snapshot_day=0) // DAY_MS
    31
    >>> churn.open_at_most
    4
    """

    name: str
    horizon_days: int
    event: str
    true_when: Literal["none", "any"]

    @property
    def event_kind(self) -> int:
        """The code of the counted kind in `EventFacts.kind`."""
        return KIND_CODES[self.event]

    @property
    def open_at_most(self) -> int:
        """How many snapshots of one customer may wait for this outcome at once."""
        return -(-self.horizon_days // SAMPLE_ONE_IN_DAYS) + 2

    def closes_ms(self, snapshot_day: int) -> int:
        """Stream time at which a snapshot of `snapshot_day` matures, in ms."""
        return (snapshot_day + self.horizon_days) * DAY_MS + GRACE_MS

    def value(self, hits: int) -> float:
        """The label for `hits` counted events."""
        return float((hits == 0) == (self.true_when == "none"))


CHURN_30D = Outcome("churn_30d", horizon_days=30, event="purchase", true_when="none")
PURCHASE_7D = Outcome("purchase_7d", horizon_days=7, event="purchase", true_when="any")

OUTCOMES = (CHURN_30D, PURCHASE_7D)
"""In the order of their codes in stored accumulators: append, never reorder."""
