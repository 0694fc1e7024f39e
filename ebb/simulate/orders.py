"""A day's orders: who keeps the plan, what is in the basket, how it is paid for, and what the order changes."""

from dataclasses import dataclass

import numpy as np

from ebb.simulate.baskets import Baskets, fill
from ebb.simulate.buying import experience, leave
from ebb.simulate.draws import BoolArray, IntArray
from ebb.simulate.encoding import order_lines
from ebb.simulate.mailing import redeemed
from ebb.simulate.marketing import sale_of
from ebb.simulate.parts import GUEST, Part
from ebb.simulate.population import CHANNELS, NEVER
from ebb.simulate.world import ShopWorld

GUEST_COUNTER = 2**40  # guests draw with counters that no customer has
GUESTS_A_DAY_MAX = 2**20
GUEST_ORDER_SIZE = 0.8
COMES_BACK = 0.5  # of those who leave a full cart, within three days
OTHER_CHANNEL = 0.12  # of orders are placed elsewhere than usual


@dataclass(frozen=True)
class Orders:
    """Orders of a day: first those of `customers` (places in the population), then those of guests.

    Attributes:
        who: shape (orders,), counters for draws.
        customer: shape (orders,), places in the population, `GUEST` for a guest.
    """

    who: IntArray
    customer: IntArray
    baskets: Baskets
    coupons: list[tuple[str, IntArray]]


def keep_plans(world: ShopWorld, day: int) -> tuple[IntArray, IntArray]:
    """Who orders today, and who leaves a full cart instead; plans that are over are forgotten."""
    people, draws = world.people, world.draws
    planned = np.flatnonzero(people.order_day == day)
    leaves = draws.uniform("abandons", planned, day) < world.settings.abandons
    leaves &= people.orders[planned] > 0
    people.order_day[planned] = NEVER
    left = planned[leaves]
    back = left[draws.uniform("comes back", left, day) < COMES_BACK]
    people.order_day[back] = day + 1 + draws.below(3, "comes back on", back, day)
    return planned[~leaves], left


def guests(count: int, day: int) -> IntArray:
    """Counters for the guests of a day."""
    return GUEST_COUNTER + day * GUESTS_A_DAY_MAX + np.arange(count)


def place_orders(world: ShopWorld, customers: IntArray, guest_who: IntArray, day: int) -> Orders:
    """Fill the baskets of today's orders, with the discounts of a sale and of coupons."""
    people, draws = world.people, world.draws
    who = np.concatenate([customers, guest_who])
    sale = sale_of(world.campaigns, day)
    percent = np.full(len(who), sale.plan.discount_percent if sale else 0)
    size = np.concatenate([people.order_size[customers], np.full(len(guest_who), GUEST_ORDER_SIZE)])
    coupons = []
    redeeming = redeemed(people, world.campaigns, draws, customers, day)
    for campaign, places in redeeming:
        percent[places] += campaign.plan.discount_percent
        coupons.append((campaign.campaign_id, places))
    baskets = fill(draws, world.catalogue, world.settings, who, day, size, percent)
    customer = np.concatenate([customers, np.full(len(guest_who), GUEST)])
    given = np.bincount(baskets.owner, weights=baskets.discount_minor, minlength=len(who)).astype(np.int64)
    for campaign, places in redeeming:
        campaign.orders += len(places)
        shares = given[places] * campaign.plan.discount_percent // percent[places]
        campaign.discount_minor += int(shares.sum())
        given[places] -= shares
    if sale:
        sale.discount_minor += int(given.sum())
    return Orders(who, customer, baskets, coupons)


def settle(world: ShopWorld, orders: Orders, ordered_ms: IntArray, day: int) -> tuple[list[Part], BoolArray]:
    """The events of the orders; what they mean for stock and customers. Returns also which orders went wrong."""
    settings, people, draws = world.settings, world.people, world.draws
    world.catalogue.sell(orders.baskets.product, orders.baskets.quantity)
    known = orders.customer != GUEST
    customers, known_ms = orders.customer[known], ordered_ms[known]
    problem = draws.uniform("problem", orders.who, day) < settings.problem
    people.orders[customers] += 1
    people.spend_minor[customers] += orders.baskets.value_minor[known]
    experience(people, settings, draws, customers, problem[known], day)
    leave(people, settings, draws, customers, known_ms, day)
    usual = np.where(known, people.channel[orders.customer], 0)
    elsewhere = draws.uniform("elsewhere", orders.who, day) < OTHER_CHANNEL
    channel = np.where(elsewhere, draws.below(len(CHANNELS), "channel today", orders.who, day), usual)
    columns = {
        "currency": [settings.currency] * len(orders.who),
        "lines": order_lines(orders.baskets, world.catalogue),
        "channel": [CHANNELS[place] for place in channel.tolist()],
    }
    parts = [Part("purchase", orders.customer, ordered_ms, columns)]
    for campaign_id, places in orders.coupons:
        fields = {"coupon_id": [f"{campaign_id}-code"] * len(places), "campaign_id": [campaign_id] * len(places)}
        parts.append(Part("coupon_redemption", orders.customer[places], ordered_ms[places], fields))
    return parts, problem
