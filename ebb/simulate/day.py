"""One day of the shop, from the needs that nobody sees to the events that Kafka gets."""

import numpy as np

from ebb.simulate import aftermath, buying, membership
from ebb.simulate.draws import BoolArray, IntArray
from ebb.simulate.mailing import mail
from ebb.simulate.orders import GUESTS_A_DAY_MAX, Orders, guests, keep_plans, place_orders, settle
from ebb.simulate.parts import GUEST, Part
from ebb.simulate.population import NEVER
from ebb.simulate.season import season, times_of_day_ms
from ebb.simulate.visits import LEAVES_CART, LOOKS, NO_BASKET, ORDERS, Visits, walk
from ebb.simulate.world import ShopWorld
from schemas.units import DAY_MS

IN_STORE = 1
BROWSING_MAX = 0.7  # a day


def events_of_day(world: ShopWorld, day: int) -> list[Part]:
    """Let a day pass. Returns everything that happened, in no order of time."""
    settings, people, draws = world.settings, world.people, world.draws
    buying.fade(people, settings, draws, day)
    buying.plan(people, world.campaigns, settings, draws, day)
    parts = [membership.tell_profiles(world, day), *mail(people, world.campaigns, settings, draws, day)]
    parts += aftermath.due(world, day)

    customers, left = keep_plans(world, day)
    lookers = _lookers(world, day, np.concatenate([customers, left]))
    visitors = guests(_guest_count(world, len(customers) + len(left) + len(lookers), day), day)
    guest_orders = draws.uniform("guest buys", visitors, day) < settings.guest_buys
    orders = place_orders(world, customers, visitors[guest_orders], day)
    visits = _visits(world, orders, left, lookers, visitors[~guest_orders], day)
    walked = walk(visits, orders.baskets, world.catalogue, settings.pages_mean, draws, day)
    ordered_ms = settings.start_ms + day * DAY_MS + times_of_day_ms(draws, "in store at", orders.who, day)
    places = visits.basket[visits.ends == ORDERS]
    ordered_ms[places] = walked.end_ms[visits.ends == ORDERS] - 1_000
    placed, problem = settle(world, orders, ordered_ms, day)
    aftermath.note(world, orders, problem, day)
    return [*parts, *walked.parts, *placed, *membership.climb(world, customers, ordered_ms[: len(customers)])]


def _lookers(world: ShopWorld, day: int, busy: IntArray) -> IntArray:
    """Who visits without ordering: the oftener the greater its needs, most while it plans; the gone ever less."""
    people, settings, draws = world.people, world.settings, world.draws
    there = people.joined_day <= day
    there[busy] = False
    who = np.flatnonzero(there)
    chance = people.need_per_day[who] * settings.browsing_per_need * season(settings.start, day)
    if settings.is_changed(day):
        chance = chance * settings.changed_browsing
    gone_ms = people.dropped_out_ms[who]
    days_gone = np.where(gone_ms == NEVER, 0, day - (gone_ms - settings.start_ms) // DAY_MS)
    chance = chance * np.clip(1 - days_gone / settings.cooling_days, 0.0, 1.0) * np.where(gone_ms == NEVER, 1.0, 0.4)
    chance = np.where(people.order_day[who] != NEVER, np.maximum(chance, settings.browsing_while_planning), chance)
    return who[draws.uniform("looks", who, day) < np.minimum(chance, BROWSING_MAX)]


def _guest_count(world: ShopWorld, visits: int, day: int) -> int:
    """Guests of a day, so that they are the stated share of all visits."""
    share = world.settings.guest_share
    expected = visits * share / (1 - share)
    count = int(expected + float(world.draws.uniform("guests", day)[0]))
    return min(count, GUESTS_A_DAY_MAX)


def _visits(
    world: ShopWorld, orders: Orders, left: IntArray, lookers: IntArray, visitors: IntArray, day: int
) -> Visits:
    """All visits of the day: those that order, those that leave a cart, those that look, and guests who look."""
    settings, people, draws = world.settings, world.people, world.draws
    in_store = (orders.customer != GUEST) & (people.channel[orders.customer] == IN_STORE)
    unseen: BoolArray = in_store & (draws.uniform("no session", orders.who, day) < settings.in_store_without_session)
    online = np.flatnonzero(~unseen)
    who = np.concatenate([orders.who[online], left, lookers, visitors])
    customer = np.concatenate([orders.customer[online], left, lookers, np.full(len(visitors), GUEST)])
    counts = (len(online), len(left), len(lookers) + len(visitors))
    ends = np.repeat(np.array([ORDERS, LEAVES_CART, LOOKS]), counts)
    basket = np.concatenate([online, np.full(len(who) - len(online), NO_BASKET)])
    begin_ms = settings.start_ms + day * DAY_MS + times_of_day_ms(draws, "visits at", who, day)
    return Visits(customer, who, begin_ms, ends, basket)
