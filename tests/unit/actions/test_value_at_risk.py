"""The index of customers by value at risk follows the value, step by step, within a twentieth."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.actions.value_at_risk import on_scale
from stream.chunk import Models, Rules
from stream.ports import RISK_INDEX_WITHIN
from stream.scoring.linear import LinearModel
from tests.world import World, purchase, silence_document

FLAT = LinearModel((), (), (), (), 0.0)


def sure(probability_logit: float) -> Models:
    """A model that says the same of everybody."""
    model = LinearModel((), (), (), (), probability_logit)
    return Models(
        {"churn_30d": msgspec.structs.replace(silence_document(), candidates={"flat": model}, serving="flat")}
    )


def test_it_is_probability_times_the_decayed_net_spend_of_a_year():
    world = World(models=sure(0.0)).purchase("ada", day=0, price="100.00")
    assert world.view("ada").value_at_risk == "100.00"
    assert world.stored.risks["ada"] == pytest.approx(100.0, rel=RISK_INDEX_WITHIN)
    assert world.refund("ada", day=0.001, price="50.00").view("ada").value_at_risk == "50.00"
    assert world.stored.risks["ada"] == pytest.approx(50.0, rel=RISK_INDEX_WITHIN)


@given(st.floats(0.5, 1e12), st.floats(1.0, 3.0))
def test_the_index_is_never_far_from_a_value_and_follows_one_that_has_moved_by_a_tenth(value, times):
    assert on_scale(value) == pytest.approx(value, rel=RISK_INDEX_WITHIN * 1.000001)
    moved = times > (1.0 + RISK_INDEX_WITHIN) ** 2
    assert on_scale(value * times) >= on_scale(value)
    assert on_scale(value * times) > on_scale(value) or not moved


def test_it_is_not_written_again_while_it_stays_on_its_step():
    world = World(models=sure(0.0)).purchase("ada", day=0, price="50.00", quantity=1)
    before = world.stored.risks.copy()
    world.stored.risks.clear()
    world.purchase("ada", day=0.001, price="0.20", quantity=1)
    assert (world.view("ada").value_at_risk, world.stored.risks) == ("25.10", {})
    world.purchase("ada", day=0.002, price="5.20", quantity=1)
    assert world.stored.risks["ada"] > before["ada"]


@pytest.mark.parametrize("purchases_a_chunk", [1, 4])
def test_where_it_stands_does_not_hang_on_what_is_decided_together(purchases_a_chunk):
    world = World(models=sure(0.0))
    events = [purchase("ada", 0.001 * at, event_id=f"e{at}", price="2.00") for at in range(8)]
    for begin in range(0, len(events), purchases_a_chunk):
        world.send(*events[begin : begin + purchases_a_chunk])
    assert world.stored.risks["ada"] == pytest.approx(on_scale(8 * 200.0) / 100, rel=1e-6)
    assert world.stored.totals["value_at_risk_minor"] == round(on_scale(8 * 200.0))


def test_who_has_nothing_at_risk_leaves_the_index():
    world = World(models=sure(0.0)).purchase("ada", day=0)
    assert "ada" in world.stored.risks
    world.refund("ada", day=0.001)
    assert world.stored.risks == {}


def test_of_whom_the_outcome_is_not_asked_nothing_is_known():
    model = msgspec.structs.replace(silence_document("lapsed"), candidates={"flat": FLAT}, serving="flat")
    world = World(models=Models({"lapsed": model, **sure(0.0).outcomes}), rules=Rules()).purchase("ada", day=0)
    view = world.view("ada")
    assert (view.scores["lapsed"].probability, view.scores["churn_30d"].probability) == (None, 0.5)
    assert (view.value_at_risk, world.stored.risks) == (None, {})
    view = world.purchase("ada", day=3).view("ada")
    assert view.scores["lapsed"].probability == 0.5
    assert view.value_at_risk is not None


def test_without_a_probability_there_is_no_value_at_risk():
    world = World(models=Models()).purchase("ada", day=0)
    assert world.stored.risks == {}
    assert world.view("ada").value_at_risk is None
