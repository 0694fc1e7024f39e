"""What one event of engagement, or one profile, does to a customer. Compiled: `engagement` is one record.

A profile is replaced whole by the latest one. Which is the latest is one number, `profile_order`: the event's time in
ms, then 22 bits of its id's hash. Of two profiles that agree in both (one pair in four million of the same millisecond)
each field keeps the larger value, so that not even they depend on who came first.
"""

from typing import Any

import numpy as np

from schemas.units import DAY_MS
from stream.compiled import compiled
from stream.features.engagement import PROFILE_ID_BITS
from stream.features.facts import FIRST_ENGAGEMENT, LOYALTY_CHANGE, REVIEW, SESSION, TIMED_TO_THE_SECOND, U2_MAX, U4_MAX
from stream.features.fold_orders import add_at

_PROFILE_MS_MAX = 2 ** (64 - PROFILE_ID_BITS) - 1  # in 2109
_FIRST_DAY_SLOT = len(TIMED_TO_THE_SECOND)


@compiled
def fold_engagement(engagement: Any, kind: Any, time_ms: int, value: int, tier: int) -> None:
    """Count an event, add up what it says, move its kind's last time."""
    slot = np.int64(kind) - FIRST_ENGAGEMENT
    add_at(engagement["count"], slot, 1, U2_MAX)
    if slot >= _FIRST_DAY_SLOT:
        day = np.uint16(min(time_ms // DAY_MS, U2_MAX))  # until 2149
        engagement.last_day[slot - _FIRST_DAY_SLOT] = max(engagement.last_day[slot - _FIRST_DAY_SLOT], day)
        return
    before, second = np.int64(engagement.last_s[slot]), min(time_ms // 1000, U4_MAX)  # until 2106
    engagement.last_s[slot] = max(before, second)
    if kind == SESSION:
        engagement.session_s = min(np.int64(engagement.session_s) + value, U4_MAX)
    elif kind == REVIEW:
        engagement.rating_sum = min(np.int64(engagement.rating_sum) + value, U2_MAX)
        engagement.last_rating = _of_latest(engagement.last_rating, value, before, second)
    elif kind == LOYALTY_CHANGE:
        engagement.points_earned = min(np.int64(engagement.points_earned) + max(value, 0), U4_MAX)
        engagement.points_spent = min(np.int64(engagement.points_spent) + max(-value, 0), U4_MAX)
        engagement.changed_tier = _of_latest(engagement.changed_tier, tier, before, second)


@compiled
def _of_latest(stored: Any, offered: Any, stored_order: Any, order: Any) -> Any:
    """The value of the later one; of equally late ones the larger."""
    if order == stored_order:
        return max(np.int64(stored), np.int64(offered))
    return np.int64(offered) if order > stored_order else np.int64(stored)


@compiled
def fold_profile(engagement: Any, time_ms: int, hash_: Any, profile: Any) -> None:
    """Keep the latest profile."""
    order = np.uint64(min(time_ms, _PROFILE_MS_MAX)) << np.uint64(PROFILE_ID_BITS)
    order |= hash_ >> np.uint64(64 - PROFILE_ID_BITS)
    before = engagement.profile_order
    engagement.profile_order = max(before, order)
    engagement.income = _of_latest(engagement.income, profile.income, before, order)
    engagement.age = _of_latest(engagement.age, profile.age, before, order)
    engagement.gender = _of_latest(engagement.gender, profile.gender, before, order)
    engagement.region = _of_latest(engagement.region, profile.region, before, order)
    engagement.education = _of_latest(engagement.education, profile.education, before, order)
    engagement.preferred_channel = _of_latest(engagement.preferred_channel, profile.preferred_channel, before, order)
    engagement.profile_tier = _of_latest(engagement.profile_tier, profile.profile_tier, before, order)
    engagement.consent = _of_latest(engagement.consent, profile.consent, before, order)
    engagement.time_zone = _of_latest(engagement.time_zone, profile.time_zone, before, order)
