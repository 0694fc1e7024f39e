"""Silence opens alerts, purchases close them, and time alone is enough."""

import msgspec
import pytest

from schemas.topics import CHURN_ALERTS
from schemas.units import DAY_MS
from stream.chunk import Models
from tests.world import BEGIN_MS, PINNED, World, purchase


@pytest.fixture
def world() -> World:
    return World()


def test_silence_alone_opens_an_alert(world):
    world.purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    assert world.alerts("ada") == ["churn-alert.opened"]


def test_an_alert_opens_when_silence_is_twice_the_usual_gap(world):
    world.purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    (alert,) = world.messages(CHURN_ALERTS)
    silent_days = (alert["opened_ms"] - BEGIN_MS) / DAY_MS - 10
    assert silent_days == 20


def test_a_customer_who_returns_closes_the_alert_that_silence_opened(world):
    world.purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    world.purchase("ada", day=61)
    assert world.alerts("ada") == ["churn-alert.opened", "churn-alert.closed"]
    opened, closed = world.messages(CHURN_ALERTS)
    assert closed["opened_message_id"] == opened["message_id"]
    assert closed["cause"] == "purchase"


def test_a_deadline_between_two_events_of_one_chunk_fires_between_them(world):
    world.purchase("ada", day=0).purchase("ada", day=10)
    late = purchase("ada", 61, event_id="return")
    world.send(purchase("bob", 20, event_id="other"), late)
    assert world.alerts("ada") == ["churn-alert.opened", "churn-alert.closed"]


def test_one_silence_is_alerted_once(world):
    world.purchase("ada", day=0).purchase("ada", day=10)
    for day in range(11, 170, 7):
        world.silence_until(day=day)
    assert world.alerts("ada") == ["churn-alert.opened"]


def test_a_customer_of_one_purchase_day_is_never_alerted(world):
    world.purchase("ada", day=0).purchase("ada", day=0.2).silence_until(day=170)
    assert world.alerts("ada") == []


def test_a_late_purchase_of_before_the_silence_does_not_close_its_alert(world):
    world.purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    late = purchase("ada", 5, event_id="late")
    world.apply([world.record("events.purchases", msgspec.json.encode(late))], [BEGIN_MS + 60 * DAY_MS])
    assert world.alerts("ada") == ["churn-alert.opened"]


def test_without_a_model_nothing_is_alerted_and_the_probability_is_unknown():
    world = World(models=Models())
    world.purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    view = world.view("ada")
    assert world.alerts("ada") == []
    assert (view.scores["churn_30d"].probability, view.scores["churn_30d"].model) == (None, "none")
    assert (view.value_at_risk, view.segment) == (None, "Unsegmented")


def test_a_falling_probability_closes_an_alert_when_the_model_changes(world):
    world.purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    milder = PINNED.outcomes["churn_30d"]
    kinder = {"since_last_purchase": msgspec.structs.replace(milder.candidates["since_last_purchase"], bias=-9.0)}
    world.models = Models(
        {"churn_30d": msgspec.structs.replace(milder, version="v2", candidates=kinder)}, PINNED.segments
    )
    world.silence_until(day=68)
    assert world.messages(CHURN_ALERTS)[-1]["cause"] == "probability"


def test_the_alert_tells_value_reason_and_model(world):
    world.purchase("ada", day=0, price="100.00").purchase("ada", day=10, price="100.00").silence_until(day=60)
    (alert,) = world.messages(CHURN_ALERTS)
    assert alert["currency"] == "GBP"
    assert 200 < float(alert["value_at_risk"]) < 400
    assert any(reason.startswith("no purchase for 20 days, usual gap 10") for reason in alert["reasons"])
    assert (alert["model"], alert["model_version"]) == ("since_last_purchase", "v1")


def test_the_first_segment_is_no_change_and_the_next_one_is(world):
    world.purchase("ada", day=0).silence_until(day=60)
    assert world.segment_changes("ada")[0][0] == "New Customers"
    assert world.view("ada").segment == "At Risk"


def test_deadlines_are_never_more_than_seven_days_away(world):
    world.purchase("ada", day=0).silence_until(day=100)
    assert world.stored.deadlines["ada"] <= BEGIN_MS + 107 * DAY_MS


def test_a_crowd_of_deadlines_is_drained_in_bounded_commits_with_the_same_result():
    whole, drained = World(), World(due_at_once=3)
    for world in (whole, drained):
        for number in range(10):
            world.purchase(f"c{number}", day=0.01 * number).purchase(f"c{number}", day=10 + 0.01 * number)
        world.silence_until(day=40)
    assert drained.outbox.messages == whole.outbox.messages
    assert drained.stored.states == whole.stored.states
    assert len(drained.stored.journal) > len(whole.stored.journal)
