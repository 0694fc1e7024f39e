"""The features of one customer, slowly and obviously: plain Python over all its events, nothing stored, nothing shared.

Events are plain dicts as they travel (`{"type": "purchase", "event_id": …, "event_time_ms": …, "lines": […]}`), in any
order. It imports nothing of the product, so it can only agree with it by meaning the same.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import blake2b
from math import nan

from schemas.units import DAY_MS

HALF_LIVES_DAYS = (7, 30, 90, 365)
BY_SECOND = (
    "page_view",
    "product_view",
    "search",
    "add_to_cart",
    "session",
    "email_open",
    "email_click",
    "ad_click",
    "review",
    "loyalty_change",
)
BY_DAY = (
    "remove_from_cart",
    "email_sent",
    "ad_impression",
    "campaign_exposure",
    "coupon_redemption",
    "social_share",
    "support_contact",
)
LISTS = ("categories", "genders", "regions", "educations", "loyalty_tiers", "time_zones")
NO_NAMES = dict.fromkeys(LISTS, ())
U2, U4 = 65_535, 4_294_967_295


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


def of_kind(events, *kinds):
    return [event for event in events if event["type"] in kinds]


def code(name, names):
    """1, 2, … by place in the list, 255 for a name that is not in it, 0 for none."""
    return 0 if name is None else names.index(name) + 1 if name in names else 255


def latest_profile(events):
    """The profile of the latest (time, id), or None."""
    profiles = of_kind(events, "profile")
    return max(profiles, key=lambda event: (event["event_time_ms"], short_hash(event["event_id"])), default=None)


def whole_second(event):
    return event["event_time_ms"] // 1000


def of_last_second(events, value):
    """The largest value among the events of the last second; 0 for none."""
    last = max(map(whole_second, events), default=None)
    return max((value(event) for event in events if whole_second(event) == last), default=0)


def stored_engagement(events, names):
    sessions, reviews = of_kind(events, "session"), of_kind(events, "review")
    changes = of_kind(events, "loyalty_change")
    points = [event.get("points") or 0 for event in changes]
    return {
        "count": [len(of_kind(events, kind)) for kind in BY_SECOND + BY_DAY],
        "last_s": [max(map(whole_second, of_kind(events, kind)), default=0) for kind in BY_SECOND],
        "last_day": [
            max((event["event_time_ms"] // DAY_MS for event in of_kind(events, kind)), default=0) for kind in BY_DAY
        ],
        "session_s": min(U4, sum((event["duration_ms"] + 500) // 1000 for event in sessions)),
        "points_earned": min(U4, sum(each for each in points if each > 0)),
        "points_spent": min(U4, -sum(each for each in points if each < 0)),
        "rating_sum": min(U2, sum(event["rating"] for event in reviews)),
        "last_rating": of_last_second(reviews, lambda event: event["rating"]),
        "changed_tier": of_last_second(changes, lambda event: code(event["tier"], names["loyalty_tiers"])),
    } | stored_profile(latest_profile(events), names)


def stored_profile(profile, names):
    given = profile or {}
    income, consent = given.get("income"), given.get("consent")
    order = profile["event_time_ms"] * 2**22 + short_hash(profile["event_id"]) // 2**42 if profile else 0
    return {
        "profile_order": order,
        "income": 0 if income is None else min(U4, int(Decimal(income).quantize(Decimal(1), ROUND_HALF_EVEN)) + 1),
        "age": 0 if given.get("age") is None else given["age"] + 1,
        "gender": code(given.get("gender"), names["genders"]),
        "region": code(given.get("region"), names["regions"]),
        "education": code(given.get("education"), names["educations"]),
        "preferred_channel": code(given.get("preferred_channel"), ("online", "in_store", "app")),
        "profile_tier": code(given.get("loyalty_tier"), names["loyalty_tiers"]),
        "consent": 0 if consent is None else 2 if consent else 1,
        "time_zone": code(given.get("time_zone"), names["time_zones"]),
    }


def stored(events, names=NO_NAMES):
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
    categories = names["categories"]
    for category in lines:
        found["category_lines"][categories.index(category) if category in categories else 7] += 1
    return found | stored_engagement(events, names)


def natural(events, now_ms, names=NO_NAMES):
    """The features in natural units at a time that is not before the last event."""
    purchases = [event for event in events if event["type"] == "purchase"]
    kept = stored(events, names)
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
    found |= products(purchases, days)
    return found | shares(kept) | engagement(events, now_ms) | details(events, now_ms) | profile(events, now_ms, names)


def products(purchases, days):
    kept = [(key, time) for key, time in last_products(purchases) if time]
    last = max((event["event_time_ms"] for event in purchases), default=0)
    third_day = kept[2][1] // DAY_MS if len(kept) == 3 else nan
    return {
        "products_kept": len(kept),
        "last_basket_products": sum(time == last for _, time in kept),
        "purchase_days_of_two_products": sum(day > third_day for day in days) if len(kept) == 3 else nan,
    }


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
    groups = {kind: (kind,) for kind in BY_SECOND + BY_DAY}
    groups["browsing"] = ("page_view", "product_view", "search", "session")
    groups["answer"] = ("email_open", "email_click", "ad_click", "coupon_redemption")
    for name, kinds in groups.items():
        floors = {event["type"]: DAY_MS if event["type"] in BY_DAY else 1000 for event in events}
        chosen = of_kind(events, *kinds)
        times = [event["event_time_ms"] // floors[event["type"]] * floors[event["type"]] for event in chosen]
        found[f"{name}_count"] = len(chosen)
        found[f"since_last_{name}_days"] = days_since(now_ms, max(times, default=None))
    return found


def details(events, now_ms):
    seconds = [(event["duration_ms"] + 500) // 1000 for event in of_kind(events, "session")]
    ratings = [event["rating"] for event in of_kind(events, "review")]
    points = [event.get("points") or 0 for event in of_kind(events, "loyalty_change")]
    earned, spent = (
        min(U4, sum(each for each in points if each > 0)),
        min(U4, -sum(each for each in points if each < 0)),
    )
    mean_rating = sum(ratings) / len(ratings) if ratings else nan
    minutes = min(U4, sum(seconds)) / 60
    found = {
        "session_minutes": minutes,
        "mean_session_minutes": minutes / len(seconds) if seconds else nan,
        "mean_rating": mean_rating,
        "last_rating": of_last_second(of_kind(events, "review"), lambda event: event["rating"]) or nan,
        "dissatisfaction": (5 - mean_rating) / 4,
        "points_earned": earned,
        "points_spent": spent,
        "points_balance": earned - spent,
    }
    for name, answer, asked in (
        ("email_open_share", "email_open", "email_sent"),
        ("email_click_share", "email_click", "email_sent"),
        ("ad_click_share", "ad_click", "ad_impression"),
    ):
        found[name] = min(1.0, share(len(of_kind(events, answer)), len(of_kind(events, asked))))
    return found


def profile(events, now_ms, names):
    last = latest_profile(events)
    given = last or {}
    known = stored_profile(last, names)
    changes = of_kind(events, "loyalty_change")
    changed = of_last_second(changes, lambda event: code(event["tier"], names["loyalty_tiers"]))
    tier = known["profile_tier"] or changed
    if changed and max(map(whole_second, changes)) * 1000 > given.get("event_time_ms", 0):
        tier = changed
    income = given.get("income")
    found = {
        "since_profile_days": days_since(now_ms, given.get("event_time_ms")),
        "loyalty_tier_code": tier,
        "age_years": given.get("age", nan),
        "income": nan if income is None else min(U4 - 1, int(Decimal(income).quantize(Decimal(1), ROUND_HALF_EVEN))),
        "consent": float(given["consent"]) if "consent" in given else nan,
    }
    return found | {
        f"{field}_code": known[field] for field in ("gender", "region", "education", "preferred_channel", "time_zone")
    }
