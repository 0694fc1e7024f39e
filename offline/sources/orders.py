"""Order lines as purchase and refund events. Every source ends here.

A line table is a data frame with one row per order line, in the order of the files, and the columns

    file          int      which of the files the line is from
    event_id      str      the order's id; lines of one order share it; empty: the line belongs to no order
    refund        bool     goods given back
    customer_id   str      empty: a guest
    time_ms       int      UTC
    product_id    str
    quantity      int      the sign of a refund's quantity says nothing
    unit_price    str      major units, a decimal string
    discount      str      off the whole line, a decimal string
    category, channel, currency, purchase_id   str; empty: not known
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from offline.history import History
from offline.sources.overlaps import drop_repeats
from schemas.events import OrderLine, Purchase, Refund, RefundLine


def history_of(lines: pd.DataFrame) -> History:
    """The orders of a line table as events, in order of (time, event id).

    An order's time, customer, channel and currency are its first line's. Orders that are none are left out and counted.
    """
    lines, skipped = usable(lines)
    return History(events_of(lines), skipped)


def usable(lines: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The lines of what is an order, and reason -> how many orders, or lines, are left out."""
    skipped: dict[str, int] = {}
    without_order = lines["event_id"] == ""
    if without_order.any():
        skipped["lines_without_order"] = int(without_order.sum())
        lines = lines[~without_order]
    lines, repeats = drop_repeats(lines)
    if repeats:
        skipped["repeated_order"] = repeats
    for reason, orders in _unusable(lines):
        skipped[reason] = len(orders)
        lines = lines[~lines["event_id"].isin(orders)]
    return lines, skipped


def events_of(lines: pd.DataFrame) -> list[Purchase | Refund]:
    """The orders of usable lines, in order of (time, event id)."""
    events: list[Purchase | Refund] = [*_purchases(lines[~lines["refund"]]), *_refunds(lines[lines["refund"]])]
    events.sort(key=lambda event: (event.event_time_ms, event.event_id))
    return events


def _unusable(lines: pd.DataFrame) -> Iterator[tuple[str, "pd.Index[Any]"]]:
    """Reason and orders, each order under the first reason that applies."""
    negative = lines["unit_price"].str.startswith("-") | ((lines["quantity"] < 0) & ~lines["refund"])
    first_customer = lines.groupby("event_id")["customer_id"].transform("first")
    reasons = {
        "negative_quantity_or_price": negative,
        "zero_quantity": lines["quantity"] == 0,
        "negative_discount": lines["discount"].str.startswith("-"),
        "no_product": lines["product_id"] == "",
        "several_customers": lines["customer_id"] != first_customer,
    }
    named: pd.Index[Any] = pd.Index([])
    for reason, rows in reasons.items():
        orders = pd.Index(lines.loc[rows, "event_id"].unique()).difference(named)
        named = named.union(orders)
        if len(orders):
            yield reason, orders


def _purchases(lines: pd.DataFrame) -> Iterator[Purchase]:
    order_lines = [
        OrderLine(product_id=product, quantity=quantity, unit_price=price, discount=discount, category=category or None)
        for product, quantity, price, discount, category in _line_values(lines)
    ]
    for order, of_order in _orders(lines):
        yield Purchase(
            event_id=order.event_id,
            customer_id=order.customer_id or None,
            event_time_ms=order.time_ms,
            currency=order.currency,
            channel=order.channel,
            lines=[order_lines[row] for row in of_order],
        )


def _refunds(lines: pd.DataFrame) -> Iterator[Refund]:
    refund_lines = [
        RefundLine(
            product_id=product, quantity=abs(quantity), unit_price=price, discount=discount, category=category or None
        )
        for product, quantity, price, discount, category in _line_values(lines)
    ]
    for order, of_order in _orders(lines):
        yield Refund(
            event_id=order.event_id,
            customer_id=order.customer_id or None,
            event_time_ms=order.time_ms,
            currency=order.currency,
            channel=order.channel,
            purchase_id=order.purchase_id or None,
            lines=[refund_lines[row] for row in of_order],
        )


def _line_values(lines: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    names = ("product_id", "quantity", "unit_price", "discount", "category")
    return zip(*(lines[name].tolist() for name in names), strict=True)


def _orders(lines: pd.DataFrame) -> Iterator[tuple[Any, list[int]]]:
    """Each order's first line, and the positions of all its lines in their order."""
    codes, _ = pd.factorize(lines["event_id"])
    by_order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[by_order], prepend=-1))
    firsts = lines.iloc[by_order[starts]].itertuples(index=False)
    spans = pairwise([*starts.tolist(), len(codes)])
    yield from zip(firsts, (by_order[start:end].tolist() for start, end in spans), strict=True)
