import pytest

from stream.learning.champion import Standing, serving
from stream.scoring.documents import Judged

PROGRESSIVE = {"base_rate": 0.6, "since_last_purchase": 0.5, "count_90d": 0.4}
FLOORS = {"base_rate": 0.6, "since_last_purchase": 0.2, "count_90d": 0.4}


def standing(loss, rows=500, champion="mean_logit", chosen=False, pinned=False):
    return Standing(champion, chosen, pinned, Judged(rows=rows, log_loss=loss, auc=0.7), FLOORS)


def test_few_judged_labels_do_not_decide():
    assert serving(1_000, 400, PROGRESSIVE, standing(0.05, rows=199)) == "count_90d"


def test_until_then_the_champion_serves_where_regressions_predicted_best():
    few = standing(0.9, rows=199, champion="mean_logit_hazard")
    ahead, behind = PROGRESSIVE | {"mean_logit": 0.39}, PROGRESSIVE | {"mean_logit": 0.41}
    assert serving(1_000, 400, ahead, few) == "mean_logit_hazard"
    assert serving(1_000, 400, behind, few) == "count_90d"


def test_with_enough_judged_labels_only_stored_scores_count():
    assert serving(1_000, 400, PROGRESSIVE, standing(0.25, rows=200)) == "since_last_purchase"


def test_a_model_that_becomes_worse_gives_way_again():
    assert serving(1_000, 400, PROGRESSIVE, standing(0.19)) == "mean_logit"
    assert serving(2_000, 800, PROGRESSIVE, standing(0.21)) == "since_last_purchase"


def test_whom_the_rule_or_a_person_has_made_champion_need_not_wait_but_for_a_floor():
    chosen = standing(0.25, rows=20, champion="newton_logistic", chosen=True)
    assert serving(1_000, 400, PROGRESSIVE, chosen) == "newton_logistic"
    assert serving(1_000, 400, PROGRESSIVE, standing(0.25, champion="newton_logistic", chosen=True)) == (
        "since_last_purchase"
    )


@pytest.mark.parametrize("champion", ["mean_logit", "base_rate"])
def test_who_is_pinned_serves_whatever_the_floors_do_but_not_before_there_is_a_model(champion):
    pinned = standing(0.9, champion=champion, pinned=True)
    assert serving(1_000, 400, PROGRESSIVE, pinned) == champion
    assert serving(199, 100, PROGRESSIVE, pinned) is None


def test_a_floor_that_is_champion_serves():
    assert serving(1_000, 400, PROGRESSIVE, standing(0.6, champion="base_rate", chosen=True)) == "base_rate"


def test_among_equals_the_simplest_floor_serves():
    new = Standing("mean_logit", False, False, None, {})
    assert serving(1_000, 400, dict.fromkeys(PROGRESSIVE, 0.5), new) == "base_rate"
