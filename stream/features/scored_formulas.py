"""The features of `scored`, each written once, for one customer: what moves with time apart from what stands still.

A row is a record of `model_columns.SCORED_ROW`, a state one of `fields.STATE`. nan is unknown; a share of nothing is 0.
"""

from typing import Any

import numpy as np

from schemas.units import DAY_MS
from stream.compiled import compiled
from stream.features.decayed import weight_at
from stream.features.facts import ENGAGEMENT_KINDS, TIMED_TO_THE_SECOND
from stream.features.fields import HALF_LIVES_DAYS
from stream.features.purchase_days import days_set, oldest_age_days
from stream.features.vocabulary import CHANNELS

Row = Any
State = Any

_WEEK, _MONTH, _QUARTER, _YEAR = range(len(HALF_LIVES_DAYS))


def _slots(*kinds: str) -> tuple[int, ...]:
    return tuple(ENGAGEMENT_KINDS.index(kind) for kind in kinds)


_BROWSING = _slots("page_view", "product_view", "search", "session")
_ANSWERS = _slots("email_open", "email_click", "ad_click", "coupon_redemption")
_ADD_TO_CART = _slots("add_to_cart")
_SUPPORT_CONTACT, _SESSION, _REVIEW = _slots("support_contact", "session", "review")
_EMAIL_OPEN, _EMAIL_SENT = _slots("email_open", "email_sent")
_IN_STORE, _APP = CHANNELS.index("in_store"), CHANNELS.index("app")
_SECONDS = len(TIMED_TO_THE_SECOND)


@compiled
def days_since(then_ms: int, now_ms: int) -> float:
    """Days from then to now; nan for a time that never was, stored as 0.

    >>> days_since(DAY_MS, 3 * DAY_MS), days_since(0, DAY_MS)
    (2.0, nan)
    """
    return (now_ms - then_ms) / DAY_MS if then_ms > 0 else np.nan


@compiled
def place_at(row: Row, state: State, now_ms: int) -> None:
    """Fill in what moves and decides a customer's segment."""
    features = state.features
    weight = weight_at(features.decayed_reference[_YEAR], now_ms, _YEAR)
    row.since_last_purchase_days = days_since(features.last_purchase_ms, now_ms)
    row.since_first_purchase_days = days_since(features.first_purchase_ms, now_ms)
    row.decayed_spend_365d_minor = features.decayed_spend_minor[_YEAR] * weight
    row.decayed_refund_365d_minor = features.decayed_refund_minor[_YEAR] * weight
    row.net_spend_365d_minor = max(row.decayed_spend_365d_minor - row.decayed_refund_365d_minor, 0.0)
    row.decayed_count_365d = features.decayed_count[_YEAR] * weight


@compiled
def move_to(row: Row, state: State, now_ms: int) -> None:
    """Fill in everything else that moves, after `place_at`; the row holds what stands still."""
    features, engagement = state.features, state.engagement
    row.silence_over_gap = row.since_last_purchase_days / row.mean_gap_days
    row.since_last_browsing_days = days_since(_last_ms(engagement, _BROWSING), now_ms)
    row.since_last_add_to_cart_days = days_since(_last_ms(engagement, _ADD_TO_CART), now_ms)
    row.since_last_answer_days = days_since(_last_ms(engagement, _ANSWERS), now_ms)
    weight = weight_at(features.decayed_reference[_WEEK], now_ms, _WEEK)
    row.decayed_count_7d = features.decayed_count[_WEEK] * weight
    row.decayed_spend_7d_minor = features.decayed_spend_minor[_WEEK] * weight
    row.decayed_refund_7d_minor = features.decayed_refund_minor[_WEEK] * weight
    weight = weight_at(features.decayed_reference[_MONTH], now_ms, _MONTH)
    row.decayed_count_30d = features.decayed_count[_MONTH] * weight
    row.decayed_spend_30d_minor = features.decayed_spend_minor[_MONTH] * weight
    row.decayed_refund_30d_minor = features.decayed_refund_minor[_MONTH] * weight
    weight = weight_at(features.decayed_reference[_QUARTER], now_ms, _QUARTER)
    row.decayed_count_90d = features.decayed_count[_QUARTER] * weight
    row.decayed_spend_90d_minor = features.decayed_spend_minor[_QUARTER] * weight
    row.decayed_refund_90d_minor = features.decayed_refund_minor[_QUARTER] * weight


@compiled
def stand(row: Row, state: State) -> None:
    """Fill in what stands still."""
    features = state.features
    days = days_set(features.purchase_days)
    row.purchase_days = days
    row.mean_gap_days = oldest_age_days(features.purchase_days) / (days - 1) if days > 1 else np.nan
    spend, refund, discount = features.purchase_minor, features.refund_minor, features.discount_minor
    row.mean_basket_minor = spend / features.purchases if features.purchases > 0 else np.nan
    row.discount_share = discount / max(spend + discount, 1)
    row.refund_share = refund / max(spend, refund, 1)
    through = 0
    for channel in range(len(CHANNELS)):
        through += features.channel_purchases[channel]
    row.in_store_share = features.channel_purchases[_IN_STORE] / max(through, 1)
    row.app_share = features.channel_purchases[_APP] / max(through, 1)
    _stand_engaged(row, state.engagement)


@compiled
def _stand_engaged(row: Row, engagement: State) -> None:
    counts = engagement["count"]
    row.browsing_count = _times(counts, _BROWSING)
    row.add_to_cart_count = _times(counts, _ADD_TO_CART)
    row.answer_count = _times(counts, _ANSWERS)
    row.support_contact_count = counts[_SUPPORT_CONTACT]
    sessions, reviews, sent = counts[_SESSION], counts[_REVIEW], counts[_EMAIL_SENT]
    row.mean_session_minutes = engagement.session_s / 60 / sessions if sessions > 0 else np.nan
    row.email_open_share = min(counts[_EMAIL_OPEN], sent) / sent if sent > 0 else 0.0  # a mail may be opened twice
    row.mean_rating = engagement.rating_sum / reviews if reviews > 0 else np.nan
    row.dissatisfaction = min(max((5 - row.mean_rating) / 4, 0.0), 1.0) if reviews > 0 else np.nan


@compiled
def _times(counts: Row, slots: tuple[int, ...]) -> int:
    times = 0
    for slot in slots:
        times += counts[slot]
    return times


@compiled
def _last_ms(engagement: State, slots: tuple[int, ...]) -> int:
    """When any of these kinds was last seen, floored to the second or the day; 0 for never."""
    last_ms = 0
    for slot in slots:
        seconds, day = slot < _SECONDS, slot - _SECONDS
        seen_ms = int(engagement.last_s[slot]) * 1000 if seconds else int(engagement.last_day[day]) * DAY_MS
        last_ms = max(last_ms, seen_ms)
    return last_ms


@compiled
def fill(rows: Row, states: State, now_ms: Row) -> None:
    """Fill in every scored feature of every customer, each at its own time."""
    for i in range(len(rows)):
        stand(rows[i], states[i])
        place_at(rows[i], states[i], now_ms[i])
        move_to(rows[i], states[i], now_ms[i])
