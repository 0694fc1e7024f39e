"""Who the customers are: the hidden truth that behaviour follows from, and what they say about themselves."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ebb.simulate.draws import BoolArray, Draws, FloatArray, IntArray, quantile_power
from ebb.simulate.settings import ShopSettings

CHANNELS = ("online", "in_store", "app")
CHANNEL_SHARES = (0.62, 0.16, 0.22)
GENDERS = ("female", "male", "diverse")
REGIONS = ("London", "South East", "North West", "Scotland", "Wales", "Midlands", "Yorkshire", "Northern Ireland")
EDUCATION = ("school", "vocational", "bachelor", "master", "doctorate")
TIERS = ("none", "bronze", "silver", "gold")
TIER_FROM_MINOR = (0, 0, 150_000, 600_000)  # spend of a loyalty member since joining

NEVER = -1

Value = TypeVar("Value")


@dataclass
class Population:
    """Shape (customers,) each. The first block never changes; the second is where a customer is now.

    Attributes:
        joined_day: 0 for those who were there before.
        need_per_day: orders a customer would place in an average season if nothing drove it away.
        leaves: chance to drop out after an order at satisfaction 0.5.
        price_sensitivity: 0 to 1, mean 0.5.
        happiness: what satisfaction tends to, 0 to 1.
        dropped_out_ms: hidden end of the relation, `NEVER` while alive.
        order_day: of the planned order, `NEVER` without a plan.
    """

    ids: list[str]
    was_there: BoolArray
    joined_day: IntArray
    segment: IntArray
    need_per_day: FloatArray
    leaves: FloatArray
    price_sensitivity: FloatArray
    order_size: FloatArray
    channel: IntArray
    happiness: FloatArray
    may_mail: BoolArray
    opens: FloatArray

    satisfaction: FloatArray
    dropped_out_ms: IntArray
    order_day: IntArray
    needed_once: BoolArray
    orders: IntArray
    refunds: IntArray
    spend_minor: IntArray
    tier: IntArray

    def __len__(self) -> int:
        """How many customers."""
        return len(self.ids)

    @property
    def alive(self) -> BoolArray:
        """Who has not dropped out."""
        return np.asarray(self.dropped_out_ms == NEVER)


def populate(settings: ShopSettings, draws: Draws) -> Population:
    """Everybody who is there at the start or joins before the end."""
    count = settings.customers
    who = np.arange(count)
    old = round(count / (1 + settings.joining_per_day_per_old * settings.days))
    was_there = who < max(old, 1)
    joined_day = np.where(was_there, 0, draws.below(settings.days, "joins", who))
    segments = settings.segments
    segment = np.where(
        was_there,
        draws.choice([s.share_of_old for s in segments], "segment", who),
        draws.choice([s.share_of_new for s in segments], "segment", who),
    )
    happiness = np.clip(0.78 + 0.14 * draws.normal("happiness", who), 0.05, 0.98)
    channel = draws.choice(CHANNEL_SHARES, "channel", who)
    gaps = np.array([s.gap_days for s in segments])[segment]
    sizes = np.array([s.order_size for s in segments])[segment]
    return Population(
        ids=[f"S{number:06d}" for number in range(1, count + 1)],
        was_there=was_there,
        joined_day=joined_day,
        segment=segment,
        need_per_day=draws.gamma4("need per day", who) / gaps,
        leaves=np.array([s.leaves for s in segments])[segment],
        price_sensitivity=(draws.uniform("price", who) + draws.uniform("price", who, 1)) / 2,
        order_size=sizes * quantile_power(1.6, draws.normal("order size", who)),
        channel=channel,
        happiness=happiness,
        may_mail=draws.uniform("consent", who) < 0.7,
        opens=0.1 + 0.5 * draws.uniform("opens", who) * happiness,
        satisfaction=happiness.copy(),
        dropped_out_ms=np.full(count, NEVER, np.int64),
        order_day=np.full(count, NEVER, np.int64),
        needed_once=np.zeros(count, np.bool_),
        orders=np.zeros(count, np.int64),
        refunds=np.zeros(count, np.int64),
        spend_minor=np.zeros(count, np.int64),
        tier=np.zeros(count, np.int64),
    )


@dataclass(frozen=True)
class ProfileFields:
    """What some customers say about themselves; None where they do not. Lists of shape (customers,)."""

    age: list[int | None]
    gender: list[str | None]
    income: list[str | None]
    region: list[str | None]
    education: list[str | None]
    preferred_channel: list[str | None]


def profiles_of(
    population: Population, who: IntArray, settings: ShopSettings, draws: Draws, moves: IntArray
) -> ProfileFields:
    """The demographics of `who`, with gaps; they differ after each of their `moves`."""
    given = settings.field_given

    def told(name: str, values: list[Value]) -> list[Value | None]:
        tells = draws.uniform(f"tells {name}", who) < given
        return [value if told else None for value, told in zip(values, tells.tolist(), strict=True)]

    age = np.clip(np.rint(44 + 15 * draws.normal("age", who)), 18, 95).astype(np.int64)
    income = np.rint(31 * quantile_power(1.5, draws.normal("income", who, moves))).astype(np.int64)
    return ProfileFields(
        age=told("age", age.tolist()),
        gender=told("gender", _named(GENDERS, draws.choice((0.56, 0.42, 0.02), "gender", who))),
        income=told("income", [f"{thousand}000" for thousand in income.tolist()]),
        region=told("region", _named(REGIONS, draws.below(len(REGIONS), "region", who, moves))),
        education=told("education", _named(EDUCATION, draws.choice((3, 3, 4, 2, 0.5), "education", who))),
        preferred_channel=told("channel", _named(CHANNELS, population.channel[who])),
    )


def _named(names: tuple[str, ...], places: NDArray[np.int64]) -> list[str]:
    return [names[place] for place in places.tolist()]
