"""Meaning is defined record after record: chunks of any size give the same states, views, deadlines and messages."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import ClockRecord
from schemas.topics import CLOCK, ENGAGEMENT, LABELS, PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.chunk import Models, Rules
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


@settings(max_examples=30, deadline=None)
@given(histories(), st.sampled_from([0.0, 1.0, 90.0]), st.sampled_from([*MODELS]), st.sampled_from([1_000, 0, DAY_MS]))
def test_chunks_of_1_7_and_5000_records_give_the_same(
    history: list[Step], silence_days: float, models: str, decide_every_ms: int
) -> None:
    rules = Rules(decide_every_ms=decide_every_ms, alert_outcome="churn_30d")
    assert_same([
        applied(World(models=MODELS[models], rules=rules), [history], chunk, silence_days) for chunk in (1, 7, 5_000)
    ])  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(replays(), st.sampled_from([*MODELS]))
def test_a_lockstep_replay_does_not_depend_on_how_its_days_are_cut(days: list[list[Step]], models: str) -> None:
    worlds = [applied(World(models=MODELS[models], lockstep=True), days, chunk, 0.0) for chunk in (1, 3, 5_000)]
    assert_same(worlds)
    assert [message["day"] for message in worlds[0].messages(LABELS) if message["type"] == "epoch-passed"] == [
        msgspec.json.decode(clock)["time_ms"] // DAY_MS for _, clock, _ in (steps[-1] for steps in days) if clock
    ]


@pytest.mark.parametrize("models", MODELS.values(), ids=MODELS.keys())
def test_a_hot_customer_in_one_chunk_is_the_same_as_one_record_after_another(models: Models) -> None:
    def event(number: int) -> dict[str, Any]:
        day = 12 * (number // 30) + number * 0.000_004  # bursts of three events a second, twelve days apart
        return purchase("hot", day, event_id=f"o{number}", price=f"{10 + number}.00")

    log = [(PURCHASES, msgspec.json.encode(event(number)), event(number)["event_time_ms"]) for number in range(120)]
    assert_same([applied(World(models=models), [log], chunk, 60.0) for chunk in (1, 50, 5_000)])
