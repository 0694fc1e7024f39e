"""The index of customers by value at risk: of each a step of a scale, so that what hardly moves is not written anew."""

import math
from typing import Any

import numpy as np

from stream.changes import Changes
from stream.chunk import PartitionCustomers
from stream.compiled import compiled
from stream.decisions import Asked, Outlook
from stream.ports import RISK_INDEX_WITHIN

_STEP = 2 * math.log1p(RISK_INDEX_WITHIN)  # of the scale: the logarithm of what one is times the one below
_LEAST_MINOR = 0.5  # what a view shows as nothing is no value at risk


def index(asked: Asked, ahead: Outlook, given: PartitionCustomers, exponent: int, changes: Changes) -> None:
    """Write values that are on another step than the one shown, in major units; nothing at risk leaves the index.

    Which step hangs on the value alone and not on how it came there, so of several decisions about a customer the last
    is enough.

    Args:
        asked: customers as last decided; what is shown is written into their decision blocks.
        ahead: what is shown of them.
        given: whose ids are by row.
        exponent: decimal places of the currency.
        changes: takes the index and the total of all that it shows.
    """
    shown, moved = asked.block["risk_shown"].copy(), np.zeros(len(asked), np.bool_)
    grown = _follow(ahead.value_at_risk_minor, 10**exponent, shown, moved)
    at = moved.nonzero()[0]
    if not len(at):
        return
    customers = [given.customers[row] for row in asked.rows[at].tolist()]
    changes.risks.update(zip(customers, shown[at].tolist(), strict=True))
    asked.block["risk_shown"] = shown
    changes.count("value_at_risk_minor", grown)


@compiled
def _follow(at_risk_minor: Any, minor: int, shown: Any, moved: Any) -> int:
    """Let what is shown follow.

    Args:
        at_risk_minor: shape (customers,), nan where it is not known.
        minor: minor units in a major one.
        shown: shape (customers,), what is shown of each; then what is to be.
        moved: shape (customers,), to be filled: whether that is another.

    Returns:
        By how much the sum of what is shown has grown, each in whole minor units as it is stored: what enters the
        total leaves it to the last unit.
    """
    grown = 0
    for i in range(len(shown)):
        before, after = shown[i], np.float32(on_scale(at_risk_minor[i]) / minor)
        moved[i] = after != before
        if moved[i]:
            shown[i] = after
            grown += int(np.rint(np.float64(after) * minor)) - int(np.rint(np.float64(before) * minor))
    return grown


@compiled
def on_scale(at_risk_minor: float) -> float:
    """The middle of the step that a value is on, at most `RISK_INDEX_WITHIN` away from it; 0 of what is nothing.

    >>> [round(on_scale(value), 1) for value in (9_700.0, 10_400.0, 10_800.0, 0.3, float("nan"))]
    [10110.6, 10110.6, 11147.0, 0.0, 0.0]
    """
    if not at_risk_minor >= _LEAST_MINOR:
        return 0.0
    return math.exp((math.floor(math.log(at_risk_minor) / _STEP) + 0.5) * _STEP)
