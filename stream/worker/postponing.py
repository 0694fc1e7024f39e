"""A customer whose decisions fail is left for a while: none of its deadlines comes before a time."""

from collections.abc import Mapping

import numpy as np

from schemas.units import DAY_MS
from stream.chunk import IntArray
from stream.features.layout import StateArray
from stream.outcomes.sampling import customer_hashes, next_sample_ms
from stream.rounds import or_never

POSTPONED_MS = DAY_MS  # seldom enough to cost nothing, soon enough once Ebb is mended


def postpone(states: StateArray, customers: list[str], until_ms: Mapping[str, int]) -> None:
    """Let nothing of these customers be due before a time of their own; a snapshot that falls before it is left out.

    Args:
        states: shape (customers,), changed in place.
        customers: their ids.
        until_ms: customer -> when the first deadline may come, stream time in ms.
    """
    decision = states["decision"]
    limits_ms = np.array([until_ms[customer] for customer in customers], np.int64)
    for name in ("decide_at_ms", "close_at_ms"):
        decision[name] = np.where(decision[name] > 0, np.maximum(decision[name], limits_ms), 0)
    skipped = ((decision["snapshot_at_ms"] > 0) & (decision["snapshot_at_ms"] < limits_ms)).nonzero()[0]
    if len(skipped):
        decision["snapshot_at_ms"][skipped] = _next_samples_ms([customers[row] for row in skipped], limits_ms[skipped])
    deadlines = [or_never(decision[name]) for name in ("decide_at_ms", "snapshot_at_ms", "close_at_ms")]
    decision["due_ms"] = np.where(decision["due_ms"] > 0, np.min(deadlines, axis=0), 0)


def _next_samples_ms(customers: list[str], after_ms: IntArray) -> IntArray:
    return next_sample_ms(customer_hashes(customers), after_ms)
