"""Every feature in natural units. A new one is one entry in this file.

A feature that moves reads `now_ms` or another one that moves. nan is unknown; a share of nothing is 0.
"""

import numpy as np

from stream.features.facts import ENGAGEMENT_KINDS, TIMED_TO_THE_DAY
from stream.features.fields import DAY_MS, HALF_LIVES_DAYS, HOUR_BINS
from stream.features.natural import NATURAL_COLUMNS, Column, Formula, Natural, add_column, column
from stream.features.natural_engagement import last_ms_of
from stream.features.purchase_days import count_days, count_days_younger, oldest_age_days
from stream.features.vocabulary import CATEGORIES_MAX, CHANNELS

__all__ = ["NATURAL_COLUMNS"]


def _days_since(n: Natural, time_ms: Column) -> Column:
    return np.where(time_ms > 0, (n.now_ms - time_ms) / DAY_MS, np.nan)


def _share(part: Column, whole: Column) -> Column:
    """`part` is 0 where `whole` is."""
    share: Column = part / np.maximum(whole, 1)
    return share


@column("days", moves=True)
def since_last_purchase_days(n: Natural) -> Column:
    """Silence: time since the last purchase; nan before the first."""
    return _days_since(n, n.stored("features", "last_purchase_ms"))


@column("days", moves=True)
def since_first_purchase_days(n: Natural) -> Column:
    """Tenure: time since the first purchase; nan before it."""
    return _days_since(n, n.stored("features", "first_purchase_ms"))


@column("days", moves=True)
def since_first_event_days(n: Natural) -> Column:
    """Time since the first event of any kind; nan before it."""
    return _days_since(n, n.stored("features", "first_event_ms"))


@column("days")
def purchase_days(n: Natural) -> Column:
    """Days with a purchase within the 512 days up to the last one."""
    return count_days(n.stored("features", "purchase_days"))


@column("days")
def mean_gap_days(n: Natural) -> Column:
    """Mean distance of neighbouring purchase days within 512 days; nan below two purchase days."""
    days = n["purchase_days"]
    span = oldest_age_days(n.stored("features", "purchase_days"))
    return np.where(days > 1, span / np.maximum(days - 1, 1), np.nan)


@column("mean gaps", moves=True)
def silence_over_gap(n: Natural) -> Column:
    """Silence in the customer's own mean gaps; nan below two purchase days."""
    return n["since_last_purchase_days"] / n["mean_gap_days"]


@column("purchases")
def purchases(n: Natural) -> Column:
    """Purchases of all time."""
    return n.stored("features", "purchases")


@column("refunds")
def refunds(n: Natural) -> Column:
    """Refunds of all time."""
    return n.stored("features", "refunds")


@column("lines")
def purchase_lines(n: Natural) -> Column:
    """Order lines of all time."""
    return n.stored("features", "purchase_lines")


@column("pieces")
def units(n: Natural) -> Column:
    """Pieces bought."""
    return n.stored("features", "units")


@column("pieces")
def refunded_units(n: Natural) -> Column:
    """Pieces given back."""
    return n.stored("features", "refunded_units")


@column("minor units")
def spend_minor(n: Natural) -> Column:
    """Purchases of all time after discounts, refunds not taken off."""
    return n.stored("features", "purchase_minor")


@column("minor units")
def refund_minor(n: Natural) -> Column:
    """Refunds of all time."""
    return n.stored("features", "refund_minor")


@column("minor units")
def discount_minor(n: Natural) -> Column:
    """Discounts of all time."""
    return n.stored("features", "discount_minor")


@column("minor units")
def largest_basket_minor(n: Natural) -> Column:
    """The largest purchase."""
    return n.stored("features", "largest_basket_minor")


@column("minor units")
def mean_basket_minor(n: Natural) -> Column:
    """Mean purchase; nan before the first."""
    return np.where(n["purchases"] > 0, n["spend_minor"] / np.maximum(n["purchases"], 1), np.nan)


@column("share")
def discount_share(n: Natural) -> Column:
    """Discounts over what the purchases would have cost without them."""
    return _share(n["discount_minor"], n["spend_minor"] + n["discount_minor"])


@column("share")
def refund_share(n: Natural) -> Column:
    """Refunds over purchases in money, at most 1."""
    return _share(n["refund_minor"], np.maximum(n["spend_minor"], n["refund_minor"]))


@column("minor units", moves=True)
def net_spend_365d_minor(n: Natural) -> Column:
    """Purchases minus refunds, decayed with a half-life of 365 days, at least 0."""
    net: Column = np.maximum(n["decayed_spend_365d_minor"] - n["decayed_refund_365d_minor"], 0.0)
    return net


