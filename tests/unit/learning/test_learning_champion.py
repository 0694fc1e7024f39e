from stream.learning.champion import serving
from stream.scoring.documents import Judged

PROGRESSIVE = {"base_rate": 0.6, "since_last_purchase": 0.5, "count_90d": 0.4}


def judged(rows=500, **losses):
    return {name: Judged(rows=rows, log_loss=loss, auc=0.7) for name, loss in losses.items()}


def test_few_judged_labels_do_not_decide():
    few = judged(rows=199, base_rate=0.1, since_last_purchase=0.2, count_90d=0.3, mean_logit=0.05)
    assert serving(1_000, 400, PROGRESSIVE, few) == "count_90d"


def test_until_then_the_champion_serves_where_regressions_predicted_best():
    few = judged(rows=199, base_rate=0.1, since_last_purchase=0.2, count_90d=0.3, mean_logit_hazard=0.9)
    ahead, behind = PROGRESSIVE | {"mean_logit": 0.39}, PROGRESSIVE | {"mean_logit": 0.41}
    assert serving(1_000, 400, ahead, few, "mean_logit_hazard") == "mean_logit_hazard"
    assert serving(1_000, 400, behind, few, "mean_logit_hazard") == "count_90d"


def test_with_enough_judged_labels_only_stored_scores_count():
    enough = judged(rows=200, base_rate=0.3, since_last_purchase=0.2, count_90d=0.4, mean_logit=0.25)
    assert serving(1_000, 400, PROGRESSIVE, enough) == "since_last_purchase"


def test_a_model_that_becomes_worse_gives_way_again():
    better = judged(base_rate=0.6, since_last_purchase=0.5, count_90d=0.4, mean_logit=0.39)
    worse = judged(base_rate=0.6, since_last_purchase=0.5, count_90d=0.4, mean_logit=0.41)
    assert serving(1_000, 400, PROGRESSIVE, better) == "mean_logit"
    assert serving(2_000, 800, PROGRESSIVE, worse) == "count_90d"


def test_among_equals_the_simplest_floor_serves():
    assert serving(1_000, 400, dict.fromkeys(PROGRESSIVE, 0.5), {}) == "base_rate"
