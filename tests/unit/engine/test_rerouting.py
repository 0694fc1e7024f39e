"""A record on another partition than its customer's is sent on and counts there, once."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pytest

from offline.verify import compare
from schemas.origin import Origin, origin_of
from schemas.partition import partition_of
from schemas.topics import INVALID, PROFILES, PURCHASES, REROUTED, SOURCE_TOPICS
from schemas.units import DAY_MS
from stream.drafts import Outgoing
from tests.recomputed_logs import recompute_logs
from tests.world import BEGIN_MS, RULES, World, engagement, purchase

ADA = next(name for name in map("ada-{}".format, range(100)) if partition_of(name, 4) == 2)
"""A customer of partition 2."""
WRITTEN_MS = BEGIN_MS + 3_600_000


def sent(world: World, topic: str) -> list[Outgoing]:
    return [message for message in world.outbox.outgoing() if message.topic == topic]


@pytest.fixture
def away() -> World:
    return World(number=0, partitions=4)


@pytest.fixture
def home() -> World:
    return World(number=2, partitions=4)


def write(world: World, topic: str, *events: dict) -> None:
    records = [world.record(topic, msgspec.json.encode(event), timestamp_ms=WRITTEN_MS) for event in events]
    world.apply(records, [event["event_time_ms"] for event in events])


def read(world: World, *messages: Outgoing, day: float = 0) -> None:
    world.apply(world.rerouted(*messages), [BEGIN_MS + round(day * DAY_MS)] * len(messages))


def test_what_comes_on_a_wrong_partition_counts_at_home_with_where_and_when_it_was_written(away, home):
    event = purchase(ADA, 0, event_id="one")
    write(away, PURCHASES, purchase(None, 0, event_id="guest"), event)
    write(away, PROFILES, engagement("profile", ADA, 0, event_id="profile", age=40))
    assert not away.stored.states
    assert (away.total("events"), away.total("guest_events"), away.total("rerouted")) == (1, 1, 2)
    first, second = sent(away, REROUTED)
    assert (first.key, first.value) == (ADA.encode(), msgspec.json.encode(event))
    assert origin_of(first.headers, SOURCE_TOPICS) == Origin(PURCHASES, 0, 1, WRITTEN_MS)
    read(home, first, second)
    assert (home.view(ADA).features["purchases"], home.state(ADA)["engagement"]["age"]) == (1, 41)  # 0 is unknown
    assert (home.total("events"), home.total("dead_letters")) == (2, 0)


def test_a_repeat_counts_once_whether_the_producer_or_the_outbox_repeats_it(away, home):
    write(away, PURCHASES, *[purchase(ADA, 0, event_id="same")] * 2)
    (only,) = sent(away, REROUTED)
    read(home, only, only)
    read(home, only)
    assert home.view(ADA).features["purchases"] == 1
    assert (away.total("duplicates"), home.total("duplicates")) == (1, 2)


def test_what_is_on_a_wrong_partition_again_goes_no_further(away):
    lost = Outgoing(REROUTED, b"key", msgspec.json.encode(purchase(ADA, 0, event_id="lost")))
    read(away, lost)
    assert sent(away, REROUTED) == []
    (letter,) = sent(away, INVALID)
    headers = dict(letter.headers)
    assert (letter.value, headers["reason"]) == (lost.value, b"wrong_partition")
    assert (headers["source_topic"], headers["source_offset"]) == (REROUTED.encode(), b"0")


def test_an_event_that_was_in_time_when_it_was_written_is_in_time_after_its_way(away, home):
    early = purchase(ADA, 0.9, event_id="early")
    write(away, PURCHASES, early)
    (message,) = sent(away, REROUTED)
    record = home.rerouted(message)[0]
    assert record.origin_on(2).timestamp_ms == WRITTEN_MS
    home.apply([record], [early["event_time_ms"]])
    assert home.view(ADA).features["purchases"] == 1


@dataclass(frozen=True)
class Logged:
    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: list[tuple[str, bytes]]


def test_a_recomputation_of_the_logs_counts_what_was_rerouted_and_not_what_was_misrouted(away, home):
    events = [purchase(ADA, day / 10, event_id=f"order-{day}") for day in range(3)]
    write(away, PURCHASES, *events[:2])
    write(home, PURCHASES, events[2])
    messages = sent(away, REROUTED)
    read(home, messages[1], messages[0], messages[1], day=3)
    logs = [Logged(PURCHASES, 0, at, WRITTEN_MS, msgspec.json.encode(event), []) for at, event in enumerate(events[:2])]
    logs.append(Logged(PURCHASES, 2, 0, WRITTEN_MS, msgspec.json.encode(events[2]), []))
    for at, which in enumerate((1, 0, 1)):
        logs.append(Logged(REROUTED, 2, at, WRITTEN_MS + 5, messages[which].value, messages[which].headers))
    expected = recompute_logs(logs, 4, RULES)
    assert (list(expected.customers), expected.duplicates) == ([ADA], 1)
    assert compare(expected, home.stored.states).mismatches == []
    assert np.array_equal(expected.states["features"]["purchases"], [3])
    without = recompute_logs(logs, 4, RULES, set_aside={(PURCHASES, 0, 1)})
    assert np.array_equal(without.states["features"]["purchases"], [2])
