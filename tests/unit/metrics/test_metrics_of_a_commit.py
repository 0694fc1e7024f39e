"""What a commit adds to the metrics: every record once, by kind and by what became of it."""

from collections.abc import Callable

import msgspec
import pytest

from schemas.partition import partition_of
from schemas.topics import CHURN_ALERTS, CLOCK, ENGAGEMENT, PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.metrics import worker as metrics
from stream.worker.assembly import Assembly
from tests.world import BEGIN_MS, World, engagement, purchase, refund

Value = Callable[..., float]


@pytest.fixture
def added() -> Value:
    """How much a sample has grown since the test began."""
    before = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
    }

    def grown(metric: str, /, **labels: str) -> float:
        now = metrics.REGISTRY.get_sample_value(metric, labels) or 0.0
        return now - before.get((metric, tuple(sorted(labels.items()))), 0.0)

    return grown


def test_every_record_is_counted_once_by_kind_and_by_what_became_of_it(added: Value):
    world = World()
    world.purchase("ada", 0, event_id="p1").purchase("ada", 0, event_id="p1").refund("ada", 1).page_view("ada", 1)
    world.purchase(None, 1)
    world.apply([world.record(PURCHASES, b"{"), world.record(PURCHASES, None)], [BEGIN_MS, BEGIN_MS])
    results = {
        (kind, result): added("ebb_records_total", topic=topic, kind=kind, result=result)
        for topic, kind in (
            (PURCHASES, "purchase"),
            (PURCHASES, "refund"),
            (PURCHASES, "unknown"),
            (ENGAGEMENT, "page_view"),
        )
        for result in ("applied", "duplicate", "invalid", "misrouted")
    }
    assert {key: value for key, value in results.items() if value} == {
        ("purchase", "applied"): 2,
        ("purchase", "duplicate"): 1,
        ("refund", "applied"): 1,
        ("page_view", "applied"): 1,
        ("unknown", "invalid"): 2,
    }
    assert added("ebb_dead_letters_total", reason="malformed_json") == 1
    assert added("ebb_dead_letters_total", reason="tombstone") == 1
    assert added("ebb_messages_total", kind="dead-letter") == 2
    assert added("ebb_commit_latency_seconds_count") == 7
    assert added("ebb_shop_total", name="purchase_minor") == 2_500
    assert added("ebb_shop_total", name="guest_purchase_minor") == 2_500


def test_a_record_on_another_partition_than_its_customer_s_is_misrouted(added: Value):
    world = World()
    world.applying._assembly = Assembly(0, 2, world.rules, lockstep=False)
    elsewhere = next(name for name in map("c{}".format, range(9)) if partition_of(name, 2) == 1)
    world.purchase(elsewhere, 0)
    assert added("ebb_records_total", topic=PURCHASES, kind="purchase", result="misrouted") == 1
    assert added("ebb_records_total", topic=PURCHASES, kind="purchase", result="applied") == 0


def test_alerts_and_moves_are_counted_and_silence_has_its_lateness(added: Value):
    world = World(may_lag=True)
    world.purchase("ada", 0).purchase("ada", 5).silence_until(60).purchase("ada", 61)
    assert world.alerts("ada") == ["churn-alert.opened", "churn-alert.closed"]
    assert added("ebb_messages_total", kind="churn-alert.opened") == 1
    assert added("ebb_messages_total", kind="churn-alert.closed") == 1
    moves = world.segment_changes("ada")
    for left, entered in moves:
        assert added("ebb_segment_moves_total", left=left, entered=entered) >= 1
    fired = added("ebb_deadlines_fired_total", partition="0")
    assert fired == added("ebb_deadline_lateness_seconds_count") > 0


def test_a_replay_says_nothing_of_lateness(added: Value):
    World().purchase("ada", 0).silence_until(60)
    assert added("ebb_deadlines_fired_total", partition="0") > 0
    assert added("ebb_deadline_lateness_seconds_count") == 0


def test_a_message_is_timed_from_what_caused_it():
    """The closing record's Kafka timestamp; the deadline that opened the alert, where that is a time of the wall."""
    world, noted = World(may_lag=True), {}
    world.outbox.add = lambda _messages, caused: noted.update(caused)  # type: ignore[method-assign]
    world.purchase("ada", 0).purchase("ada", 5).silence_until(60)
    (opened_ms,) = [ms for topic, ms in noted.values() if topic == CHURN_ALERTS]
    assert BEGIN_MS + 5 * DAY_MS < opened_ms < BEGIN_MS + 60 * DAY_MS
    noted.clear()
    sent_ms = BEGIN_MS + 61 * DAY_MS + 7
    record = world.record(PURCHASES, msgspec.json.encode(purchase("ada", 61, event_id="back")), timestamp_ms=sent_ms)
    world.apply([record], [BEGIN_MS + 61 * DAY_MS])
    assert {ms for topic, ms in noted.values() if topic == CHURN_ALERTS} == {sent_ms}


def test_value_at_risk_in_total_is_the_sum_of_the_index():
    world = World()
    for number in range(30):
        world.purchase(f"c{number}", number / 7, price=f"{10 + number}.37").purchase(f"c{number}", 6 + number / 5)
    world.send(refund("c3", 14, event_id="r"), engagement("page_view", "c4", 14, event_id="v"))
    for day in (20, 50, 400):
        world.silence_until(day)
        index = sum(round(risk * 100) for risk in world.stored.risks.values())
        assert world.total("value_at_risk_minor") == pytest.approx(index, abs=len(world.stored.risks))
    assert world.total("value_at_risk_minor") > 0
    assert world.total("labels_opened") >= world.total("labels") > 0


def test_the_kinds_that_are_there_from_the_start_are_those_that_are_said(added: Value):
    world = World(lockstep=True)
    world.purchase("ada", 0).purchase("ada", 5)
    world.apply([world.record(PURCHASES, b"{")], [BEGIN_MS + 5 * DAY_MS])
    for day in range(6, 60):
        midnight_ms = BEGIN_MS + day * DAY_MS
        clock = msgspec.json.encode({"type": "clock", "time_ms": midnight_ms})
        world.apply([world.record(CLOCK, clock)], [midnight_ms])
    world.purchase("ada", 61)
    world.applying._assembly = Assembly(0, 2, world.rules, lockstep=False)
    world.purchase(next(name for name in map("c{}".format, range(9)) if partition_of(name, 2) == 1), 61)
    world.send(engagement("merge", "ada", 62, event_id="merge", into="bob"), topic=PROFILES).purchase("ada", 63)
    said = {
        sample.labels["kind"]
        for family in metrics.MESSAGES.collect()
        for sample in family.samples
        if sample.name == "ebb_messages_total" and added("ebb_messages_total", kind=sample.labels["kind"])
    }
    assert said == set(metrics.MESSAGE_KINDS)
