"""The numbers of a view say no more digits than mean something."""

import json

from stream.views import View
from tests.world import World


def test_numbers_of_a_view_are_rounded():
    world = World().purchase("ada", day=0).purchase("ada", day=1 / 3).purchase("ada", day=10).silence_until(day=61)
    view = world.view("ada")
    probability = view.scores["churn_30d"].probability
    assert probability is not None
    assert 0 < probability == round(probability, 6)
    assert view.features["decayed_count_90d"] == round(view.features["decayed_count_90d"], 4) > 0
    assert view.features["mean_gap_days"] == 10.0
    assert (view.features["spend"], view.features["refunded"]) == ("75.00", "0.00")


def test_what_is_not_known_is_null():
    view = World().page_view("cy", day=0).view("cy")
    assert (view.features["since_last_purchase_days"], view.features["mean_gap_days"]) == (None, None)
    assert (view.scores["churn_30d"].probability, view.value_at_risk) == (None, None)


def test_a_view_has_the_fields_that_are_documented_in_their_order():
    world = World().page_view("cy", day=0)
    assert tuple(json.loads(world.stored.views["cy"])) == View.__struct_fields__
