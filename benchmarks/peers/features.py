"""The small feature set that all contestants compute, one event at a time in plain Python."""

from typing import Any

from schemas.units import DAY_MS

HALF_LIFE_30D_MS = 30 * DAY_MS


def updated(record: dict[str, Any] | None, event: dict[str, Any]) -> dict[str, Any]:
    """A customer's record after an event.

    Args:
        record: as it was; None for a customer of whom nothing is known.
        event: as decoded from JSON, in the order of event time.

    Returns:
        Purchases, their amount in minor units, the time of the last one, their count decayed with a half-life of 30
        days (as of the last one), and how often each kind of engagement has come.
    """
    if record is None:
        record = {"purchases": 0, "spend_minor": 0, "last_purchase_ms": 0, "decayed_30d": 0.0, "engagement": {}}
    if event["type"] != "purchase":
        counts = record["engagement"]
        counts[event["type"]] = counts.get(event["type"], 0) + 1
        return record
    elapsed_ms = event["event_time_ms"] - record["last_purchase_ms"]
    record["decayed_30d"] = record["decayed_30d"] * 2.0 ** (-elapsed_ms / HALF_LIFE_30D_MS) + 1.0
    record["last_purchase_ms"] = event["event_time_ms"]
    record["purchases"] += 1
    record["spend_minor"] += sum(map(minor_units, event["lines"]))
    return record


def minor_units(line: dict[str, Any]) -> int:
    """What a line costs, in minor units."""
    amount: int = round(float(line["unit_price"]) * 100) * line["quantity"]
    return amount - round(float(line["discount"]) * 100) if "discount" in line else amount
