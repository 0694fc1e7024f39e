"""Profiles with gaps, and the loyalty programme."""

import numpy as np

from ebb.simulate.draws import IntArray
from ebb.simulate.parts import Part
from ebb.simulate.population import TIER_FROM_MINOR, TIERS, profiles_of
from ebb.simulate.season import times_of_day_ms
from ebb.simulate.world import ShopWorld
from schemas.units import DAY_MS

AFTER_ORDER_MS = 60_000
MINOR_PER_POINT = 100


def tell_profiles(world: ShopWorld, day: int) -> Part:
    """The profiles of who joins today, or changes something; those who were there tell theirs on the first day."""
    people, settings, draws = world.people, world.settings, world.draws
    there = np.flatnonzero(people.joined_day <= day)
    there = there[draws.uniform("has profile", there) < settings.profile_share]
    changes = draws.uniform("profile changes", there, day) < settings.profile_change_per_day
    changes &= people.alive[there]
    who = there[(people.joined_day[there] == day) | changes]
    time_ms = settings.start_ms + day * DAY_MS + times_of_day_ms(draws, "profile time", who, day)
    return _profiles(world, who, time_ms)


def climb(world: ShopWorld, who: IntArray, ordered_ms: IntArray) -> list[Part]:
    """The loyalty tiers that today's orders have brought."""
    people, settings = world.people, world.settings
    member = world.draws.uniform("joins loyalty", who) < settings.joins_loyalty
    tier = np.searchsorted(np.array(TIER_FROM_MINOR), people.spend_minor[who], side="right") - 1
    rises = member & (tier > people.tier[who])
    risen, time_ms = who[rises], ordered_ms[rises] + AFTER_ORDER_MS
    gained = people.spend_minor[risen] // MINOR_PER_POINT
    people.tier[risen] = tier[rises]
    columns = {"tier": [TIERS[place] for place in tier[rises].tolist()], "points": gained.tolist()}
    has_profile = world.draws.uniform("has profile", risen) < settings.profile_share
    return [
        Part("loyalty_change", risen, time_ms, columns),
        _profiles(world, risen[has_profile], time_ms[has_profile]),
    ]


def _profiles(world: ShopWorld, who: IntArray, time_ms: IntArray) -> Part:
    people = world.people
    moves = world.draws.below(2, "moves", who, time_ms // (365 * DAY_MS))
    told = profiles_of(people, who, world.settings, world.draws, moves)
    columns = vars(told) | {
        "consent": people.may_mail[who].tolist(),
        "loyalty_tier": [TIERS[place] if place else None for place in people.tier[who].tolist()],
        "time_zone": ["Europe/London"] * len(who),
    }
    return Part("profile", who, time_ms, columns)
