"""When a churn alert opens and closes (docs/architecture.md, "Alerts")."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RULE_VERSION = "1"  # part of every alert's id: another rule is another alert


@dataclass(frozen=True)
class ChurnRule:
    """A customer is alerted when a model is sure and the silence is long for this very customer.

    Attributes:
        open_probability: at least this probability opens.
        close_probability: below this an open alert closes.
        gap_multiple: silence must reach this many of the customer's own mean gaps, ...
        silence_at_least_days, silence_at_most_days: ... clamped to these bounds.
    """

    open_probability: float = 0.8
    close_probability: float = 0.7
    gap_multiple: float = 2.0
    silence_at_least_days: float = 14.0
    silence_at_most_days: float = 180.0

    def threshold_days(self, mean_gap_days: FloatArray) -> FloatArray:
        """The silence that is long for customers with this mean gap; never, where there is no gap.

        >>> ChurnRule().threshold_days(np.array([3.0, 12.0, 120.0, np.nan])).tolist()
        [14.0, 24.0, 180.0, inf]
        """
        at_least = np.maximum(self.gap_multiple * mean_gap_days, self.silence_at_least_days)
        clamped = np.minimum(at_least, self.silence_at_most_days)
        return np.where(np.isnan(mean_gap_days), np.inf, clamped)

    def opens(self, probability: FloatArray, silence_days: FloatArray, mean_gap_days: FloatArray) -> BoolArray:
        """Whether silence and probability are enough. An unknown probability (nan) never opens.

        >>> ChurnRule().opens(np.array([0.9, np.nan]), np.array([30.0, 30.0]), np.array([12.0, 12.0])).tolist()
        [True, False]
        """
        opened: BoolArray = (probability >= self.open_probability) & (
            silence_days >= self.threshold_days(mean_gap_days)
        )
        return opened

    def closes(self, probability: FloatArray) -> BoolArray:
        """Whether the model has changed its mind. An unknown probability closes nothing."""
        closed: BoolArray = probability < self.close_probability
        return closed
