"""Features in natural units beyond those that decisions go by (`scored`). A new one is one entry in this file.

A feature that moves reads `now_ms` or another one that moves. nan is unknown; a share of nothing is 0.
"""

import numpy as np

from schemas.units import DAY_MS
from stream.features.facts import ENGAGEMENT_KINDS, TIMED_TO_THE_DAY
from stream.features.fields import HOUR_BINS
from stream.features.natural import NATURAL_COLUMNS, Column, Formula, Natural, add_column, column
from stream.features.natural_engagement import last_ms_of
from stream.features.purchase_days import count_days_younger
from stream.features.scored import SCORED
from stream.features.vocabulary import CATEGORIES_MAX, CHANNELS

__all__ = ["NATURAL_COLUMNS"]


def _days_since(n: Natural, time_ms: Column) -> Column:
    return np.where(time_ms > 0, (n.now_ms - time_ms) / DAY_MS, np.nan)


def _share(part: Column, whole: Column) -> Column:
    """`part` is 0 where `whole` is."""
    share: Column = part / np.maximum(whole, 1)
    return share


@column("days", moves=True)
def since_first_event_days(n: Natural) -> Column:
    """Time since the first event of any kind; nan before it."""
    return _days_since(n, n.stored("features", "first_event_ms"))


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
    if f"{_channel}_share" not in SCORED:
        _doc = f"Purchases with channel {_channel}."
        add_column(f"{_channel}_share", "share", _doc, _share_of("channel_purchases", _slot))
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


def _days_since_kind(slot: int) -> Formula:
    return lambda n: _days_since(n, last_ms_of(n, slot))


for _slot, _kind in enumerate(ENGAGEMENT_KINDS):
    if f"{_kind}_count" not in SCORED:
        add_column(f"{_kind}_count", "events", f"Events {_kind}, at most 65,535.", _times(_slot))
    if f"since_last_{_kind}_days" not in SCORED:
        _floor = "the beginning of the day" if _kind in TIMED_TO_THE_DAY else "the second"
        _doc = f"Days since {_floor} of the last {_kind}; nan before the first."
        add_column(f"since_last_{_kind}_days", "days", _doc, _days_since_kind(_slot), moves=True)
