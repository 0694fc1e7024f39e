"""Features that decisions go by, declared. `scored_formulas` computes them all in one pass over the states.

A column of a model that moves with time reads one of these; one that stands still may read any natural feature.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoredFeature:
    """A feature's unit, its meaning, whether it changes with time alone, and whether it is a whole number.

    One with a half-life halves in so many days of silence.
    """

    unit: str
    doc: str
    moves: bool = False
    whole: bool = False
    half_life_days: int | None = None


def _moving(unit: str, doc: str) -> ScoredFeature:
    return ScoredFeature(unit, doc, moves=True)


def _decayed(what: str, unit: str, days: int) -> ScoredFeature:
    doc = f"{what} decayed with a half-life of {days} days."
    return ScoredFeature(unit, doc, moves=True, half_life_days=days)


SCORED: dict[str, ScoredFeature] = {
    "since_last_purchase_days": _moving("days", "Silence: time since the last purchase; nan before the first."),
    "since_first_purchase_days": _moving("days", "Tenure: time since the first purchase; nan before it."),
    "silence_over_gap": _moving("mean gaps", "Silence in the customer's own mean gaps; nan below two purchase days."),
    "net_spend_365d_minor": _moving(
        "minor units", "Purchases minus refunds, decayed with a half-life of 365 days, at least 0."
    ),
    "since_last_browsing_days": _moving(
        "days", "Days since the last page, product, search or session; nan before the first."
    ),
    "since_last_add_to_cart_days": _moving(
        "days", "Days since the second of the last add_to_cart; nan before the first."
    ),
    "since_last_answer_days": _moving(
        "days", "Days since a mail was opened, a mail or an ad followed, a coupon redeemed; nan before the first."
    ),
    "decayed_count_7d": _decayed("Purchases", "purchases", 7),
    "decayed_count_30d": _decayed("Purchases", "purchases", 30),
    "decayed_count_90d": _decayed("Purchases", "purchases", 90),
    "decayed_count_365d": _decayed("Purchases", "purchases", 365),
    "decayed_spend_7d_minor": _decayed("Spend", "minor units", 7),
    "decayed_spend_30d_minor": _decayed("Spend", "minor units", 30),
    "decayed_spend_90d_minor": _decayed("Spend", "minor units", 90),
    "decayed_spend_365d_minor": _decayed("Spend", "minor units", 365),
    "decayed_refund_7d_minor": _decayed("Refunds", "minor units", 7),
    "decayed_refund_30d_minor": _decayed("Refunds", "minor units", 30),
    "decayed_refund_90d_minor": _decayed("Refunds", "minor units", 90),
    "decayed_refund_365d_minor": _decayed("Refunds", "minor units", 365),
    "purchase_days": ScoredFeature("days", "Days with a purchase within the 512 days up to the last one.", whole=True),
    "mean_gap_days": ScoredFeature(
        "days", "Mean distance of neighbouring purchase days within 512 days; nan below two purchase days."
    ),
    "mean_basket_minor": ScoredFeature("minor units", "Mean purchase; nan before the first."),
    "discount_share": ScoredFeature("share", "Discounts over what the purchases would have cost without them."),
    "refund_share": ScoredFeature("share", "Refunds over purchases in money, at most 1."),
    "in_store_share": ScoredFeature("share", "Purchases with channel in_store."),
    "app_share": ScoredFeature("share", "Purchases with channel app."),
    "browsing_count": ScoredFeature("events", "Pages, products, searches and sessions.", whole=True),
    "add_to_cart_count": ScoredFeature("events", "Events add_to_cart, at most 65,535.", whole=True),
    "answer_count": ScoredFeature("events", "Mails opened, mails and ads followed, coupons redeemed.", whole=True),
    "support_contact_count": ScoredFeature("events", "Events support_contact, at most 65,535.", whole=True),
    "mean_session_minutes": ScoredFeature("minutes", "Mean length of a session; nan before the first."),
    "email_open_share": ScoredFeature("share", "Mails opened over mails sent."),
    "mean_rating": ScoredFeature(
        "stars",
        "Mean rating of the reviews, 1 to 5; nan without any. Too low beyond 13,107 reviews, where the sum stops.",
    ),
    "dissatisfaction": ScoredFeature(
        "share", "How far the mean rating is below the best: 0 for 5 stars, 1 for one star; nan without any."
    ),
}
"""Feature -> what it is."""
