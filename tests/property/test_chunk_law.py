"""Meaning is defined record after record: chunks of any size give the same states, views, deadlines and messages."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import ENGAGEMENT, PURCHASES
from tests.world import BEGIN_MS, DAY_MS, World, purchase

CUSTOMERS = ("ada", "bob", "cy", None)

Step = tuple[str, bytes | None, int]
"""(topic, value, stream time)."""


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Purchases, views, guests, repeats, late events and garbage, with a stream time that lags, jumps and never falls."""
    steps: list[Step] = []
    day, clock_ms = 0.0, 0
    for number in range(draw(st.integers(1, 40))):
        day += draw(st.sampled_from([0.0, 0.000_005, 0.5, 3.0, 31.0]))
        clock_ms = max(clock_ms, BEGIN_MS + round((day - draw(st.sampled_from([0.0, 0.3, 2.0]))) * DAY_MS))
        steps.append((*draw(records(number, day)), clock_ms))
    return steps


@st.composite
def records(draw: st.DrawFn, number: int, day: float) -> tuple[str, bytes | None]:
    kind = draw(st.sampled_from(["purchase"] * 5 + ["page_view", "late", "repeat", "garbage", "tombstone"]))
    customer = draw(st.sampled_from(CUSTOMERS))
    if kind == "garbage":
        return PURCHASES, b"{"
    if kind == "tombstone":
        return PURCHASES, None
    if kind == "page_view":
        event: dict[str, Any] = {"type": "page_view", "event_id": f"v{number}", "event_time_ms": BEGIN_MS + round(day * DAY_MS)}
        return ENGAGEMENT, msgspec.json.encode(event | ({"customer_id": customer} if customer else {}))
    event_id = "the-same" if kind == "repeat" else f"o{number}"
    at = max(day - 20, 0) if kind == "late" else day
    return PURCHASES, msgspec.json.encode(purchase(customer, at, event_id=event_id, price=f"{10 + number}.00"))


def applied(history: list[Step], chunk: int, end_ms: int) -> World:
    world = World()
    log = [(world.record(topic, value), clock_ms) for topic, value, clock_ms in history]
    for start in range(0, len(log), chunk):
        part = log[start : start + chunk]
        world.apply([record for record, _ in part], [clock_ms for _, clock_ms in part])
    world.apply([], [], end_ms)
    return world


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from([0.0, 1.0, 90.0]))
def test_chunks_of_1_7_and_5000_records_give_the_same(history: list[Step], silence_days: float) -> None:
    end_ms = history[-1][2] + round(silence_days * DAY_MS)
    one, seven, whole = (applied(history, chunk, end_ms) for chunk in (1, 7, 5_000))
    for other in (one, seven):
        assert other.outbox.messages == whole.outbox.messages
        for name in ("states", "views", "deadlines", "labels", "snapshots", "segments", "totals", "seen"):
            assert getattr(other.stored, name) == getattr(whole.stored, name), name
