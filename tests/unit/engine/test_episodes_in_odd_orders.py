"""Late, early, hurried and half-known customers: what holds when events come otherwise than they happened."""

from dataclasses import replace

import msgspec
import pytest

from schemas.topics import CHURN_ALERTS, ENGAGEMENT, PROFILES
from schemas.units import DAY_MS
from stream.chunk import Models, Rules
from tests.world import BEGIN_MS, PINNED, TWO_OUTCOMES, World, engagement, purchase

SECOND = 1 / 86_400


def decided_ms(world: World, customer: str = "ada") -> int:
    return int(world.view(customer).as_of_ms)


def test_a_second_event_within_a_second_is_decided_when_the_second_is_over():
    world = World().purchase("ada", day=0).purchase("ada", day=0.4 * SECOND)
    assert (decided_ms(world), world.view("ada").features["purchases"]) == (BEGIN_MS, 1)
    assert world.state("ada")["features"]["purchases"] == 2
    world.silence_until(day=0.9 * SECOND)
    assert world.view("ada").features["purchases"] == 1
    world.silence_until(day=SECOND)
    assert (decided_ms(world), world.view("ada").features["purchases"]) == (BEGIN_MS + 1_000, 2)


def test_a_postponed_purchase_closes_the_alert_when_it_is_decided():
    world = World().purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    world.page_view("ada", day=60.5).purchase("ada", day=60.5 + 0.3 * SECOND)
    assert world.alerts("ada") == ["churn-alert.opened"]
    world.silence_until(day=60.6)
    closed = world.messages(CHURN_ALERTS)[-1]
    assert (closed["cause"], closed["closed_ms"]) == ("purchase", BEGIN_MS + round(60.5 * DAY_MS) + 1_000)


def test_postponing_does_not_put_off_an_earlier_deadline():
    world = World(rules=replace(TWO_OUTCOMES, decide_every_ms=DAY_MS)).purchase("ada", day=0).purchase("ada", day=10)
    deadline_ms = int(world.state("ada")["decision"]["decide_at_ms"])
    world.page_view("ada", day=10.1)
    assert BEGIN_MS + 10.1 * DAY_MS < deadline_ms < BEGIN_MS + 11 * DAY_MS
    assert int(world.state("ada")["decision"]["decide_at_ms"]) == deadline_ms


def test_the_entry_of_a_deadline_that_moves_on_is_written_once_a_day():
    world = World(models=Models()).page_view("ada", day=0.3).page_view("ada", day=3.4)
    assert int(world.state("ada")["decision"]["decide_at_ms"]) == BEGIN_MS + round(10.4 * DAY_MS)
    assert world.stored.deadlines.pop("ada") == BEGIN_MS + round(10.3 * DAY_MS)  # as long after midnight as the first
    assert world.page_view("ada", day=4.2).stored.deadlines == {}
    assert world.page_view("ada", day=4.31).stored.deadlines["ada"] == BEGIN_MS + round(11.3 * DAY_MS)


def test_a_deadline_that_fires_early_looks_again_and_is_set_again():
    world = World(models=Models()).page_view("ada", day=0.3).page_view("ada", day=3.4)
    assert decided_ms(world.silence_until(day=10.35)) == BEGIN_MS + round(3.4 * DAY_MS)
    assert world.stored.deadlines["ada"] == BEGIN_MS + round(10.4 * DAY_MS)
    assert decided_ms(world.silence_until(day=10.4)) == BEGIN_MS + round(10.4 * DAY_MS)


def test_a_decision_at_a_deadline_is_never_before_the_last_event():
    ahead = purchase("ada", 10.8, event_id="ahead")
    world = World(rules=replace(TWO_OUTCOMES, decide_every_ms=DAY_MS)).purchase("ada", day=0).purchase("ada", day=10)
    world.late(ahead, at_day=10.1)
    deadline_ms = int(world.state("ada")["decision"]["decide_at_ms"])
    assert deadline_ms < ahead["event_time_ms"]
    world.silence_until(day=10.5)
    assert int(world.state("ada")["decision"]["last_decision_ms"]) == decided_ms(world) == ahead["event_time_ms"]


def test_an_event_ahead_of_stream_time_is_decided_at_its_own_time():
    world = World().purchase("ada", day=0).late(purchase("ada", 0.9, event_id="ahead"), at_day=0.1)
    assert decided_ms(world) == BEGIN_MS + round(0.9 * DAY_MS)
    assert world.view("ada").features["since_last_purchase_days"] == 0.0


