"""What falls due between two records of a customer happens there, also where one chunk holds both."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.topics import CHURN_ALERTS, ENGAGEMENT, PURCHASES, SEGMENT_CHANGES
from schemas.units import DAY_MS
from stream.chunk import Models
from stream.scoring.linear import LinearModel
from tests.property.chunk_histories import assert_same
from tests.world import BEGIN_MS, CENTRES, TWO_OUTCOMES, World, engagement, purchase, refund, silence_document

SECOND = 1 / 86_400
NAME = "ada-1"  # of whom no snapshot is taken before day 59, which would part records
FAR_AHEAD = replace(TWO_OUTCOMES, stale_after_ms=28 * DAY_MS)
"""The search of the live clock, in which nearly every record comes before anything is asked again."""

ALWAYS_SURE = LinearModel((), (), (), (), 2.0)
ALERTS_ALONE = Models(
    {"churn_30d": msgspec.structs.replace(silence_document(), candidates={"flat": ALWAYS_SURE}, serving="flat")}
)
SEGMENTS_ALONE = Models(segments=CENTRES)


def visit(customer: str, day: float) -> dict[str, Any]:
    return engagement("page_view", customer, day, event_id=f"{customer}-{day}")


def order(customer: str, day: float) -> dict[str, Any]:
    return purchase(customer, day, event_id=f"{customer}-{day}")


def lived(events: Sequence[dict[str, Any]], chunk: int, models: Models) -> World:
    world = World(models=models, rules=FAR_AHEAD)
    topics = [ENGAGEMENT if event["type"] == "page_view" else PURCHASES for event in events]
    log = [world.record(topic, msgspec.json.encode(event)) for topic, event in zip(topics, events, strict=True)]
    for begin in range(0, len(log), chunk):
        times = [event["event_time_ms"] for event in events[begin : begin + chunk]]
        world.apply(log[begin : begin + chunk], times)
    return world


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_an_alert_that_a_purchase_has_brought_nearer_opens_before_the_next_visit(chunk):
    world = lived([order(NAME, 0), order(NAME, 5), visit(NAME, 20)], chunk, ALERTS_ALONE)
    (opened,) = world.messages(CHURN_ALERTS)
    assert opened["opened_ms"] == BEGIN_MS + 19 * DAY_MS


def test_a_segment_that_a_refund_has_brought_nearer_changes_before_the_next_visit():
    dear = purchase(NAME, 0, event_id="dear", price="50.00")
    events = [dear, refund(NAME, 3, event_id="nearly all of it", price="45.00"), visit(NAME, 13.5)]
    worlds = [lived(events, chunk, SEGMENTS_ALONE) for chunk in (1, 2, 100)]
    assert_same(worlds)
    (changed,) = worlds[0].messages(SEGMENT_CHANGES)
    assert BEGIN_MS + 3 * DAY_MS < changed["changed_ms"] < BEGIN_MS + 13.5 * DAY_MS


@pytest.mark.parametrize("after_seconds", [0.4, 3.0])
def test_a_decision_that_was_put_off_and_made_in_the_same_chunk_leaves_the_same_deadline(after_seconds):
    again = visit(NAME, 5.7 + after_seconds * SECOND)
    events = [visit(NAME, 0.123), visit(NAME, 5.7), again, visit("bob", 5.7 + 9 * SECOND)]
    worlds = [lived(events, chunk, Models()) for chunk in (1, 2, 100)]
    assert_same(worlds)
    decided_ms = BEGIN_MS + round(5.7 * DAY_MS) + max(1_000, round(after_seconds * 1_000))
    assert worlds[0].view(NAME).as_of_ms == decided_ms


def test_a_decision_that_is_not_made_again_in_its_chunk_says_how_long_its_view_holds():
    events = [order(NAME, 0), order(NAME, 10), visit(NAME, 27), visit(NAME, 27 + 0.4 * SECOND)]
    worlds = [lived(events, chunk, ALERTS_ALONE) for chunk in (1, 100)]
    assert_same(worlds)
    assert worlds[0].view(NAME).valid_until_ms == BEGIN_MS + 30 * DAY_MS
