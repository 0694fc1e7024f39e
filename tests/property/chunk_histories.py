"""Histories of a shop with one hot customer, lived through in chunks, and whether two worlds came to the same."""

from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from schemas.clock import ClockRecord
from schemas.topics import CLOCK, ENGAGEMENT, PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.chunk import Models
from stream.memory_store import StoredPartition
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit
from tests.property.grown_trees import grown
from tests.world import BEGIN_MS, CENTRES, PINNED, SILENCE_MODEL, World, engagement, purchase, refund, silence_document

CUSTOMERS = ("hot", "hot", "hot", "ada", "bob", None)
KINDS = ("purchase",) * 5 + (
    "refund",
    "page_view",
    "add_to_cart",
    "profile",
    "late",
    "ahead",
    "repeat",
    "garbage",
    "tombstone",
    "erasure",
    "merge",
)
PAUSES_DAYS = (0.0, 0.0, 0.000_005, 0.000_02, 0.5, 3.0, 31.0)
LONG_ENOUGH_DAYS = 65  # two long silences: a label matures, alerts open and close; more only cost

NOT_SERVING = msgspec.structs.replace(silence_document(), serving=None)
ROLLED = msgspec.structs.replace(
    silence_document(), candidates={"mean": MeanLogit(SILENCE_MODEL, HazardModel(SILENCE_MODEL, 30))}, serving="mean"
)
TREES = msgspec.structs.replace(
    silence_document(),
    candidates={"boosting": grown(np.random.default_rng(3), trees=30), "since_last_purchase": SILENCE_MODEL},
    serving="boosting",
)
MODELS = {
    "everything": Models({"churn_30d": ROLLED, "purchase_7d": silence_document("purchase_7d")}, CENTRES),
    "pinned": PINNED,
    "trees": Models({"churn_30d": TREES, "purchase_7d": silence_document("purchase_7d")}, CENTRES),
    "no models": Models(),
    "segments alone": Models(segments=CENTRES),
    "churn alone": Models(PINNED.outcomes),
    "nothing serves": Models({"churn_30d": NOT_SERVING}),
}
STORED = ("states", "views", "deadlines", "labels", "snapshots", "segments", "risks", "totals", "seen", "identities")

Step = tuple[str, bytes | None, int]
"""(topic, value, stream time)."""


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Everything that may arrive, with a stream time that lags, jumps and never falls; one customer is hot."""
    steps: list[Step] = []
    day, clock_ms = 0.0, 0
    for number in range(draw(st.integers(1, 40))):
        day += draw(st.sampled_from(PAUSES_DAYS if day < LONG_ENOUGH_DAYS else PAUSES_DAYS[:-1]))
        clock_ms = max(clock_ms, BEGIN_MS + round((day - draw(st.sampled_from([0.0, 0.3, 2.0]))) * DAY_MS))
        steps.append((*draw(records(number, day)), clock_ms))
    return steps


@st.composite
def replays(draw: st.DrawFn) -> list[list[Step]]:
    """A history by days, each closed by the clock record of the next midnight or of one after a jump."""
    days: list[list[Step]] = []
    first_day = number = 0
    for _ in range(draw(st.integers(1, 6))):
        moments = sorted(draw(st.lists(st.sampled_from([0.0, 0.25, 0.250_004, 0.6, 0.999]), max_size=8)))
        clock_ms = BEGIN_MS + first_day * DAY_MS if days else 0
        steps = [(*draw(records(number + at, first_day + moment)), clock_ms) for at, moment in enumerate(moments)]
        jumps = [1, 1, 2, 40] if first_day < LONG_ENOUGH_DAYS else [1, 1, 2]
        number, first_day = number + len(steps), first_day + draw(st.sampled_from(jumps))
        clock = ClockRecord(time_ms=BEGIN_MS + first_day * DAY_MS)
        days.append([*steps, (CLOCK, msgspec.json.encode(clock), clock.time_ms)])
    return days


@st.composite
def records(draw: st.DrawFn, number: int, day: float) -> tuple[str, bytes | None]:
    kind, customer = draw(st.sampled_from(KINDS)), draw(st.sampled_from(CUSTOMERS))
    if kind in ("garbage", "tombstone"):
        return PURCHASES, b"{" if kind == "garbage" else None
    if kind in ("page_view", "add_to_cart"):
        fields = {"product_id": "85048"} if kind == "add_to_cart" else {}
        return ENGAGEMENT, msgspec.json.encode(engagement(kind, customer, day, event_id=f"e{number}", **fields))
    if kind in ("erasure", "merge"):
        into = {"into": "zoe"} if kind == "merge" else {}
        record = engagement(kind, customer or "bob", day, event_id=f"i{number}", **into)
        return PROFILES, msgspec.json.encode(record)
    if kind == "profile":
        return PROFILES, msgspec.json.encode(engagement(kind, customer or "cy", day, event_id=f"p{number}", age=40))
    event_id = "the-same" if kind == "repeat" else f"o{number}"
    at = {"late": max(day - 20, 0), "ahead": day + 0.7}.get(kind, day)
    make = refund if kind == "refund" else purchase
    return PURCHASES, msgspec.json.encode(make(customer, at, event_id=event_id, price=f"{10 + number}.00"))


def applied(world: World, days: list[list[Step]], chunk: int, silence_days: float) -> World:
    for steps in days:
        log = [(world.record(topic, value), clock_ms) for topic, value, clock_ms in steps]
        for start in range(0, len(log), chunk):
            part = log[start : start + chunk]
            world.apply([record for record, _ in part], [clock_ms for _, clock_ms in part])
    world.apply([], [], days[-1][-1][2] + round(silence_days * DAY_MS))
    return world


def kept(stored: StoredPartition, name: str) -> Any:
    """What is stored under a name; a total that came back to 0 is as one that never was."""
    found = getattr(stored, name)
    return {total: count for total, count in found.items() if count} if name == "totals" else found


def assert_same(worlds: list[World]) -> None:
    *others, whole = worlds
    for other in others:
        assert other.outbox.messages == whole.outbox.messages
        for name in STORED:
            assert kept(other.stored, name) == kept(whole.stored, name), name
