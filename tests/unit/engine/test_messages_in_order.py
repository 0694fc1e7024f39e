"""Messages are published in the order of their causes, and their ids say what they are about, not how it was found."""

import msgspec
import pytest

from schemas.topics import CHURN_ALERTS, INVALID, LABELS, PURCHASES, SEGMENT_CHANGES
from schemas.units import DAY_MS
from stream.chunk import Models
from tests.world import BEGIN_MS, PINNED, World, purchase, sampled_on, silence_document

DAY = 50


def chunk(world: World, *records: tuple[bytes | None, float]) -> World:
    """One chunk of (value, day of its stream time)."""
    log = [world.record(PURCHASES, value) for value, _ in records]
    world.apply(log, [BEGIN_MS + round(day * DAY_MS) for _, day in records])
    return world


def encoded(customer: str, day: float) -> tuple[bytes, float]:
    return msgspec.json.encode(purchase(customer, day, event_id=f"{customer}-{day}")), day


def test_deadlines_come_before_the_record_whose_stream_time_they_precede():
    world = World()
    for customer in ("ada", "bob"):
        world.purchase(customer, day=0).purchase(customer, day=10)
    chunk(world, (b"{", 11), encoded("eve", 25), (b"{", 99), encoded("bob", 99), (b"{", 99))
    types = [
        (m.topic, msgspec.json.decode(m.value)["type"] if m.topic != INVALID else dict(m.headers)["source_offset"])
        for m in world.outbox.outgoing()
        if m.topic in (CHURN_ALERTS, INVALID)
    ]
    assert types == [
        (INVALID, b"4"),
        (CHURN_ALERTS, "churn-alert.opened"),
        (CHURN_ALERTS, "churn-alert.opened"),
        (INVALID, b"6"),
        (CHURN_ALERTS, "churn-alert.closed"),
        (INVALID, b"8"),
    ]


def test_a_deadline_at_the_very_stream_time_of_a_record_comes_before_it():
    ada = sampled_on(DAY)
    world = World(models=Models()).purchase(ada, day=DAY - 5).silence_until(day=DAY)
    chunk(world, (b"{", DAY + 7.9), (b"{", DAY + 8), (b"{", DAY + 8))
    assert [m.topic for m in world.outbox.outgoing()] == [INVALID, LABELS, INVALID, INVALID]


def test_earlier_deadlines_speak_first_and_of_equal_ones_the_smaller_customer():
    world = World()
    world.send(*(purchase(customer, 0, event_id=f"{customer}-0") for customer in ("bob", "ada", "cy")))
    world.send(*(purchase(customer, 10, event_id=f"{customer}-10") for customer in ("bob", "ada")))
    world.purchase("cy", day=9).silence_until(day=60)
    opened = [(m["opened_ms"], m["customer_id"]) for m in world.messages(CHURN_ALERTS)]
    assert [customer for _, customer in opened] == ["cy", "ada", "bob"]
    assert opened == sorted(opened)
    assert opened[1][0] == opened[2][0]


def test_at_one_midnight_a_customer_s_outcomes_close_and_its_next_snapshot_is_taken():
    ada = sampled_on(DAY, DAY + 8)
    world = World().purchase(ada, day=DAY - 5).silence_until(day=DAY + 8)
    (label,) = world.labels(ada)
    assert (label["outcome"], label["matured_ms"]) == ("purchase_7d", BEGIN_MS + (DAY + 8) * DAY_MS)
    taken = {(day - BEGIN_MS // DAY_MS) for _, day in world.stored.snapshots}
    assert taken == {DAY, DAY + 8}


def test_at_one_moment_a_customer_speaks_by_kind():
    ada = sampled_on(DAY, DAY + 23)  # purchase_7d of the second matures with churn_30d of the first
    world = World().purchase(ada, day=DAY - 5).silence_until(day=DAY + 31)
    at_once = [m for m in world.labels(ada) if m["matured_ms"] == BEGIN_MS + (DAY + 31) * DAY_MS]
    assert [(m["outcome"], m["snapshot_ms"]) for m in at_once] == [
        ("churn_30d", BEGIN_MS + DAY * DAY_MS),
        ("purchase_7d", BEGIN_MS + (DAY + 23) * DAY_MS),
    ]


def test_sequences_are_dense_and_in_published_order():
    world = World()
    for customer in ("ada", "bob"):
        world.purchase(customer, day=0).purchase(customer, day=10)
    world.silence_until(day=60)
    assert [sequence for sequence, _ in world.outbox.messages] == list(range(1, len(world.outbox.messages) + 1))
    assert [m["sequence"] for m in world.messages(CHURN_ALERTS, SEGMENT_CHANGES, LABELS)] == [
        sequence for sequence, _ in world.outbox.messages
    ]


BOLDER = Models(
    {
        "churn_30d": msgspec.structs.replace(
            silence_document(version="v7"),
            candidates={
                "since_last_purchase": msgspec.structs.replace(
                    silence_document().candidates["since_last_purchase"], weights=(1.2,), bias=-0.5
                )
            },
        )
    },
    PINNED.segments,
)


@pytest.mark.parametrize("at_once", [True, False], ids=["one chunk", "chunk by chunk"])
@pytest.mark.parametrize("models", [PINNED, BOLDER], ids=["v1", "v7"])
def test_an_alert_has_the_same_id_however_and_by_whichever_model_it_was_found(at_once, models):
    records = [encoded("ada", day) for day in (0, 10, 61)]
    world = World(models=models)
    for part in [records] if at_once else [[record] for record in records]:
        chunk(world, *part)
    opened, closed = world.messages(CHURN_ALERTS)
    assert (opened["type"], closed["type"]) == ("churn-alert.opened", "churn-alert.closed")
    assert opened["model_version"] == models.outcomes["churn_30d"].version
    assert opened["message_id"] == "000c69af074ed2f71b97f43572e8f697"
    assert (closed["message_id"], closed["opened_message_id"]) == (
        "eb36f90ef3056682946ef708b402ce74",
        opened["message_id"],
    )


def test_two_silences_have_two_ids():
    world = World()
    for day in (0, 10, 61, 130):
        world.purchase("ada", day=day)
    opened = [m for m in world.messages(CHURN_ALERTS) if m["type"] == "churn-alert.opened"]
    assert [m["episode_ms"] for m in opened] == [BEGIN_MS + 10 * DAY_MS, BEGIN_MS + 61 * DAY_MS]
    assert opened[0]["message_id"] != opened[1]["message_id"]


def test_a_label_is_known_by_customer_outcome_and_day():
    ada = sampled_on(DAY)
    worlds = [
        World(models=models).purchase(ada, day=DAY - 5).silence_until(day=DAY + 40) for models in (PINNED, Models())
    ]
    ids = [[m["message_id"] for m in world.labels(ada)] for world in worlds]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2
