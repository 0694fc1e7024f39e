"""The index of customers by value at risk."""

import numpy as np
from numpy.typing import NDArray

from stream.actions.acting import Acting
from stream.decisions import Asked, Decisions

MOVES_BY = 0.05  # the index is rewritten when a value has moved by this share; readers rank again by the views


def index(asked: Asked, decisions: Decisions, acting: Acting) -> None:
    """Write values that have moved, in major units; nothing at risk leaves the index."""
    minor, block = 10**acting.rules.exponent, asked.block
    risks, latest = decisions.value_at_risk_minor / minor, np.zeros(len(acting.customers), np.float32)
    latest[asked.rows] = block["risk_shown"]
    before = _sum_minor(latest, minor)
    for part in asked.parts:
        rows, risk = asked.rows[part], risks[part]
        shown = latest[rows].astype(np.float64)
        moved = has_moved(risk, shown, 1 / minor)
        customers = [acting.customers[row] for row in rows[moved].tolist()]
        acting.changes.risks.update(zip(customers, risk[moved].tolist(), strict=True))
        latest[rows] = np.where(moved, risk, shown)
    block["risk_shown"] = latest[asked.rows]
    acting.changes.count("value_at_risk_minor", _sum_minor(latest, minor) - before)


def _sum_minor(shown: NDArray[np.float32], minor: int) -> int:
    """Sum of values as they are stored, each in whole minor units: what enters the total leaves it to the last unit."""
    return int(np.rint(shown.astype(np.float64) * minor).sum())


def has_moved(risk: NDArray[np.float64], shown: NDArray[np.float64], smallest: float) -> NDArray[np.bool_]:
    """Whether values differ by more than `MOVES_BY` from those shown, of which none counts as less than `smallest`.

    >>> has_moved(np.array([105.0, 105.1, 94.9, 0.0]), np.full(4, 100.0), 0.01).tolist()
    [False, True, True, True]
    """
    moved: NDArray[np.bool_] = np.abs(risk - shown) > MOVES_BY * np.maximum(shown, smallest)
    return moved
