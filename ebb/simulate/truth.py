"""The truth about a shop as tables: customers, products, campaigns."""

import msgspec
import numpy as np
import pyarrow as pa

from ebb.simulate.draws import IntArray
from ebb.simulate.population import CHANNELS, NEVER, TIERS
from ebb.simulate.shop import Shop
from schemas.units import DAY_MS

STANDINGS = ("devoted", "regular", "new", "slight")
NEW_DAYS = 90


def truth(shop: Shop) -> pa.Table:
    """The hidden truth of everybody who has joined; `dropped_out_ms` is null while a customer is there."""
    people, settings = shop.world.people, shop.settings
    gone = people.dropped_out_ms != NEVER
    everybody = pa.table(
        {
            "customer_id": people.ids,
            "segment": _named([segment.name for segment in settings.segments], people.segment),
            "standing": _named(list(STANDINGS), standing(shop)),
            "joined_ms": settings.start_ms + people.joined_day * DAY_MS,
            "was_there_before": people.was_there,
            "dropped_out_ms": pa.array(people.dropped_out_ms, pa.int64(), mask=~gone),
            "price_sensitivity": people.price_sensitivity.round(4),
            "channel": _named(list(CHANNELS), people.channel),
            "happiness": people.happiness.round(4),
            "satisfaction": people.satisfaction.round(4),
            "needs_per_year": (people.need_per_day * 365).round(3),
            "order_size": people.order_size.round(4),
            "leaves_after_order": people.leaves,
            "consent": people.may_mail,
            "loyalty_tier": _named(list(TIERS), people.tier),
            "orders": people.orders,
            "refunds": people.refunds,
            "spend_minor": people.spend_minor,
        }
    )
    return everybody.filter(pa.array(people.joined_day < shop.days_gone))


def standing(shop: Shop) -> IntArray:
    """What a customer is to the shop by the truth of now, places in `STANDINGS`.

    Alive and devoted; alive and regular; joined within 90 days and neither devoted nor gone; slight: everybody who buys
    seldom by nature, or has dropped out.
    """
    people, settings = shop.world.people, shop.settings
    names = np.array([segment.name for segment in settings.segments])[people.segment]
    slight = (names == "occasional") | (names == "one_off") | ~people.alive
    new = people.alive & ~people.was_there & (people.joined_day > shop.days_gone - NEW_DAYS) & (names != "devoted")
    places = np.where(new, 2, np.where(slight, 3, np.where(names == "devoted", 0, 1)))
    return np.asarray(places, np.int64)


def products(shop: Shop) -> pa.Table:
    """The catalogue with the stock of now and the units sold."""
    catalogue = shop.world.catalogue
    rows = [msgspec.to_builtins(product) for product in catalogue.products()]
    return pa.Table.from_pylist(rows).append_column("sold", pa.array(catalogue.sold))


def campaigns(shop: Shop) -> pa.Table:
    """Every campaign with its true effect, what it caused and what it cost."""
    rows = [
        {
            "campaign_id": campaign.campaign_id,
            "kind": campaign.plan.kind,
            "start_ms": shop.settings.start_ms + campaign.first_day * DAY_MS,
            "end_ms": shop.settings.start_ms + (campaign.first_day + campaign.plan.days) * DAY_MS,
            "reach": campaign.plan.reach,
            "effect": campaign.plan.effect,
            "discount_percent": campaign.plan.discount_percent,
            "reached": campaign.reached,
            "caused_needs": campaign.caused,
            "redeemed": campaign.orders,
            "discount_minor": campaign.discount_minor,
            "cost_minor": campaign.cost_minor,
        }
        for campaign in shop.world.campaigns
        if campaign.first_day < shop.days_gone
    ]
    return pa.Table.from_pylist(rows) if rows else pa.table({"campaign_id": pa.array([], pa.string())})


def _named(names: list[str], places: IntArray) -> pa.Array:
    return pa.array(names).take(pa.array(places))
