"""What follows an order on later days: help asked for, refunds, reviews, sharing; and loyalty at once."""

from typing import Any

import numpy as np

from ebb.simulate.catalogue import CATEGORIES
from ebb.simulate.draws import BoolArray, IntArray
from ebb.simulate.encoding import event_id
from ebb.simulate.orders import Orders
from ebb.simulate.parts import GUEST, Part
from ebb.simulate.season import HOUR_MS
from ebb.simulate.texts import review_texts
from ebb.simulate.world import ShopWorld
from schemas.events import NOTHING, RefundLine
from schemas.units import DAY_MS

Rows = dict[str, Any]

REVIEWED_AFTER_DAYS, REVIEWED_WITHIN_DAYS = 3, 14
REFUNDED_AFTER_DAYS, REFUNDED_WITHIN_DAYS = 2, 21
HELPED_WITHIN_DAYS = 4
NETWORKS = ("instagram", "facebook", "pinterest", "whatsapp")
HELP_TOPICS = ("delivery", "damaged", "wrong item", "refund")
OTHER_TOPICS = ("question", "account", "invoice")
GOOD_SATISFACTION = 0.75


def note(world: ShopWorld, orders: Orders, problem: BoolArray, day: int) -> None:
    """Note in the agenda what known customers will do about today's orders."""
    settings, draws, people = world.settings, world.draws, world.people
    row = np.flatnonzero(orders.customer != GUEST)
    who, wrong = orders.customer[row], problem[row]
    line = orders.baskets.start[row]
    product, quantity = orders.baskets.product[line], orders.baskets.quantity[line]
    lot = draws.uniform("after order", who, day)
    helps = lot < np.where(wrong, settings.support_after_problem, settings.support_otherwise)
    lot = draws.uniform("refunds", who, day)
    refunds = lot < np.where(wrong, settings.refund_after_problem, settings.refund_otherwise)
    reviews = draws.uniform("reviews", who, day) < settings.review
    shares = draws.uniform("shares", who, day) < settings.share_after_good_order
    shares &= people.satisfaction[who] > GOOD_SATISFACTION

    def due(purpose: str, after: int, within: int) -> IntArray:
        return day + after + draws.below(within - after, purpose, who, day)

    world.agenda.put(
        "support_contact", due("helps on", 1, HELPED_WITHIN_DAYS)[helps], who=who[helps], wrong=wrong[helps]
    )
    world.agenda.put(
        "refund",
        due("refunds on", REFUNDED_AFTER_DAYS, REFUNDED_WITHIN_DAYS)[refunds],
        who=who[refunds], ordered_day=np.full(int(refunds.sum()), day), row=row[refunds], product=product[refunds],
        quantity=quantity[refunds], discount=orders.baskets.discount_minor[line][refunds],
    )  # fmt: skip
    world.agenda.put(
        "review", due("reviews on", REVIEWED_AFTER_DAYS, REVIEWED_WITHIN_DAYS)[reviews],
        who=who[reviews], product=product[reviews], wrong=wrong[reviews],
    )  # fmt: skip
    world.agenda.put("social_share", due("shares on", 1, REVIEWED_WITHIN_DAYS)[shares], who=who[shares])


def due(world: ShopWorld, day: int) -> list[Part]:
    """What was noted for this day."""
    parts: list[Part] = []
    for name, happen in (
        ("support_contact", _help),
        ("refund", _refunds),
        ("review", _reviews),
        ("social_share", _shares),
    ):
        rows = world.agenda.take(name, day)
        if rows:
            morning_ms = world.settings.start_ms + day * DAY_MS + 8 * HOUR_MS
            time_ms = morning_ms + world.draws.below(13 * HOUR_MS, f"{name} time", rows["who"], day)
            parts.append(happen(world, rows, time_ms, day))
    return parts


def _help(world: ShopWorld, rows: Rows, time_ms: IntArray, day: int) -> Part:
    about, other = (world.draws.below(n, "help about", rows["who"], day) for n in (len(HELP_TOPICS), len(OTHER_TOPICS)))
    topics = [
        HELP_TOPICS[first] if wrong else OTHER_TOPICS[second]
        for wrong, first, second in zip(rows["wrong"].tolist(), about.tolist(), other.tolist(), strict=True)
    ]
    return Part("support_contact", rows["who"], time_ms, {"topic": topics})


def _refunds(world: ShopWorld, rows: Rows, time_ms: IntArray, day: int) -> Part:
    """The first line of the order, given back whole."""
    catalogue, prefix = world.catalogue, world.prefix
    np.add.at(world.people.refunds, rows["who"], 1)
    columns = (rows["product"], rows["quantity"], rows["discount"])
    lines = [
        [
            RefundLine(
                product_id=catalogue.ids[product],
                quantity=quantity,
                unit_price=catalogue.prices[product],
                discount=catalogue.written(discount) if discount else NOTHING,
                category=CATEGORIES[catalogue.category[product]],
            )
        ]
        for product, quantity, discount in zip(*(column.tolist() for column in columns), strict=True)
    ]
    orders = zip(rows["ordered_day"].tolist(), rows["row"].tolist(), strict=True)
    purchases = [event_id(prefix, ordered, "purchase", row) for ordered, row in orders]
    currency = [world.settings.currency] * len(lines)
    return Part("refund", rows["who"], time_ms, {"currency": currency, "lines": lines, "purchase_id": purchases})


def _reviews(world: ShopWorld, rows: Rows, time_ms: IntArray, day: int) -> Part:
    """Rating and words follow satisfaction, and whether this order went wrong."""
    who, draws = rows["who"], world.draws
    felt = 1 + 4 * world.people.satisfaction[who] + 0.7 * draws.normal("rating", who, day) - 1.2 * rows["wrong"]
    ratings = np.clip(np.rint(felt), 1, 5).astype(np.int64)
    products = rows["product"].tolist()
    texts = review_texts(draws, who, day, ratings, [world.catalogue.names[product] for product in products])
    columns = {
        "rating": ratings.tolist(),
        "product_id": [world.catalogue.ids[product] for product in products],
        "text": texts,
    }
    return Part("review", who, time_ms, columns)


def _shares(world: ShopWorld, rows: Rows, time_ms: IntArray, day: int) -> Part:
    network = world.draws.below(len(NETWORKS), "network", rows["who"], day)
    return Part("social_share", rows["who"], time_ms, {"network": [NETWORKS[place] for place in network.tolist()]})
