"""Four figures of a shop's purchases, measured alike in a simulated and in a real one.

Purchases of guests and repeats do not count. A purchase day is a UTC day with at least one purchase of a customer.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np

from ebb.simulate.delivery import Slice
from ebb.simulate.draws import IntArray
from ebb.simulate.encoding import TOPICS
from schemas.events import Purchase, Refund
from schemas.money import exponent_of, line_minor
from schemas.topics import PURCHASES
from schemas.units import DAY_MS

_decoder = msgspec.json.Decoder(Purchase | Refund)


@dataclass(frozen=True)
class ShopFigures:
    """What a shop's purchases look like.

    Attributes:
        customers: with at least one purchase.
        median_gap_days: between purchase days of a customer that follow each other, over all customers.
        mean_basket: value of a purchase after discounts, major units.
        repeat_rate: share of the customers with at least two purchase days.
        one_time_share: share of the customers with exactly one purchase.

    What nobody's purchases tell is None.
    """

    customers: int
    median_gap_days: float | None
    mean_basket: float | None
    repeat_rate: float | None
    one_time_share: float | None


class PurchaseLog:
    """Collects what the figures need, purchase by purchase."""

    def __init__(self) -> None:
        self._customers: dict[str, int] = {}
        self._rows: dict[str, tuple[int, int, float]] = {}

    def add(self, purchases: Iterable[Purchase]) -> None:
        """Take purchases into account; an event id counts once."""
        for purchase in purchases:
            if purchase.customer_id is None:
                continue
            customer = self._customers.setdefault(purchase.customer_id, len(self._customers))
            exponent = exponent_of(purchase.currency)
            value = sum(line_minor(line, exponent) for line in purchase.lines) / 10**exponent
            self._rows[purchase.event_id] = customer, purchase.event_time_ms // DAY_MS, value

    def add_slice(self, sent: Slice) -> None:
        """Take the purchases of a simulated day into account."""
        places = np.flatnonzero(sent.topic == TOPICS.index(PURCHASES)).tolist()
        events = (_decoder.decode(sent.values[place]) for place in places)
        self.add(event for event in events if isinstance(event, Purchase))

    def figures(self) -> ShopFigures:
        """The figures of everything added.

        Two customers: one bought on days 0, 0 and 10, for 1, 2 and 3, the other once, for 4.

        >>> from schemas.events import OrderLine
        >>> log = PurchaseLog()
        >>> bought = [("ada", 0, "1"), ("ada", 0, "2"), ("ada", 10, "3"), ("bob", 5, "4")]
        >>> log.add(
        ...     Purchase(event_id=str(number), customer_id=customer, event_time_ms=day * DAY_MS, currency="GBP",
        ...              lines=[OrderLine(product_id="p", quantity=1, unit_price=price)])
        ...     for number, (customer, day, price) in enumerate(bought))
        >>> log.figures()
        ShopFigures(customers=2, median_gap_days=10.0, mean_basket=2.5, repeat_rate=0.5, one_time_share=0.5)
        """
        if not self._rows:
            return ShopFigures(0, None, None, None, None)
        customer, day, value = (np.array(column) for column in zip(*self._rows.values(), strict=True))
        gaps, purchase_days = _gaps_and_days(customer, day)
        return ShopFigures(
            customers=len(purchase_days),
            median_gap_days=float(np.median(gaps)) if len(gaps) else None,
            mean_basket=round(float(value.mean()), 2),
            repeat_rate=round(float((purchase_days > 1).mean()), 4),
            one_time_share=round(float((np.bincount(customer) == 1).mean()), 4),
        )


def _gaps_and_days(customer: IntArray, day: IntArray) -> tuple[IntArray, IntArray]:
    """Days between neighbouring purchase days of one customer, and how many purchase days each customer has."""
    visits = np.unique(np.stack([customer, day], axis=1), axis=0)
    same = visits[1:, 0] == visits[:-1, 0]
    return (visits[1:, 1] - visits[:-1, 1])[same], np.bincount(visits[:, 0])
