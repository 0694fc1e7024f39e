"""Visits to the shop: the pages, searches and carts that come before an order, and those that lead to none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebb.simulate.baskets import Baskets
from ebb.simulate.catalogue import Catalogue
from ebb.simulate.draws import Draws, IntArray, spread
from ebb.simulate.parts import Part
from ebb.simulate.texts import searches

LOOKS, LEAVES_CART, ORDERS = 0, 1, 2
NO_BASKET = -1

PAGES_MAX = 25
PAGE_VIEWS, PRODUCT_VIEWS = 0.4, 0.48  # of pages; the rest are searches
LOOKER_CARTS = 0.1  # of visits without a plan put something in the cart
CART_EMPTIED = 0.3  # of those take it out again
PAGE_MS, PAGE_SPREAD_MS = 12_000, 25_000
# With 25 pages and 25 lines at most a visit takes 48 minutes; it begins an hour before midnight at the latest.


@dataclass(frozen=True)
class Visits:
    """Visits of one day, shape (visits,) each.

    Attributes:
        customer: place in the population, or `GUEST`.
        who: counter for draws; guests have their own.
        begin_ms: UTC.
        ends: `LOOKS`, `LEAVES_CART` or `ORDERS`.
        basket: which of the day's baskets is ordered, `NO_BASKET` without order.
    """

    customer: IntArray
    who: IntArray
    begin_ms: IntArray
    ends: IntArray
    basket: IntArray

    def __len__(self) -> int:
        """How many visits."""
        return len(self.customer)


@dataclass(frozen=True)
class Walked:
    """What visits left behind, and when each visit came to its end, shape (visits,)."""

    parts: list[Part]
    end_ms: IntArray


def walk(visits: Visits, baskets: Baskets, catalogue: Catalogue, pages_mean: float, draws: Draws, day: int) -> Walked:
    """Every page and cart of the visits: first the pages, then each product of the cart is looked at and put in.

    Steps of a visit are numbered; step k happens k paces after its beginning.
    """
    pages = 1 + np.minimum(draws.exponential("pages", visits.who, day) * pages_mean, PAGES_MAX).astype(np.int64)
    carts = _carts(visits, baskets, draws, day)
    steps = pages + 2 * carts + 2
    pace = PAGE_MS + draws.uniform("pace", visits.who, day) * PAGE_SPREAD_MS
    clock = _StepClock(visits, pace)
    parts = _pages(visits, pages, clock, catalogue, draws, day)
    parts += _cart_steps(visits, carts, pages, clock, baskets, catalogue, draws, day)
    end_ms = clock.at(np.arange(len(visits)), steps)
    parts.append(Part("session", visits.customer, end_ms, {"duration_ms": (end_ms - visits.begin_ms).tolist()}))
    return Walked(parts, end_ms)


@dataclass(frozen=True)
class _StepClock:
    visits: Visits
    pace_ms: NDArray[np.float64]

    def at(self, visit: NDArray[np.intp], step: IntArray) -> IntArray:
        """When a step of a visit happens."""
        return self.visits.begin_ms[visit] + (self.pace_ms[visit] * step).astype(np.int64)


def _carts(visits: Visits, baskets: Baskets, draws: Draws, day: int) -> IntArray:
    """How many products each visit puts in its cart."""
    lines = np.append(np.diff(baskets.start), 0)[visits.basket]
    left = 1 + draws.below(3, "left in cart", visits.who, day)
    looked = (draws.uniform("looker's cart", visits.who, day) < LOOKER_CARTS).astype(np.int64)
    return np.where(visits.ends == ORDERS, lines, np.where(visits.ends == LEAVES_CART, left, looked))


def _pages(
    visits: Visits, pages: IntArray, clock: _StepClock, catalogue: Catalogue, draws: Draws, day: int
) -> list[Part]:
    visit, number = spread(pages)
    who = visits.who[visit]
    lot = np.where(number == 0, 0.0, draws.uniform("page", who, day, number))  # a visit begins with a page
    product = catalogue.pick(draws, "page product", who, day, number)
    time_ms, customer = clock.at(visit, number), visits.customer[visit]
    view, search = lot < PAGE_VIEWS, lot >= PAGE_VIEWS + PRODUCT_VIEWS
    seen = ~view & ~search
    sought = [catalogue.names[place] for place in product[search].tolist()]
    words = searches(draws, who[search] * 1_000 + number[search] + day, sought)
    return [
        Part("page_view", customer[view], time_ms[view]),
        Part("product_view", customer[seen], time_ms[seen], {"product_id": _ids(catalogue, product[seen])}),
        Part("search", customer[search], time_ms[search], {"query": words}),
    ]


def _cart_steps(
    visits: Visits,
    carts: IntArray,
    pages: IntArray,
    clock: _StepClock,
    baskets: Baskets,
    catalogue: Catalogue,
    draws: Draws,
    day: int,
) -> list[Part]:
    visit, number = spread(carts)
    ordered = visits.ends[visit] == ORDERS
    line = np.where(ordered, baskets.start[:-1][visits.basket[visit]] if len(baskets.start) > 1 else 0, 0)
    line = np.where(ordered, line + number, 0)
    picked = catalogue.pick(draws, "cart product", visits.who[visit], day, number)
    product, quantity = picked.copy(), np.ones(len(visit), np.int64)
    product[ordered], quantity[ordered] = baskets.product[line[ordered]], baskets.quantity[line[ordered]]
    customer, ids = visits.customer[visit], _ids(catalogue, product)
    seen_ms, put_ms = clock.at(visit, pages[visit] + 2 * number), clock.at(visit, pages[visit] + 2 * number + 1)
    emptied = (visits.ends[visit] == LOOKS) & (draws.uniform("emptied", visits.who[visit], day) < CART_EMPTIED)
    out_ms = clock.at(visit, pages[visit] + 2 * carts[visit])
    return [
        Part("product_view", customer, seen_ms, {"product_id": ids}),
        Part("add_to_cart", customer, put_ms, {"product_id": ids, "quantity": quantity.tolist()}),
        Part("remove_from_cart", customer[emptied], out_ms[emptied], {"product_id": _ids(catalogue, product[emptied])}),
    ]


def _ids(catalogue: Catalogue, products: IntArray) -> list[str]:
    ids = catalogue.ids
    return [ids[place] for place in products.tolist()]
