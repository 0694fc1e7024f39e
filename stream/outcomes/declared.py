"""The outcomes of a deployment as arrays: what an event must be to count, and who is asked about."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.money import MINOR_UNITS, billionths
from schemas.units import DAY_MS
from stream.customers.silence import own_window_days
from stream.features.vocabulary import CHANNELS, NOTHING_DECLARED, Vocabulary, codes_of
from stream.outcomes.declaration import BUILT_IN, Outcome

ANY = -1
FORGOTTEN = -1
"""The place of an outcome that was declared once and is not any more."""

_CHANNEL_CODES = codes_of(CHANNELS)


class Asked(NamedTuple):
    """What decides who is asked about, shape (customers,) each.

    Attributes:
        since_purchase_ms: since the last purchase.
        purchase_days: on how many days there was one.
        mean_gap_days: between them; nan before the second.
    """

    since_purchase_ms: NDArray[np.int64]
    purchase_days: NDArray[np.int64]
    mean_gap_days: NDArray[np.float64]


class Conditions(NamedTuple):
    """Which events outcomes count, shape (outcomes,) each.

    Attributes:
        kind: the events'.
        channel: a channel's code, or `ANY`.
        category: the slot of a category, or `ANY`.
        codes: what stands for the outcomes in stored accumulators.
    """

    kind: NDArray[np.uint8]
    channel: NDArray[np.int64]
    category: NDArray[np.int64]
    codes: NDArray[np.uint32]


class DeclaredOutcomes:
    """The outcomes in force, in the order in which they are declared.

    Args:
        outcomes: none twice.
        vocabulary: the names that categories are looked up in.
        exponent: decimal places of the reporting currency.

    Raises:
        ValueError: there is none, a name is there twice, a channel or category is not declared, or an amount has more
            decimals than the currency.
    """

    def __init__(
        self, outcomes: Sequence[Outcome] = BUILT_IN, vocabulary: Vocabulary = NOTHING_DECLARED, exponent: int = 2
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.names = tuple(outcome.name for outcome in outcomes)
        if not outcomes:
            raise ValueError("no outcome is declared")
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(
                f"outcome {twice} is declared twice. One that comes with Ebb can be declared otherwise where "
                "EBB_OUTCOMES leaves it out"
            )
        for outcome in outcomes:
            _refuse_unknown(outcome.name, "channel", outcome.channel, CHANNELS)
            _refuse_unknown(outcome.name, "category", outcome.category, vocabulary.categories)
            _refuse_inexact(outcome, exponent)
        slots = vocabulary.category_slots
        self.conditions = Conditions(
            np.array([outcome.event_kind for outcome in outcomes], np.uint8),
            np.array([ANY if o.channel is None else _CHANNEL_CODES[o.channel] for o in outcomes], np.int64),
            np.array([ANY if o.category is None else slots[o.category] for o in outcomes], np.int64),
            np.array([outcome.code for outcome in outcomes], np.uint32),
        )
        self.minimum_minor = tuple(outcome.minimum_minor(exponent) for outcome in outcomes)
        self._minimum_minor = np.array(self.minimum_minor, np.int64)
        self._true_when_any = np.array([outcome.true_when == "any" for outcome in outcomes])
        self.open_at_most = np.array([outcome.open_at_most for outcome in outcomes])
        self.purchase_days_at_least = np.array([outcome.purchase_days_at_least for outcome in outcomes])

    def __repr__(self) -> str:
        """The declarations: what names rules in force must not be an address."""
        return f"DeclaredOutcomes({self.outcomes!r}, {self.minimum_minor!r})"

    def __len__(self) -> int:
        """How many."""
        return len(self.outcomes)

    @property
    def codes(self) -> NDArray[np.uint32]:
        """What stands for each in stored accumulators."""
        return self.conditions.codes

    def windows_days(self, asked: Asked) -> NDArray[np.int64]:
        """How long each outcome is waited for after a snapshot; 0 for customers who are not asked about.

        Returns:
            Shape (outcomes, customers), whole days.
        """
        own = own_window_days(asked.mean_gap_days)
        windows = np.empty((len(self), len(own)), np.int64)
        for place, outcome in enumerate(self.outcomes):
            days = np.minimum(own, outcome.horizon_days) if outcome.within_own_gap else outcome.horizon_days
            is_asked = asked.since_purchase_ms <= outcome.active_within_days * DAY_MS
            is_asked &= asked.purchase_days >= outcome.purchase_days_at_least
            windows[place] = np.where(is_asked, days, 0)
        return windows

    def values(
        self, places: NDArray[np.int64], hits: NDArray[np.integer[Any]], amounts_minor: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The labels of outcomes: 1 where one came true, else 0.

        Args:
            places: shape (labels,), of the outcomes.
            hits: shape (labels,), how many events counted.
            amounts_minor: shape (labels,), what these came to, in minor units.

        >>> from stream.outcomes.declaration import CHURN_30D, HIGH_VALUE_90D
        >>> outcomes = DeclaredOutcomes([CHURN_30D, HIGH_VALUE_90D])
        >>> outcomes.values(np.array([0, 0, 1, 1]), np.array([0, 2, 2, 2]), np.array([0, 900, 900, 50_000])).tolist()
        [1.0, 0.0, 0.0, 1.0]
        """
        reached = (hits > 0) & (amounts_minor >= self._minimum_minor[places])
        values: NDArray[np.float64] = (reached == self._true_when_any[places]).astype(np.float64)
        return values


def _refuse_unknown(name: str, field: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        listed = ", ".join(known) or "none is declared (EBB_CATEGORIES)"
        raise ValueError(f"outcome {name} has {field} {value!r}; there are: {listed}")


def _refuse_inexact(outcome: Outcome, exponent: int) -> None:
    """Refuse an amount that no sum of whole minor units comes to."""
    if billionths(outcome.minimum_amount) % MINOR_UNITS[exponent]:
        at_most = f"at most {exponent} decimals" if exponent else "no decimals"
        raise ValueError(
            f"outcome {outcome.name} has minimum_amount {outcome.minimum_amount!r}; amounts of EBB_CURRENCY have "
            f"{at_most}"
        )
