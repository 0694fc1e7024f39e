"""How the engagement of two histories of one customer is joined, and how its fields depend on each other.

A profile is replaced whole by the latest one. Which is the latest is one number, `profile_order`: the event's time in
ms, then 22 bits of its id's hash. Of two profiles that agree in both (one pair in four million of the same millisecond)
each field keeps the larger value, so that not even they depend on who came first.
"""

import numpy as np
from numpy.typing import NDArray

from stream.features.facts import FIRST_ENGAGEMENT, LOYALTY_CHANGE, PROFILE_FACTS, REVIEW
from stream.features.joining import add, merge_latest

PROFILE_ID_BITS = 22

SUMS = ("count", "session_s", "points_earned", "points_spent", "rating_sum")
LATEST = {"last_rating": REVIEW, "changed_tier": LOYALTY_CHANGE}
"""Field -> the kind whose last event it is of."""


def merge_engagement(joined: NDArray[np.void], a: NDArray[np.void], b: NDArray[np.void]) -> None:
    """Fill `joined` with what the events of both blocks would have given."""
    for name in SUMS:
        joined[name] = add(a[name], b[name])
    for name in ("last_s", "last_day", "profile_order"):
        joined[name] = np.maximum(a[name], b[name])
    for name, kind in LATEST.items():
        slot = kind - FIRST_ENGAGEMENT
        joined[name] = merge_latest(a[name], a["last_s"][:, slot], b[name], b["last_s"][:, slot])
    for name in PROFILE_FACTS.names or ():
        joined[name] = merge_latest(a[name], a["profile_order"], b[name], b["profile_order"])
