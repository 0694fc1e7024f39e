"""What the shop sells: products with price, cost, category and a stock that falls and is filled up."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebb.simulate.draws import BoolArray, Draws, IntArray, quantile_power
from schemas.money import exponent_of, major_units
from schemas.products import Product

CATEGORIES = ("kitchen", "garden", "gifts", "toys", "lights", "paper", "textiles", "storage")
PRICE_MINOR = (650, 1_100, 400, 520, 900, 210, 1_250, 780)  # typical unit price by category
NOUNS = (
    ("mug", "cake tin", "teapot", "chopping board"),
    ("planter", "bird feeder", "wind chime", "trowel"),
    ("keyring", "trinket box", "photo frame", "candle"),
    ("puzzle", "skipping rope", "spinning top", "doll"),
    ("lantern", "night light", "fairy lights", "table lamp"),
    ("gift wrap", "card set", "paper chain", "notebook"),
    ("cushion", "tea towel", "apron", "throw"),
    ("basket", "jar", "hook rack", "drawer unit"),
)
LOOKS = ("red", "blue", "vintage", "striped", "spotty", "rose", "heart", "star", "ivory", "retro")
PRODUCTS = 800
STOCK_DAYS = 40  # a new product's stock lasts about so long
REFILLED_BELOW = 0.25  # of the full stock


@dataclass
class Catalogue:
    """The products; a product is its place here. `stock` and `sold` are counted as the shop goes on, in units.

    Money is in minor units of `currency`.
    """

    currency: str
    ids: list[str]
    names: list[str]
    category: IntArray
    price_minor: IntArray
    cost_minor: IntArray
    popularity: NDArray[np.float64]
    full_stock: IntArray
    stock: IntArray
    sold: IntArray

    def __post_init__(self) -> None:
        """Prices as they are written, since every line writes one."""
        self._exponent = exponent_of(self.currency)
        self.prices = [self.written(price) for price in self.price_minor.tolist()]
        self._next_of_category = _next_of_category(self.category)
        self._cumulative = np.cumsum(self.popularity)

    def written(self, minor: int) -> str:
        """An amount as events have it."""
        return major_units(minor, self._exponent)

    def pick(self, draws: Draws, purpose: str, *counters: IntArray | int) -> IntArray:
        """Products by popularity; who finds one sold out takes another of its category."""
        found = np.searchsorted(
            self._cumulative, draws.uniform(purpose, *counters) * self._cumulative[-1], side="right"
        )
        chosen = np.minimum(found, len(self.ids) - 1)
        sold_out: BoolArray = self.stock[chosen] <= 0
        return np.asarray(np.where(sold_out, self._next_of_category[chosen], chosen), np.int64)

    def sell(self, products: IntArray, units: IntArray) -> None:
        """Take what was sold today out of the stock, and fill up overnight what runs low."""
        today = np.bincount(products, weights=units, minlength=len(self.ids)).astype(np.int64)
        self.sold += today
        self.stock -= np.minimum(today, self.stock)
        self.stock = np.where(self.stock < self.full_stock * REFILLED_BELOW, self.full_stock, self.stock)

    def products(self) -> list[Product]:
        """As the schema has them, with the stock there is now."""
        return [
            Product(
                product_id=self.ids[place],
                currency=self.currency,
                price=self.prices[place],
                cost=self.written(int(self.cost_minor[place])),
                category=CATEGORIES[self.category[place]],
                name=self.names[place],
                stock=int(self.stock[place]),
            )
            for place in range(len(self.ids))
        ]


def stock_shop(draws: Draws, units_per_day: float, currency: str) -> Catalogue:
    """A catalogue whose stock suits the size of the shop.

    Args:
        draws: the shop's.
        units_per_day: expected to be sold, of all products together.
        currency: of prices and costs.
    """
    place = np.arange(PRODUCTS)
    category = draws.below(len(CATEGORIES), "product category", place)
    typical = np.array(PRICE_MINOR, np.float64)[category]
    price = np.maximum(np.rint(typical * quantile_power(1.8, draws.normal("product price", place))), 25).astype(
        np.int64
    )
    cost = np.rint(price * (0.35 + 0.35 * draws.uniform("product margin", place))).astype(np.int64)
    popularity = 1.0 / (20 + draws.bits("product rank", place).argsort().argsort())  # Zipf with a flat top
    share = popularity / popularity.sum()
    full = np.maximum(np.rint(share * units_per_day * STOCK_DAYS), 48).astype(np.int64)
    noun, look = draws.below(4, "product noun", place), draws.below(len(LOOKS), "product look", place)
    names = [f"{LOOKS[b]} {NOUNS[c][a]}" for a, b, c in zip(noun, look, category, strict=True)]
    ids = [f"P{number:04d}" for number in range(1, PRODUCTS + 1)]
    sold = np.zeros(PRODUCTS, np.int64)
    return Catalogue(currency, ids, names, category, price, cost, popularity, full, full.copy(), sold)


def _next_of_category(category: IntArray) -> IntArray:
    """For each product another of its category, itself where it is the only one."""
    following = np.arange(len(category))
    for one in np.unique(category):
        members = np.flatnonzero(category == one)
        following[members] = np.roll(members, -1)
    return following
