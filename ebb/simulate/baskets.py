"""What is in an order: lines of products, quantities and discounts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebb.simulate.catalogue import Catalogue
from ebb.simulate.draws import Draws, FloatArray, IntArray, quantile_power, spread
from ebb.simulate.settings import ShopSettings

LINES_MAX = 25
QUANTITY_MAX = 2_000


@dataclass(frozen=True)
class Baskets:
    """Lines of some orders, order after order. Shape (lines,) each, except for `start` of shape (orders + 1,)."""

    start: IntArray
    owner: NDArray[np.intp]
    product: IntArray
    quantity: IntArray
    unit_price_minor: IntArray
    discount_minor: IntArray

    @property
    def value_minor(self) -> IntArray:
        """What each order costs, shape (orders,)."""
        lines = self.quantity * self.unit_price_minor - self.discount_minor
        return np.bincount(self.owner, weights=lines, minlength=len(self.start) - 1).astype(np.int64)


def fill(
    draws: Draws,
    catalogue: Catalogue,
    settings: ShopSettings,
    who: IntArray,
    day: int,
    size: FloatArray,
    percent: IntArray,
) -> Baskets:
    """Fill the baskets of orders.

    Args:
        draws: the shop's.
        catalogue: what can be bought.
        settings: the shop's.
        who: shape (orders,), counters for draws.
        day: of the shop.
        size: shape (orders,), 1 for an order of average value.
        percent: shape (orders,), discount.
    """
    lines = 1 + np.asarray(draws.exponential("lines", who, day) * (settings.lines_mean - 1), np.int64)
    owner, number = spread(np.minimum(lines, LINES_MAX))
    buyer = who[owner]
    product = catalogue.pick(draws, "line", buyer, day, number)
    price = catalogue.price_minor[product]
    worth = settings.basket_minor / settings.lines_mean * size[owner]
    worth = worth * quantile_power(1.9, draws.normal("line worth", buyer, day, number))
    quantity = np.clip(np.rint(worth / price), 1, QUANTITY_MAX).astype(np.int64)
    discount = quantity * price * percent[owner] // 100
    start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(who)))])
    return Baskets(start, owner, product, quantity, price, discount)
