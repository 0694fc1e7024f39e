"""What campaigns send, and what is done with it: mails opened and followed, advertisements seen."""

import numpy as np

from ebb.simulate.draws import Draws, IntArray
from ebb.simulate.marketing import ADVERTISING, COUPON, MAILED, SALE, Campaign
from ebb.simulate.parts import Part
from ebb.simulate.population import Population
from ebb.simulate.season import HOUR_MS
from ebb.simulate.settings import ShopSettings
from schemas.units import DAY_MS

CLICKS = 0.15  # of opened mails
OPENS_AFTER_LEAVING = 0.15  # times the chance of before
SEEN_PER_DAY = 0.25  # of the customers an advertisement reaches
AD_CLICKS = 0.03
REDEEMS = 0.3  # of orders by customers with a coupon, at average price sensitivity
MAIL_HOUR = 8
OPENED_HOURS_MEAN = 1.5


def mail(people: Population, campaigns: list[Campaign], settings: ShopSettings, draws: Draws, day: int) -> list[Part]:
    """Everything campaigns do on one day, and what comes back."""
    parts: list[Part] = []
    there = np.flatnonzero(people.joined_day <= day)
    midnight_ms = settings.start_ms + day * DAY_MS
    for campaign in campaigns:
        if campaign.plan.kind in MAILED and campaign.first_day == day:
            parts += _mails(people, campaign, there, midnight_ms, draws)
        if campaign.plan.kind == ADVERTISING and campaign.is_active(day):
            parts += _advertisements(people, campaign, there, midnight_ms, draws, day)
        if campaign.plan.kind == SALE and campaign.is_active(day):
            comes = (people.joined_day[there] == day) | (campaign.first_day == day)
            campaign.reached += int(comes.sum())
    return parts


def redeemed(
    people: Population, campaigns: list[Campaign], draws: Draws, who: IntArray, day: int
) -> list[tuple[Campaign, IntArray]]:
    """Running coupons, and which of `who` redeem them with today's order (places in `who`)."""
    lot = draws.uniform("redeems", who, day)
    wants = lot < REDEEMS * 2 * people.price_sensitivity[who]
    running = [campaign for campaign in campaigns if campaign.plan.kind == COUPON and campaign.is_active(day)]
    return [(campaign, np.flatnonzero(wants & campaign.reaches(draws, people, who))) for campaign in running]


def _mails(people: Population, campaign: Campaign, there: IntArray, midnight_ms: int, draws: Draws) -> list[Part]:
    who = there[campaign.reaches(draws, people, there)]
    campaign.reached += len(who)
    sent_ms = midnight_ms + MAIL_HOUR * HOUR_MS + draws.below(HOUR_MS, "mail sent", who, campaign.number)
    chance = people.opens[who] * (0.5 + people.satisfaction[who])
    chance = np.where(people.alive[who], chance, chance * OPENS_AFTER_LEAVING)
    opens = draws.uniform("mail opened", who, campaign.number) < chance
    after_ms = draws.exponential("opened after", who, campaign.number) * OPENED_HOURS_MEAN * HOUR_MS
    opened_ms = sent_ms + 60_000 + after_ms.astype(np.int64)
    clicks = opens & (draws.uniform("mail clicked", who, campaign.number) < CLICKS)
    parts = [
        _of_campaign("email_sent", campaign, who, sent_ms),
        _of_campaign("email_open", campaign, who[opens], opened_ms[opens]),
        _of_campaign("email_click", campaign, who[clicks], opened_ms[clicks] + 20_000),
    ]
    if campaign.plan.kind == COUPON:
        parts.append(_of_campaign("campaign_exposure", campaign, who, sent_ms))
    return parts


def _advertisements(
    people: Population, campaign: Campaign, there: IntArray, midnight_ms: int, draws: Draws, day: int
) -> list[Part]:
    who = there[campaign.reaches(draws, people, there)]
    seen_ms = midnight_ms + 7 * HOUR_MS + draws.below(16 * HOUR_MS, "ad time", who, day)
    parts = []
    if campaign.first_day == day:
        campaign.reached += len(who)
        parts.append(_of_campaign("campaign_exposure", campaign, who, seen_ms))
    sees = draws.uniform("ad seen", who, day) < SEEN_PER_DAY
    clicks = sees & (draws.uniform("ad clicked", who, day) < AD_CLICKS)
    parts.append(_of_campaign("ad_impression", campaign, who[sees], seen_ms[sees]))
    parts.append(_of_campaign("ad_click", campaign, who[clicks], seen_ms[clicks] + 5_000))
    return parts


def _of_campaign(kind: str, campaign: Campaign, who: IntArray, time_ms: IntArray) -> Part:
    return Part(kind, who, time_ms, {"campaign_id": [campaign.campaign_id] * len(who)})
