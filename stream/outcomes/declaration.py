"""What is predicted. An outcome is declared once; snapshots, maturity, the learner and the engine read it from here."""

import math
import re
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import msgspec

from schemas.money import billionths, minor_units
from schemas.units import DAY_MS
from stream.customers.silence import AT_LEAST_DAYS, PURCHASE_DAYS_AT_LEAST
from stream.features.facts import KIND_CODES, PURCHASE, REFUND

ACTIVE_WITHIN_DAYS = 180  # who is silent for longer is no longer a customer whose return is predicted
SAMPLE_ONE_IN_DAYS = 28  # one snapshot per customer and four weeks; matched full weekly sampling in measurement
GRACE_MS = DAY_MS  # events may arrive this much later than their time and still count
HORIZON_DAYS_MAX = 365  # a snapshot is kept as long
WEEK_DAYS = 7
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Something that happens, or fails to, within `horizon_days` after a snapshot.

    What counts are events of one kind in (snapshot, end of the window]; the outcome is reached when there is one and
    their amounts together are at least `minimum_amount`.

    Attributes:
        name: as in views, labels and models.
        horizon_days: length of the window.
        true_when: "any" when it is true if reached, "none" when it is true if not.
        event: the kind that counts, such as "purchase" or "review".
        channel: if given, only events of this channel count.
        category: if given, only orders with a line of this declared category.
        minimum_amount: in major units, after discounts; for purchases and refunds.
        within_own_gap: the window is as long as a silence that is long for this very customer
            (`stream.customers.silence`), if that is shorter than the horizon; only of customers with a gap.
        active_within_days: only who has bought within so many days before the snapshot, at most 180.
        purchase_days_at_least: only who has bought on so many days.

    Raises:
        ValueError: a field cannot be meant.

    >>> CHURN_30D.open_at_most
    4
    """

    name: str
    horizon_days: int
    true_when: Literal["none", "any"]
    event: str = "purchase"
    channel: str | None = None
    category: str | None = None
    minimum_amount: str = "0"
    within_own_gap: bool = False
    active_within_days: int = ACTIVE_WITHIN_DAYS
    purchase_days_at_least: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.name == "segments":
            raise ValueError("name 'segments' is that of the centres of segments among models")
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r} is not lower-case letters, digits and _, at most 40 of them")
        if self.event not in KIND_CODES or self.event == "profile":
            raise ValueError(f"event {self.event!r} is none of {', '.join(k for k in KIND_CODES if k != 'profile')}")
        _refuse_outside("horizon_days", self.horizon_days, HORIZON_DAYS_MAX)
        _refuse_outside("active_within_days", self.active_within_days, ACTIVE_WITHIN_DAYS)
        _refuse_outside("purchase_days_at_least", self.purchase_days_at_least, HORIZON_DAYS_MAX)
        try:
            asks_amount = billionths(self.minimum_amount) > 0
        except ValueError as error:
            raise ValueError(f"minimum_amount {self.minimum_amount!r} is {error}") from error
        if asks_amount and self.event_kind not in (PURCHASE, REFUND):
            raise ValueError(f"minimum_amount {self.minimum_amount} is given, but {self.event} has no amount")
        for field in ("channel", "category"):
            if getattr(self, field) is not None and self.event_kind not in (PURCHASE, REFUND):
                raise ValueError(f"{field} {getattr(self, field)} is given, but {self.event} has no {field}")
        if self.within_own_gap and self.event_kind != PURCHASE:
            raise ValueError(f"within_own_gap is about purchases, and event is {self.event}")

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @property
    def event_kind(self) -> int:
        """The code of the counted kind in `EventFacts.kind`."""
        return KIND_CODES[self.event]

    @cached_property
    def code(self) -> int:
        """What stands for it in stored accumulators: another declaration, even of the same name, is another outcome."""
        return zlib.crc32(msgspec.json.encode(self, order="sorted"))

    @property
    def open_at_most(self) -> int:
        """How many snapshots of one customer may wait for this outcome at once."""
        return -(-self.horizon_days // SAMPLE_ONE_IN_DAYS) + 2

    @property
    def shortest_days(self) -> int:
        """The shortest window it may have."""
        return min(math.ceil(AT_LEAST_DAYS), self.horizon_days) if self.within_own_gap else self.horizon_days

    def minimum_minor(self, exponent: int) -> int:
        """`minimum_amount` in minor units."""
        return minor_units(self.minimum_amount, exponent)

    def weekly(self, outcomes: Sequence["Outcome"]) -> "Outcome | None":
        """The outcome whose probability, week by week in silence, makes up this one's; None if there is none.

        Silence is that no purchase comes at all, so both must count every purchase, whatever it came to.

        >>> CHURN_90D.weekly(BUILT_IN).name, HIGH_VALUE_90D.weekly(BUILT_IN), PURCHASE_7D.weekly(BUILT_IN)
        ('purchase_7d', None, None)
        """
        if not self._counts_every_purchase or self.horizon_days <= WEEK_DAYS:
            return None
        for other in outcomes:
            asks_as_many = other.active_within_days >= self.active_within_days
            asks_as_many = asks_as_many and other.purchase_days_at_least <= self.purchase_days_at_least
            is_weekly = other.horizon_days == WEEK_DAYS and other.true_when == "any" and not other.within_own_gap
            if is_weekly and other._counts_every_purchase and asks_as_many:
                return other
        return None

    def of_every_purchase(self, outcomes: Sequence["Outcome"]) -> "Outcome | None":
        """The outcome that asks the same customers, over the same window, whether any purchase comes; None if none.

        Of this one, which counts some purchases or what they come to.

        >>> HIGH_VALUE_90D.of_every_purchase(BUILT_IN).name, CHURN_90D.of_every_purchase(BUILT_IN)
        ('churn_90d', None)
        """
        if self.event_kind != PURCHASE or self._counts_every_purchase:
            return None
        return next((other for other in outcomes if other._counts_every_purchase and other._asks_as(self)), None)

    def _asks_as(self, other: "Outcome") -> bool:
        """Whether it asks the same customers over the same window."""
        asks = ("horizon_days", "within_own_gap", "active_within_days", "purchase_days_at_least")
        return all(getattr(self, name) == getattr(other, name) for name in asks)

    @property
    def _counts_every_purchase(self) -> bool:
        every = self.channel is None and self.category is None and not billionths(self.minimum_amount)
        return every and self.event_kind == PURCHASE

    def in_words(self, currency: str) -> str:
        """What a probability of it is a probability of; amounts are in this currency, such as "GBP".

        >>> for outcome in (CHURN_30D, HIGH_VALUE_90D, LAPSED):
        ...     print(outcome.in_words("GBP"))
        no purchase within 30 days
        purchases of 500 GBP in all within 90 days
        no purchase within twice the usual gap
        """
        where = "".join(f" {word}" for word in (self.category, self.channel) if word)
        one = f"{where} {self.event.replace('_', ' ')}".strip()
        what = f"{one}s of {self.minimum_amount} {currency} in all" if billionths(self.minimum_amount) else one
        span = "twice the usual gap" if self.within_own_gap else f"{self.horizon_days} days"
        return f"{'no ' if self.true_when == 'none' else ''}{what} within {span}"


def questions_of(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Name -> checksum of the declaration.

    >>> questions_of([CHURN_30D]) == {"churn_30d": CHURN_30D.code}
    True
    """
    return {outcome.name: outcome.code for outcome in outcomes}


