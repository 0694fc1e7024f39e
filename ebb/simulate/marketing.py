"""Campaigns: when they run, whom they reach, what they cost, and what they really bring about.

A campaign adds to the need of everybody it reaches: need × (1 + effect × 2 × price sensitivity). Who is held out is
drawn, so a comparison of reached and held out finds the effect, and `caused` counts the needs that would not have been.
A sale is for everybody.
"""

from dataclasses import dataclass

import numpy as np

from ebb.simulate.draws import BoolArray, Draws, FloatArray, IntArray
from ebb.simulate.population import Population

NEWSLETTER, COUPON, ADVERTISING, SALE = "newsletter", "coupon", "advertising", "sale"
MAILED = (NEWSLETTER, COUPON)


@dataclass(frozen=True)
class Plan:
    """A campaign that comes again.

    Attributes:
        kind: of the campaigns.
        every_days: from the start of one to the start of the next.
        first_day: of the shop.
        days: how long its effect lasts.
        reach: share of those who may be reached; the others are held out.
        effect: added to a need of 1, for a customer of average price sensitivity.
        discount_percent: off the lines of orders meanwhile; of a coupon, where it is redeemed.
        contact_cost_minor: for each customer reached.
    """

    kind: str
    every_days: int
    first_day: int
    days: int
    reach: float
    effect: float
    discount_percent: int
    contact_cost_minor: float


PLANS = (
    Plan(NEWSLETTER, 14, 3, 7, 0.9, 0.15, 0, 0.2),
    Plan(COUPON, 56, 21, 10, 0.5, 0.35, 10, 0.5),
    Plan(ADVERTISING, 42, 10, 14, 0.4, 0.10, 0, 4.0),
    Plan(SALE, 91, 60, 7, 1.0, 0.30, 15, 0.0),
)
"""Retail mail lifts orders by a tenth to a third while it is fresh; sale weeks come four times a year."""


@dataclass
class Campaign:
    """One campaign, and what is counted of it as the shop goes on. Money in minor units."""

    number: int
    campaign_id: str
    plan: Plan
    first_day: int
    reached: int = 0
    caused: int = 0
    orders: int = 0
    discount_minor: int = 0

    def is_active(self, day: int) -> bool:
        """Whether its effect lasts on this day."""
        return self.first_day <= day < self.first_day + self.plan.days

    def reaches(self, draws: Draws, people: Population, customers: IntArray) -> BoolArray:
        """Who of some customers is reached: mail reaches who consents, and only a sale reaches who joins later."""
        if self.plan.kind == SALE:
            return np.ones(len(customers), np.bool_)
        chosen = draws.uniform("reach", customers, self.number) < self.plan.reach
        chosen &= people.joined_day[customers] <= self.first_day
        return chosen & people.may_mail[customers] if self.plan.kind in MAILED else chosen

    @property
    def cost_minor(self) -> int:
        """Contacts and discounts given."""
        return round(self.reached * self.plan.contact_cost_minor) + self.discount_minor


def campaigns_of(days: int) -> list[Campaign]:
    """All campaigns of a shop, in the order they start.

    >>> [campaign.campaign_id for campaign in campaigns_of(22)]
    ['newsletter-0003', 'advertising-0010', 'newsletter-0017', 'coupon-0021']
    """
    starts = sorted((first, place) for place, plan in enumerate(PLANS) for first in _starts(plan, days))
    return [
        Campaign(number, f"{PLANS[place].kind}-{first:04d}", PLANS[place], first)
        for number, (first, place) in enumerate(starts)
    ]


def _starts(plan: Plan, days: int) -> range:
    return range(plan.first_day, days, plan.every_days)


def sale_of(campaigns: list[Campaign], day: int) -> Campaign | None:
    """The sale that runs on this day; there is one at a time."""
    return next((campaign for campaign in campaigns if campaign.plan.kind == SALE and campaign.is_active(day)), None)


def effects(
    campaigns: list[Campaign], draws: Draws, day: int, people: Population, customers: IntArray
) -> list[tuple[Campaign, FloatArray]]:
    """What each running campaign adds to a need of 1, shape (customers,) each."""
    strength = 2 * people.price_sensitivity[customers]
    return [
        (campaign, np.where(campaign.reaches(draws, people, customers), campaign.plan.effect * strength, 0.0))
        for campaign in campaigns
        if campaign.is_active(day)
    ]
