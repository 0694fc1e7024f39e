"""The plain aggregates: every stored number that is a sum, a maximum or a minimum over events.

A new one is one entry here: the record's layout, `fold` and `merge` read this table. A time or an amount of 0 means
"none yet"; events happen after 1970. Aggregates with a shape of their own are in `fold_orders` and `fold_engagement`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from stream.features.facts import PURCHASE, REFUND, EventFacts

ANY = 0


@dataclass(frozen=True)
class Aggregate:
    """One stored number.

    Attributes:
        name: the field, with its unit.
        item: its little-endian type; unsigned ones of 4 bytes hold 4 billion, more events than a customer can make.
        join: how two values, or a value and an event, become one.
        of: the kind of event that counts, or `ANY`.
        value: what an event contributes.
        doc: its meaning.
    """

    name: str
    item: Literal["<i8", "<u4"]
    join: Literal["sum", "maximum", "minimum"]
    of: int
    value: Callable[[EventFacts], NDArray[Any]]
    doc: str


def _one(facts: EventFacts) -> NDArray[Any]:
    return facts.kind > 0


AGGREGATES: tuple[Aggregate, ...] = (
    Aggregate("first_event_ms", "<i8", "minimum", ANY, lambda f: f.time_ms, "Time of the first event of any kind."),
    Aggregate("last_event_ms", "<i8", "maximum", ANY, lambda f: f.time_ms, "Time of the last event of any kind."),
    Aggregate("first_purchase_ms", "<i8", "minimum", PURCHASE, lambda f: f.time_ms, "Time of the first purchase."),
    Aggregate("last_purchase_ms", "<i8", "maximum", PURCHASE, lambda f: f.time_ms, "Time of the last purchase."),
    Aggregate(
        "purchase_minor", "<i8", "sum", PURCHASE, lambda f: f.amount_minor, "Amount of all purchases, discounts off."
    ),
    Aggregate("refund_minor", "<i8", "sum", REFUND, lambda f: f.amount_minor, "Amount of all refunds, non-negative."),
    Aggregate("discount_minor", "<i8", "sum", PURCHASE, lambda f: f.discount_minor, "Discounts on purchases."),
    Aggregate("largest_basket_minor", "<i8", "maximum", PURCHASE, lambda f: f.amount_minor, "The largest purchase."),
    Aggregate("units", "<i8", "sum", PURCHASE, lambda f: f.units, "Pieces bought."),
    Aggregate("refunded_units", "<i8", "sum", REFUND, lambda f: f.units, "Pieces given back."),
    Aggregate("purchases", "<u4", "sum", PURCHASE, _one, "Purchases."),
    Aggregate("refunds", "<u4", "sum", REFUND, _one, "Refunds."),
    Aggregate("purchase_lines", "<u4", "sum", PURCHASE, lambda f: f.lines, "Lines of purchases."),
)
