"""Needs, plans and drop-out: the part of behaviour that nobody sees.

A customer has needs at a rate of its own (Poisson, gamma over the customers of a segment) until it drops out, after an
order or for reasons outside the shop: a buy-till-you-die process as in Schmittlein, Morrison and Colombo, Management
Science 33(1), 1987, and Fader, Hardie and Lee, Marketing Science 24(2), 2005. A need becomes a plan, the plan days
later an order; campaigns, the season and satisfaction move the rates.
"""

import numpy as np

from ebb.simulate.draws import BoolArray, Draws, FloatArray, IntArray
from ebb.simulate.marketing import Campaign, effects
from ebb.simulate.population import NEVER, Population
from ebb.simulate.season import season
from ebb.simulate.settings import ShopSettings
from schemas.units import DAY_MS

NEED_MAX = 0.6  # a day; nobody needs something every day


def fade(population: Population, settings: ShopSettings, draws: Draws, day: int) -> None:
    """Let go who leaves for reasons outside the shop; a plan is forgotten."""
    there = population.alive & (population.joined_day <= day)
    who = np.flatnonzero(there)
    gone = who[draws.uniform("fades", who, day) < settings.fading_per_day]
    population.dropped_out_ms[gone] = settings.start_ms + day * DAY_MS
    population.order_day[gone] = NEVER


def plan(population: Population, campaigns: list[Campaign], settings: ShopSettings, draws: Draws, day: int) -> None:
    """Let needs arise, and plan the day of each one's order. Counts what campaigns caused."""
    open_to = population.alive & (population.joined_day <= day) & (population.order_day == NEVER)
    who = np.flatnonzero(open_to)
    rate = population.need_per_day[who] * season(settings.start, day)
    if settings.is_changed(day):
        rate = rate * settings.changed_need
    chance, lot = np.minimum(rate, NEED_MAX), draws.uniform("need", who, day)
    needs = lot < chance
    for campaign, effect in effects(campaigns, draws, day, population, who):
        more = np.minimum(chance + rate * effect, NEED_MAX)
        caused = (lot >= chance) & (lot < more)
        campaign.caused += int(caused.sum())
        needs, chance = needs | caused, more
    needs |= _first_orders(population, settings, draws, day, who)
    planning = who[needs]
    population.needed_once[planning] = True
    ahead = np.minimum(
        draws.exponential("plans", planning, day) * settings.planning_days_mean, settings.planning_days_max
    )
    population.order_day[planning] = np.where(population.orders[planning] == 0, day, day + ahead.astype(np.int64))


def _first_orders(population: Population, settings: ShopSettings, draws: Draws, day: int, who: IntArray) -> BoolArray:
    """Most people join a shop to buy something."""
    joins = (population.joined_day[who] == day) & ~population.was_there[who]
    return np.asarray(joins & (draws.uniform("orders first", who) >= settings.never_ordering_yet))


def experience(
    population: Population, settings: ShopSettings, draws: Draws, who: IntArray, problem: BoolArray, day: int
) -> None:
    """An order has come: satisfaction follows it."""
    felt = population.happiness[who] + 0.08 * draws.normal("felt", who, day) - settings.problem_unhappiness * problem
    before, memory = population.satisfaction[who], settings.happiness_memory
    population.satisfaction[who] = np.clip(memory * before + (1 - memory) * felt, 0.0, 1.0)


def leave(
    population: Population, settings: ShopSettings, draws: Draws, who: IntArray, ordered_ms: IntArray, day: int
) -> None:
    """Who ordered may drop out with that; the unhappy do so oftener."""
    unhappiness: FloatArray = 1.5 - population.satisfaction[who]
    changed = settings.changed_leaving if settings.is_changed(day) else 1.0
    gone = draws.uniform("leaves", who, day) < population.leaves[who] * unhappiness * changed
    population.dropped_out_ms[who[gone]] = ordered_ms[gone]