def _decayed(name: str, slot: int) -> Formula:
    return lambda n: n.decayed(name, slot)


for _slot, _days in enumerate(HALF_LIVES_DAYS):
    _words = f"decayed with a half-life of {_days} days"
    add_column(
        f"decayed_count_{_days}d", "purchases", f"Purchases {_words}.", _decayed("decayed_count", _slot), moves=True
    )
    add_column(
        f"decayed_spend_{_days}d_minor",
        "minor units",
        f"Spend {_words}.",
        _decayed("decayed_spend_minor", _slot),
        moves=True,
    )
    add_column(
        f"decayed_refund_{_days}d_minor",
        "minor units",
        f"Refunds {_words}.",
        _decayed("decayed_refund_minor", _slot),
        moves=True,
    )


@column("products")
def products_kept(n: Natural) -> Column:
    """Different products bought, at most 3."""
    kept: Column = (n.stored("features", "product_time_ms") > 0).sum(axis=0)
    return kept


@column("products")
def last_basket_products(n: Natural) -> Column:
    """Different products of the last purchase, at most 3."""
    time_ms, last_ms = n.stored("features", "product_time_ms"), n.stored("features", "last_purchase_ms")
    bought_last: Column = ((time_ms == last_ms) & (time_ms > 0)).sum(axis=0)
    return bought_last


@column("days")
def purchase_days_of_two_products(n: Natural) -> Column:
    """Purchase days after the third-last product was last bought, within 512: many for who buys the same again.

    nan below three products.
    """
    third_ms = n.stored("features", "product_time_ms")[-1]
    age_days = n.stored("features", "last_purchase_ms") // DAY_MS - third_ms // DAY_MS
    days = count_days_younger(n.stored("features", "purchase_days"), age_days)
    return np.where(third_ms > 0, days, np.nan)


def _share_of(field: str, slot: int) -> Formula:
    """The share of one slot of a field of counts."""

    def share(n: Natural) -> Column:
        counts = n.stored("features", field)
        return _share(counts[slot], counts.sum(axis=0))

    return share


for _slot, _channel in enumerate(CHANNELS):
    add_column(
        f"{_channel}_share", "share", f"Purchases with channel {_channel}.", _share_of("channel_purchases", _slot)
    )
for _slot in range(HOUR_BINS):
    _from, _to = 24 // HOUR_BINS * _slot, 24 // HOUR_BINS * (_slot + 1)
    _doc = f"Purchases from {_from:02} to {_to:02} h, UTC."
    add_column(f"hour_{_from:02}_to_{_to:02}_share", "share", _doc, _share_of("hour_purchases", _slot))
for _slot in range(CATEGORIES_MAX + 1):
    _name = "other" if _slot == CATEGORIES_MAX else str(_slot + 1)
    _doc = f"Order lines of category {_name} of the declared list."
    add_column(f"category_{_name}_share", "share", _doc, _share_of("category_lines", _slot))


def _times(slot: int) -> Formula:
    return lambda n: n.stored("engagement", "count")[slot]


def _days_since_kind(*slots: int) -> Formula:
    def last_ms(n: Natural) -> Column:
        last: Column = np.max([last_ms_of(n, slot) for slot in slots], axis=0)
        return last

    return lambda n: _days_since(n, n.once(f"last_ms of {slots}", last_ms))


for _slot, _kind in enumerate(ENGAGEMENT_KINDS):
    add_column(f"{_kind}_count", "events", f"Events {_kind}, at most 65,535.", _times(_slot))
    _floor = "the beginning of the day" if _kind in TIMED_TO_THE_DAY else "the second"
    _doc = f"Days since {_floor} of the last {_kind}; nan before the first."
    add_column(f"since_last_{_kind}_days", "days", _doc, _days_since_kind(_slot), moves=True)

_BROWSING = [ENGAGEMENT_KINDS.index(kind) for kind in ("page_view", "product_view", "search", "session")]
_ANSWERS = [ENGAGEMENT_KINDS.index(kind) for kind in ("email_open", "email_click", "ad_click", "coupon_redemption")]


def _counts_of(slots: list[int]) -> Formula:
    def times(n: Natural) -> Column:
        counts: Column = n.stored("engagement", "count")[slots].sum(axis=0)
        return counts

    return times


add_column("browsing_count", "events", "Pages, products, searches and sessions.", _counts_of(_BROWSING))
add_column("since_last_browsing_days", "days", "Days since any of them.", _days_since_kind(*_BROWSING), moves=True)
add_column("answer_count", "events", "Mails opened, mails and ads followed, coupons redeemed.", _counts_of(_ANSWERS))
add_column("since_last_answer_days", "days", "Days since any of them.", _days_since_kind(*_ANSWERS), moves=True)