def is_same_question(one: int, other: int) -> bool:
    """Whether two codes of an outcome of one name are of one declaration; 0 is of one that nobody has noted.

    >>> is_same_question(CHURN_30D.code, CHURN_30D.code), is_same_question(CHURN_30D.code, 0), is_same_question(1, 2)
    (True, True, False)
    """
    return one == other or 0 in (one, other)


def sampled_outcome(outcomes: Sequence[Outcome]) -> str:
    """The outcome whose labels are a sample of customers: everybody is asked about, and it matures first.

    >>> sampled_outcome(BUILT_IN)
    'purchase_7d'
    """
    everybody = [
        each for each in outcomes if each.purchase_days_at_least == 1 and each.active_within_days == ACTIVE_WITHIN_DAYS
    ]
    return min(everybody or outcomes, key=lambda each: each.horizon_days).name


def _refuse_outside(field: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ValueError(f"{field} {value} is not from 1 to {most}")


CHURN_30D = Outcome(name="churn_30d", horizon_days=30, true_when="none")
CHURN_90D = Outcome(name="churn_90d", horizon_days=90, true_when="none")
PURCHASE_7D = Outcome(name="purchase_7d", horizon_days=7, true_when="any")
PURCHASE_30D = Outcome(name="purchase_30d", horizon_days=30, true_when="any")
HIGH_VALUE_90D = Outcome(name="high_value_90d", horizon_days=90, true_when="any", minimum_amount="500")
LAPSED = Outcome(
    name="lapsed",
    horizon_days=180,
    true_when="none",
    within_own_gap=True,
    purchase_days_at_least=PURCHASE_DAYS_AT_LEAST,
)

BUILT_IN = (CHURN_30D, PURCHASE_7D, LAPSED, CHURN_90D, PURCHASE_30D, HIGH_VALUE_90D)
"""Those that come with Ebb."""

BUILT_IN_NAMES = tuple(outcome.name for outcome in BUILT_IN)