def test_a_purchase_closes_an_alert_though_an_event_of_another_clock_lies_hours_ahead():
    world = World().purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    world.late(purchase("ada", 60.9, event_id="ahead") | {"type": "refund"}, at_day=60)
    world.late(purchase("ada", 60.1, event_id="now"), at_day=60.1)
    world.silence_until(day=60.1 + 0.9 * SECOND)
    assert (world.alerts("ada"), world.view("ada").features["purchases"]) == (["churn-alert.opened"], 2)
    world.silence_until(day=60.1 + SECOND)
    assert world.alerts("ada") == ["churn-alert.opened", "churn-alert.closed"]
    assert (decided_ms(world), world.view("ada").features["purchases"]) == (BEGIN_MS + round(60.9 * DAY_MS), 3)


def test_a_late_purchase_within_the_silence_closes_its_alert_and_begins_another_silence():
    world = World().purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    world.late(purchase("ada", 20, event_id="late"), at_day=60).silence_until(day=61)
    opened, closed, again = world.messages(CHURN_ALERTS)
    assert (closed["cause"], closed["closed_ms"]) == ("purchase", BEGIN_MS + 60 * DAY_MS)
    assert (opened["episode_ms"], again["episode_ms"]) == (BEGIN_MS + 10 * DAY_MS, BEGIN_MS + 20 * DAY_MS)
    assert 0 < again["opened_ms"] - closed["closed_ms"] < 200_000  # asked again within the grid of the search


def test_a_silence_closed_by_probability_is_not_alerted_again():
    world = World().purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    calm = silence_model(bias=-9.0)
    world.models = calm
    world.silence_until(day=70)
    world.models = PINNED
    world.silence_until(day=100)
    assert world.alerts("ada") == ["churn-alert.opened", "churn-alert.closed"]
    assert not world.view("ada").alert.open
    assert world.purchase("ada", day=101).alerts("ada") == ["churn-alert.opened", "churn-alert.closed"]


def silence_model(bias: float) -> Models:
    document = PINNED.outcomes["churn_30d"]
    model = msgspec.structs.replace(document.candidates["since_last_purchase"], bias=bias)
    return Models({"churn_30d": msgspec.structs.replace(document, candidates={"since_last_purchase": model})})


def test_an_open_alert_outlives_a_model_that_is_gone_until_the_customer_buys():
    world = World().purchase("ada", day=0).purchase("ada", day=10).silence_until(day=60)
    world.models = Models()
    world.silence_until(day=90)
    assert world.view("ada").alert.open
    world.purchase("ada", day=91)
    assert world.messages(CHURN_ALERTS)[-1]["probability"] is None
    assert not world.view("ada").alert.open


@pytest.mark.parametrize("models", [PINNED, Models()], ids=["models", "no models"])
def test_a_customer_of_refunds_alone_is_known_and_never_alerted(models):
    world = World(models=models).refund("ada", day=0).refund("ada", day=10).silence_until(day=200)
    view = world.view("ada")
    assert (view.segment, view.features["refunds"], view.features["net_spend_365d"]) == ("Unsegmented", 2, "0.00")
    assert (view.scores["churn_30d"].probability, view.value_at_risk, view.reasons[:1]) == (
        None,
        None,
        ["no purchase yet"] if models is PINNED else [],
    )
    assert (world.alerts("ada"), world.labels("ada"), world.stored.risks) == ([], [], {})


def test_a_customer_of_a_profile_alone_is_known():
    world = World()
    profile = engagement("profile", "ada", 0, event_id="p1", age=40)
    world.send(profile, topic=PROFILES).silence_until(day=30)
    assert (world.total("customers"), world.view("ada").features["purchases"]) == (1, 0)


def test_guests_of_the_same_day_leave_no_trace_in_customers():
    world = World().purchase("ada", day=0)
    before = world.stored.states["ada"]
    world.purchase(None, day=0.5)
    world.send(engagement("page_view", None, 0.6, event_id="guest"), topic=ENGAGEMENT)
    assert (list(world.stored.states), world.stored.states["ada"]) == (["ada"], before)
    assert world.total("guest_events") == 2


def test_a_customer_is_counted_once():
    world = World().page_view("ada", day=1).purchase("ada", day=0.5).purchase("ada", day=2)
    assert world.total("customers") == 1


def test_rules_whose_deadlines_would_not_lie_ahead_are_refused():
    with pytest.raises(ValueError, match="stale_after_ms=1000 must be at least 524288"):
        Rules(stale_after_ms=1_000)
