"""The features of one customer, slowly and obviously: plain Python over all its events, nothing stored, nothing shared.

Events are plain dicts as they travel (`{"type": "purchase", "event_id": …, "event_time_ms": …, "lines": […]}`), in any
order. It imports nothing of the product, so it can only agree with it by meaning the same.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import blake2b
from math import nan

DAY_MS = 86_400_000
HALF_LIVES_DAYS = (7, 30, 90, 365)
ENGAGEMENT = (
    "page_view",
    "product_view",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "session",
    "email_sent",
    "email_open",
    "email_click",
    "ad_impression",
    "ad_click",
    "campaign_exposure",
    "coupon_redemption",
    "social_share",
    "review",
    "support_contact",
    "loyalty_change",
)


def short_hash(text):
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def minor(amount):
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_EVEN))


def total_minor(event):
    return sum(
        minor(abs(line["quantity"]) * Decimal(line["unit_price"]) - Decimal(line.get("discount", "0")))
        for line in event["lines"]
    )


def pieces(event):
    return sum(abs(line["quantity"]) for line in event["lines"])


def days_since(now_ms, time_ms):
    return nan if time_ms is None else (now_ms - time_ms) / DAY_MS


def recent_purchase_days(purchases):
    days = sorted({event["event_time_ms"] // DAY_MS for event in purchases})
    return [day for day in days if day > days[-1] - 512]


def purchase_day_words(purchases):
    """Eight words of 64 days, the last purchase day first."""
    days = recent_purchase_days(purchases) if purchases else []
    return [
        sum(1 << (days[-1] - day - 64 * word) for day in days if (days[-1] - day) // 64 == word) for word in range(8)
    ]


def decayed(now_ms, half_life_days, pairs):
    return sum(value * 2.0 ** (-(now_ms - time_ms) / (half_life_days * DAY_MS)) for time_ms, value in pairs)


def last_products(purchases):
    """(hash, time) of the three products bought last; of one order those with the largest hashes."""
    latest = {}
    for event in purchases:
        for line in event["lines"]:
            key = short_hash(line["product_id"]) or 1
            latest[key] = max(latest.get(key, 0), event["event_time_ms"])
    ranked = sorted(latest.items(), key=lambda item: (item[1], item[0]), reverse=True)[:3]
    return ranked + [(0, 0)] * (3 - len(ranked))


def stored(events, categories=()):
    """What the record keeps, by field name; 0 for none."""
    purchases = [event for event in events if event["type"] == "purchase"]
    refunds = [event for event in events if event["type"] == "refund"]
    times = [event["event_time_ms"] for event in purchases]
    last = max(events, key=lambda event: (event["event_time_ms"], short_hash(event["event_id"])), default=None)
    found = {
        "first_event_ms": min((event["event_time_ms"] for event in events), default=0),
        "last_event_ms": last["event_time_ms"] if last else 0,
        "last_event_hash": short_hash(last["event_id"]) if last else 0,
        "first_purchase_ms": min(times, default=0),
        "last_purchase_ms": max(times, default=0),
        "purchases": len(purchases),
        "refunds": len(refunds),
        "purchase_lines": sum(len(event["lines"]) for event in purchases),
        "units": sum(map(pieces, purchases)),
        "refunded_units": sum(map(pieces, refunds)),
        "purchase_minor": sum(map(total_minor, purchases)),
        "refund_minor": sum(map(total_minor, refunds)),
        "discount_minor": sum(
            minor(Decimal(line.get("discount", "0"))) for event in purchases for line in event["lines"]
        ),
        "largest_basket_minor": max(map(total_minor, purchases), default=0),
        "hour_purchases": [sum(time // 3_600_000 % 24 // 3 == each for time in times) for each in range(8)],
        "channel_purchases": [
            sum(event.get("channel", "online") == channel for event in purchases)
            for channel in ("online", "in_store", "app")
        ],
        "product_hash": [key for key, _ in last_products(purchases)],
        "product_time_ms": [time for _, time in last_products(purchases)],
    }
    found["purchase_days"] = purchase_day_words(purchases)
    lines = [line.get("category") for event in purchases for line in event["lines"]]
    found["category_lines"] = [0] * 8
    for category in lines:
        found["category_lines"][categories.index(category) if category in categories else 7] += 1
    return found


def natural(events, now_ms, categories=()):
    """The features in natural units at a time that is not before the last event."""
    purchases = [event for event in events if event["type"] == "purchase"]
    kept = stored(events, categories)
    days = recent_purchase_days(purchases) if purchases else []
    found = {
        "since_last_purchase_days": days_since(now_ms, kept["last_purchase_ms"] or None),
        "since_first_purchase_days": days_since(now_ms, kept["first_purchase_ms"] or None),
        "since_first_event_days": days_since(now_ms, kept["first_event_ms"] or None),
        "purchase_days": len(days),
        "mean_gap_days": (days[-1] - days[0]) / (len(days) - 1) if len(days) > 1 else nan,
        "purchases": kept["purchases"],
        "refunds": kept["refunds"],
        "purchase_lines": kept["purchase_lines"],
        "units": kept["units"],
        "refunded_units": kept["refunded_units"],
        "spend_minor": kept["purchase_minor"],
        "refund_minor": kept["refund_minor"],
        "discount_minor": kept["discount_minor"],
        "largest_basket_minor": kept["largest_basket_minor"],
        "mean_basket_minor": kept["purchase_minor"] / kept["purchases"] if purchases else nan,
    }
    found["silence_over_gap"] = found["since_last_purchase_days"] / found["mean_gap_days"]
    found |= decayed_features(events, now_ms)
    return found | shares(kept) | engagement(events, now_ms)


def decayed_features(events, now_ms):
    bought = [(event["event_time_ms"], total_minor(event)) for event in events if event["type"] == "purchase"]
    refunded = [(event["event_time_ms"], total_minor(event)) for event in events if event["type"] == "refund"]
    found = {}
    for half_life in HALF_LIVES_DAYS:
        found[f"decayed_count_{half_life}d"] = decayed(now_ms, half_life, [(time, 1) for time, _ in bought])
        found[f"decayed_spend_{half_life}d_minor"] = decayed(now_ms, half_life, bought)
        found[f"decayed_refund_{half_life}d_minor"] = decayed(now_ms, half_life, refunded)
    found["net_spend_365d_minor"] = max(0.0, found["decayed_spend_365d_minor"] - found["decayed_refund_365d_minor"])
    return found


def share(part, whole):
    return part / whole if whole else 0.0


def shares(kept):
    bought, refunded, off = kept["purchase_minor"], kept["refund_minor"], kept["discount_minor"]
    found = {"discount_share": share(off, bought + off), "refund_share": min(1.0, share(refunded, bought))}
    if refunded and not bought:
        found["refund_share"] = 1.0
    for name, field, slots in (
        ("{}_share", "channel_purchases", ("online", "in_store", "app")),
        ("hour_{}_share", "hour_purchases", [f"{hour:02}_to_{hour + 3:02}" for hour in range(0, 24, 3)]),
        ("category_{}_share", "category_lines", [*range(1, 8), "other"]),
    ):
        for slot, count in zip(slots, kept[field], strict=True):
            found[name.format(slot)] = share(count, sum(kept[field]))
    return found


def engagement(events, now_ms):
    found = {}
    groups = {kind: (kind,) for kind in ENGAGEMENT}
    groups["browsing"] = ("page_view", "product_view", "search", "session")
    groups["answer"] = ("email_open", "email_click", "ad_click", "coupon_redemption")
    for name, kinds in groups.items():
        times = [event["event_time_ms"] for event in events if event["type"] in kinds]
        found[f"{name}_count"] = len(times)
        whole_second = max(times) // 1000 * 1000 if times else None
        found[f"since_last_{name}_days"] = days_since(now_ms, whole_second)
    return found
