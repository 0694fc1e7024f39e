"""Exponentially decayed sums that can be continued, merged and rescaled exactly.

The weight of an event halves every half-life. A sum is kept relative to a reference, a whole number of half-lives since
1970: moving it is a multiplication by a power of two, which floats do without error. So a sum has the same bits
wherever the log was cut. The reference is that of the customer's latest purchase or refund. Forward decay: Cormode et
al., ICDE 2009.

Limit: exactness ends where a sum leaves the normal floats, 1,022 half-lives before its reference. With 7 days that is
19.6 years between two purchases; a sum of what is older differs below 1e-290, and a sum it is added to not at all.
"""

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.compiled import compiled
from stream.features.fields import HALF_LIVES_DAYS

FloatArray = NDArray[np.float64]

SUMS = ("decayed_count", "decayed_spend_minor", "decayed_refund_minor")
HALF_LIVES_MS = np.array(HALF_LIVES_DAYS, np.float64) * DAY_MS


def rescaled(sums: FloatArray, reference: NDArray[np.int32], to: NDArray[np.int32]) -> FloatArray:
    """Sums relative to a later reference.

    >>> rescaled(np.array([8.0]), np.array([5], np.int32), np.array([7], np.int32)).tolist()
    [2.0]
    """
    moved: FloatArray = np.ldexp(sums, reference - to)
    return moved


@compiled
def weight_at(reference: int, now_ms: int, slot: int) -> float:
    """What a decayed sum is worth at `now_ms`, which is not before the customer's last event.

    Args:
        reference: of the sum, whole half-lives since 1970.
        now_ms: since 1970.
        slot: which of `HALF_LIVES_DAYS`.

    Returns:
        A factor, at most 1.

    >>> weight_at(0, 7 * DAY_MS, 0)
    0.5
    """
    return float(np.exp2(reference - now_ms / HALF_LIVES_MS[slot]))
