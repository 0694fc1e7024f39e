"""Views in a Redis, as lanes write them."""

import msgspec

from schemas.partition import partition_of
from schemas.units import DAY_MS
from stream.customers.segments import SEGMENTS
from stream.features.layout import LAYOUT
from stream.ports import Commit, Deployment
from stream.redis_store.deployment import check_deployment
from stream.redis_store.partition import RedisPartitionStore
from stream.views import AlertState, Score, View

PARTITIONS = 4
NOW_MS = 1_291_924_860_000  # 2010-12-09 20:01 UTC
HOSTILE_IDS = ["{7}", "two words", "line\nbreak \x1b[2J", "Zoë ☃"]


def view_of(customer, segment="Loyal Customers", probability=0.18, risk="214.07", silent=4.2, **changed):
    fields = {
        "customer_id": customer,
        "partition": partition_of(customer, PARTITIONS),
        "segment": segment,
        "segment_since_ms": NOW_MS - 282 * DAY_MS,
        "scores": {
            "churn_30d": Score(probability, "river_logistic", "14951-3f2a"),
            "purchase_7d": Score(0.31, "river_logistic", "14951-77c0"),
            "lapsed": Score(0.09, "mean_logit", "14951-9a01"),
        },
        "value_at_risk": risk,
        "currency": "GBP",
        "alert": AlertState(probability >= 0.8, NOW_MS - 60 * DAY_MS if probability >= 0.8 else None),
        "reasons": [f"no purchase for {silent:.0f} days, usual gap 6", "net spend of the last year 3,212 GBP"],
        "features": {
            "since_last_purchase_days": silent,
            "purchase_days": 28.0,
            "mean_gap_days": 6.4,
            "purchases": 31.0,
            "refunds": 2.0,
            "spend": "8123.10",
            "refunded": "40.12",
            "net_spend_365d": "3212.45",
            "first_purchase_ms": NOW_MS - 373 * DAY_MS,
            "last_purchase_ms": NOW_MS - 4 * DAY_MS,
        },
        "as_of_ms": NOW_MS,
        "valid_until_ms": NOW_MS + 3 * DAY_MS,
    }
    return View(**{**fields, **changed})


async def apply(url, views, risks=None):
    """One commit for each partition, as the lanes write them; the index of risks is what the views say unless given."""
    check_deployment(url, Deployment(PARTITIONS, "replay", LAYOUT))
    for partition in range(PARTITIONS):
        own = [view for view in views if view.partition == partition]
        store = RedisPartitionStore(url, partition)
        head, _ = await store.begin(0, 0)
        changes = Commit(
            positions={},
            stream_time_ms=NOW_MS + partition,
            sequence=0,
            views={view.customer_id: msgspec.json.encode(view) for view in own},
            segment_moves=[(view.customer_id, None, view.segment) for view in own],
            risks={v.customer_id: (risks or {}).get(v.customer_id, float(v.value_at_risk or 0)) for v in own},
        )
        assert await store.commit(head, changes)
        await store.close()


async def fill_shop(url):
    """120 customers of all segments, of which number i has i pounds at risk, and some with hostile ids."""
    named = [view_of(f"{13_000 + i}", SEGMENTS[i % 7], risk=f"{i}.50") for i in range(1, 121)]
    await apply(url, [*named, *(view_of(customer, risk=None) for customer in HOSTILE_IDS)])


def begin_deployment(url):
    """A deployment without a customer."""
    check_deployment(url, Deployment(PARTITIONS, "live", LAYOUT))
