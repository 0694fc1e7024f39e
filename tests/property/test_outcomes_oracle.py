"""Every label against a slow recomputation from the raw list of events, which shares no code with the product."""

import math
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import decode
from schemas.topics import ENGAGEMENT, LABELS, PURCHASES
from schemas.units import DAY_MS
from stream.chunk import Models, Rules
from stream.features.columns import model_matrix
from stream.features.facts_of_events import facts_of
from stream.features.fold import fold
from stream.features.layout import empty
from stream.outcomes.declaration import BUILT_IN, Outcome
from stream.outcomes.declared import DeclaredOutcomes
from tests.world import BEGIN_MS, RULES, World, engagement, purchase, refund, silence_document

CUSTOMERS = ("ada", "bob", "cy")


@dataclass(frozen=True)
class Asked:
    """An outcome as this file understands it: what counts, for how long, who is asked, how many may be open at once."""

    days: int
    at_most: int
    true_when_reached: bool
    channel: str | None = None
    minimum: Decimal = Decimal(0)
    own_gap: bool = False
    purchase_days: int = 1
    active_days: int = 180


ASKED = {
    "churn_30d": Asked(30, 4, False),
    "churn_90d": Asked(90, 6, False),
    "purchase_7d": Asked(7, 3, True),
    "purchase_30d": Asked(30, 4, True),
    "high_value_90d": Asked(90, 6, True, minimum=Decimal(500)),
    "lapsed": Asked(180, 9, False, own_gap=True, purchase_days=2),
    "store_20d": Asked(20, 3, True, "in_store", Decimal("40.00"), purchase_days=3, active_days=60),
}
DECLARED = Outcome(
    name="store_20d", horizon_days=20, true_when="any", channel="in_store", minimum_amount="40.00",
    active_within_days=60, purchase_days_at_least=3,
)  # fmt: skip
OUTCOMES = Rules(outcomes=DeclaredOutcomes((*BUILT_IN, DECLARED)), alert_outcome="churn_30d")

NOT_SERVING = Models({"churn_30d": msgspec.structs.replace(silence_document(), serving=None)})
"""Scores snapshots, and decides nothing."""

LONG_ENOUGH_DAYS = 250  # two silences after which nobody is sampled any more; each more is only days to walk through

DAYS_REMEMBERED = 512
TWO_64 = 2**64


@dataclass(frozen=True)
class Arrival:
    """An event of a customer, and the stream time at which it took effect."""

    customer: str
    kind: str
    time_ms: int
    stream_ms: int
    event: dict[str, Any]


def is_sampled(customer: str, day: int) -> bool:
    mixed = int.from_bytes(blake2b(customer.encode(), digest_size=8).digest(), "little")
    mixed = (mixed + day * 0x9E3779B97F4A7C15) % TWO_64
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 % TWO_64
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % TWO_64
    return (mixed ^ (mixed >> 31)) % 28 == 0


