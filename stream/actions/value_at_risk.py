"""The index of customers by value at risk."""

from typing import Any

import numpy as np

from stream.actions.acting import Acting
from stream.compiled import compiled
from stream.decisions import Asked, Decisions
from stream.ports import RISK_INDEX_MOVES_BY


def index(asked: Asked, decisions: Decisions, acting: Acting) -> None:
    """Write values that have moved, in major units; nothing at risk leaves the index."""
    block, minor = asked.block, 10**acting.rules.exponent
    shown, moved = block["risk_shown"].copy(), np.zeros(len(asked), np.bool_)
    risks, latest = decisions.value_at_risk_minor / minor, np.empty(len(acting.customers), np.float32)
    grown = _follow(asked.rows, risks, minor, latest, shown, moved)
    at = moved.nonzero()[0]
    if not len(at):
        return
    customers = [acting.customers[row] for row in asked.rows[at].tolist()]
    acting.changes.risks.update(zip(customers, risks[at].tolist(), strict=True))
    block["risk_shown"] = shown
    acting.changes.count("value_at_risk_minor", grown)


@compiled
def _follow(rows: Any, risks: Any, minor: int, latest: Any, shown: Any, moved: Any) -> int:
    """Let one value after another move what is shown of its customer.

    Args:
        rows, risks: shape (decisions,); a customer that is there twice is shown in this order.
        minor: minor units in a major one.
        latest: shape (customers,), overwritten.
        shown: shape (decisions,), what is shown of each customer before the first; then after each.
        moved: shape (decisions,), to be filled: whether it moved that.

    Returns:
        By how much the sum of what is shown has grown, each in whole minor units as it is stored: what enters the
        total leaves it to the last unit.
    """
    for i in range(len(rows)):
        latest[rows[i]] = shown[i]
    grown = 0
    for i in range(len(rows)):
        row = rows[i]
        if has_moved(risks[i], latest[row], 1 / minor):
            grown -= int(np.rint(np.float64(latest[row]) * minor))
            latest[row], moved[i] = risks[i], True
            grown += int(np.rint(np.float64(latest[row]) * minor))
        shown[i] = latest[row]
    return grown


@compiled
def has_moved(risk: float, shown: float, smallest: float) -> bool:
    """Whether a value has moved by more than `RISK_INDEX_MOVES_BY` of the one shown, or of `smallest` if that is more.

    >>> [has_moved(risk, 100.0, 0.01) for risk in (105.0, 105.1, 94.9, 0.0)]
    [False, True, True, True]
    """
    return abs(risk - shown) > RISK_INDEX_MOVES_BY * max(shown, smallest)
