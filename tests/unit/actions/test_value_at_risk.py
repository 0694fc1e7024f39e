"""The index of customers by value at risk moves when the value has, by a twentieth."""

import msgspec
import pytest

from stream.chunk import Models, Rules
from stream.scoring.linear import LinearModel
from tests.world import World, silence_document

FLAT = LinearModel((), (), (), (), 0.0)


def sure(probability_logit: float) -> Models:
    """A model that says the same of everybody."""
    model = LinearModel((), (), (), (), probability_logit)
    return Models(
        {"churn_30d": msgspec.structs.replace(silence_document(), candidates={"flat": model}, serving="flat")}
    )


def test_it_is_probability_times_the_decayed_net_spend_of_a_year():
    world = World(models=sure(0.0)).purchase("ada", day=0, price="100.00")
    assert world.stored.risks["ada"] == pytest.approx(100.0, rel=1e-6)
    assert world.view("ada").value_at_risk == "100.00"
    assert world.refund("ada", day=0.001, price="50.00").stored.risks["ada"] == pytest.approx(50.0, rel=1e-4)


@pytest.mark.parametrize(("more", "moves"), [("4.90", False), ("5.10", True)])
def test_it_is_written_again_when_it_has_moved_by_a_twentieth(more, moves):
    world = World(models=sure(0.0)).purchase("ada", day=0, price="50.00", quantity=1)
    before = world.stored.risks["ada"]
    world.purchase("ada", day=0.001, price=f"{float(more) / 2:.2f}", quantity=1)
    assert (world.stored.risks["ada"] != before) == moves
    assert float(world.view("ada").value_at_risk) == pytest.approx(25 + float(more) / 4, abs=0.006)  # the view is exact


def test_small_moves_add_up_to_one_that_is_written():
    world = World(models=sure(0.0)).purchase("ada", day=0, price="50.00", quantity=1)
    before = world.stored.risks["ada"]
    for step in (1, 2, 3):
        world.purchase("ada", day=0.001 * step, price="1.00", quantity=1)
    assert world.stored.risks["ada"] > before * 1.05


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