def window_days(asked: Asked, bought: list[int], midnight: int) -> int:
    """How long a customer is waited for that bought at these times; 0 for one that is not asked."""
    last = max(bought) // DAY_MS
    bought_on = sorted({day for time_ms in bought if last - (day := time_ms // DAY_MS) < DAYS_REMEMBERED})
    if len(bought_on) < asked.purchase_days or midnight - max(bought) > asked.active_days * DAY_MS:
        return 0
    if not asked.own_gap:
        return asked.days
    mean_gap = (last - bought_on[0]) / (len(bought_on) - 1)
    return min(max(math.ceil(2 * mean_gap), 14), 180)


def snapshot_days(customer: str, arrivals: list[Arrival], end_ms: int) -> dict[str, dict[int, int]]:
    """Outcome -> days with a snapshot that it waits for -> for how many days."""
    taken: dict[str, dict[int, int]] = {outcome: {} for outcome in ASKED}
    for day in range(BEGIN_MS // DAY_MS, end_ms // DAY_MS + 1):
        midnight = day * DAY_MS
        known = [a for a in arrivals if a.customer == customer and a.stream_ms < midnight]
        bought = [a.time_ms for a in known if a.kind == "purchase"]
        if not is_sampled(customer, day) or not bought or midnight - max(bought) > 180 * DAY_MS:
            continue
        if max(a.time_ms for a in known) > midnight:
            continue
        for outcome, asked in ASKED.items():
            window = window_days(asked, bought, midnight)
            if window and sum(day < earlier + days + 1 for earlier, days in taken[outcome].items()) < asked.at_most:
                taken[outcome][day] = window
    return taken


def reached(asked: Asked, arrivals: list[Arrival]) -> bool:
    """Whether purchases are enough."""
    counted = [a for a in arrivals if a.kind == "purchase" and asked.channel in (None, a.event["channel"])]
    spent = sum(
        (line["quantity"] * Decimal(line["unit_price"]) for a in counted for line in a.event["lines"]), Decimal(0)
    )
    return bool(counted) and spent >= asked.minimum


def expected_labels(arrivals: list[Arrival], end_ms: int) -> dict[tuple[str, str, int], tuple[float, int, int]]:
    """(customer, outcome, snapshot) -> (value, end of its window, when it matured)."""
    labels = {}
    for customer in CUSTOMERS:
        for outcome, days in snapshot_days(customer, arrivals, end_ms).items():
            for day, window in days.items():
                begin, end = day * DAY_MS, (day + window) * DAY_MS
                closes = end + DAY_MS
                if closes <= end_ms:
                    in_time = [a for a in arrivals if a.customer == customer and a.stream_ms < closes]
                    is_reached = reached(ASKED[outcome], [a for a in in_time if begin < a.time_ms <= end])
                    value = float(is_reached == ASKED[outcome].true_when_reached)
                    labels[customer, outcome, begin] = (value, end, closes)
    return labels


def expected_late(arrivals: list[Arrival]) -> int:
    """Purchases that would have counted in a sampled midnight that had matured when they arrived."""
    late = 0
    for place, arrival in enumerate(arrivals):
        before = [a.time_ms for a in arrivals[:place] if a.customer == arrival.customer and a.kind == "purchase"]
        late += arrival.kind == "purchase" and any(
            day * DAY_MS < arrival.time_ms <= (day + asked.days) * DAY_MS
            and (day + asked.days + 1) * DAY_MS <= arrival.stream_ms
            and min(before, default=day * DAY_MS + 1) <= day * DAY_MS
            for asked in ASKED.values()
            if not asked.own_gap and asked.channel in (None, arrival.event["channel"])
            for day in range(arrival.time_ms // DAY_MS - asked.days - 1, arrival.time_ms // DAY_MS + 1)
            if is_sampled(arrival.customer, day)
        )
    return late


def expected_columns(customer: str, arrivals: list[Arrival], snapshot_ms: int) -> list[float]:
    """The model columns of what had arrived before the midnight."""
    known = [a.event for a in arrivals if a.customer == customer and a.stream_ms < snapshot_ms]
    states = empty(1)
    for event in known:
        topic = ENGAGEMENT if event["type"] == "page_view" else PURCHASES
        decoded = decode(topic, msgspec.json.encode(event), BEGIN_MS + 4_000 * DAY_MS, RULES)
        fold(states, facts_of([decoded], [0]))
    return model_matrix(states, snapshot_ms)[0].astype(np.float32).tolist()


@st.composite
def histories(draw: st.DrawFn) -> list[Arrival]:
    """Half a year and more: buying, viewing, long silences, events days late and days ahead of stream time."""
    arrivals = []
    day = stream_day = 0.0
    for number in range(draw(st.integers(1, 45))):
        rare = [200.0, 1.0, 3.0] if day < LONG_ENOUGH_DAYS else [1.0, 3.0]
        day += draw(st.sampled_from([0.0, 0.4, 1.0, 6.0, 20.0]) | st.sampled_from(rare))
        stream_day = max(stream_day, day - draw(st.sampled_from([0.0, 0.0, 0.5, 3.0])))
        kind = draw(st.sampled_from(["purchase", "purchase", "page_view", "refund"]))
        at = max(day - draw(st.sampled_from([0.0, 0.0, 0.0, 1.0, 9.0, 40.0])), 0.01)
        make = {"purchase": purchase, "refund": refund}.get(kind)
        customer, event_id = draw(st.sampled_from(CUSTOMERS)), f"e{number}"
        event = make(customer, at, event_id=event_id) if make else engagement(kind, customer, at, event_id=event_id)
        if kind == "purchase":
            event["channel"] = draw(st.sampled_from(["online", "in_store"]))
            event["lines"][0]["quantity"] = draw(st.sampled_from([1, 2, 10]))
        arrivals.append(Arrival(customer, kind, event["event_time_ms"], BEGIN_MS + round(stream_day * DAY_MS), event))
    return arrivals


def applied(arrivals: list[Arrival], chunk: int, end_ms: int) -> World:
    world = World(models=NOT_SERVING, rules=OUTCOMES)
    for start in range(0, len(arrivals), chunk):
        part = arrivals[start : start + chunk]
        log = [
            world.record(ENGAGEMENT if a.kind == "page_view" else PURCHASES, msgspec.json.encode(a.event)) for a in part
        ]
        world.apply(log, [a.stream_ms for a in part])
    world.apply([], [], end_ms)
    return world


@settings(max_examples=30, deadline=None)
@given(histories(), st.sampled_from([1, 10, 5_000]), st.sampled_from([0, 8, 60]))
def test_labels_are_those_of_the_raw_events(arrivals: list[Arrival], chunk: int, silence_days: int) -> None:
    end_ms = arrivals[-1].stream_ms + silence_days * DAY_MS
    world = applied(arrivals, chunk, end_ms)
    labels = world.messages(LABELS)
    found = {
        (m["customer_id"], m["outcome"], m["snapshot_ms"]): (m["value"], m["horizon_ms"], m["matured_ms"])
        for m in labels
    }
    assert found == expected_labels(arrivals, end_ms)
    assert len(labels) == len(found) == world.total("labels")
    assert world.total("late_label_events") == expected_late(arrivals)
    for label in labels:
        assert label["columns"] == expected_columns(label["customer_id"], arrivals, label["snapshot_ms"])
        assert label["scores"].keys() == ({"since_last_purchase"} if label["outcome"] == "churn_30d" else set())


@settings(max_examples=15, deadline=None)
@given(histories(), st.sampled_from([1, 5_000]))
def test_a_snapshot_lives_as_long_as_an_outcome_waits_for_it(arrivals: list[Arrival], chunk: int) -> None:
    end_ms = arrivals[-1].stream_ms
    world = applied(arrivals, chunk, end_ms)
    waiting = {
        (customer, day)
        for customer in CUSTOMERS
        for outcome, days in snapshot_days(customer, arrivals, end_ms).items()
        for day, window in days.items()
        if (day + window + 1) * DAY_MS > end_ms
    }
    assert set(world.stored.snapshots) == waiting
    assert set(world.stored.labels) == {customer for customer, _ in waiting}
