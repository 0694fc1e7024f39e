import msgspec
import numpy as np
import pytest

from schemas.units import DAY_MS
from stream.errors import LayoutError
from stream.features.columns import MODEL_COLUMNS
from stream.features.missed import MISSED_COLUMNS
from stream.learning.label_rows import LabelRows
from stream.learning.linear import exported_newton, fresh, learn_rows, state_of
from stream.learning.outcome import COUNT_90D_COLUMN, SILENCE_COLUMN, OutcomeLearner, OutcomeState
from stream.outcomes.declaration import CHURN_30D, CHURN_90D
from stream.scoring.documents import CALIBRATED, CANDIDATES, ROLLED
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit, probability
from tests.unit.learning.contests import BETTER, HORIZON_DAYS, WORSE, labels_of, told, until_closed
from tests.unit.learning.label_history import labels

DAY = 14_700


def taught(history):
    learner = OutcomeLearner("churn_30d")
    learner.learn(history)
    return learner


def matrix_of(history):
    return np.asfortranarray([label.columns for label in history])


def test_there_is_no_model_before_200_labels_with_both_classes():
    history = labels(200)
    before = taught(history[:199]).document("1", DAY)
    assert (before.serving, before.candidates, before.labels) == (None, {}, 199)
    after = taught(history).document("1", DAY)
    assert after.serving is not None
    assert set(after.candidates) == {*CANDIDATES, CALIBRATED}


def test_labels_of_one_class_are_not_enough():
    one_class = [msgspec.structs.replace(label, value=1.0) for label in labels(300)]
    assert taught(one_class).document("1", DAY).serving is None


def test_until_labels_carry_scores_what_predicted_each_label_best_before_learning_it_serves():
    document = taught(labels(1_000)).document("1", DAY)
    assert (document.serving, document.metrics) == ("mean_logit", {})
    random = np.random.default_rng(8)
    by_chance = [msgspec.structs.replace(label, value=float(random.random() < 0.3)) for label in labels(300)]
    assert taught(by_chance).document("1", DAY).serving == "base_rate"


def test_an_outcome_that_is_rolled_forward_has_a_hazard_and_its_mean_with_the_regressions():
    learner = OutcomeLearner("churn_90d", rolled=CHURN_90D)
    learner.learn(labels(300, outcome="churn_90d"))
    without = learner.document("1", DAY)
    assert (set(without.candidates), without.serving) == ({*CANDIDATES, CALIBRATED}, "mean_logit")
    weekly = taught(labels(300, seed=9)).newton
    document = learner.document("1", DAY, weekly)
    assert set(document.candidates) == {*ROLLED, *CANDIDATES, CALIBRATED}
    assert document.serving == "mean_logit_hazard"
    assert document.candidates["hazard"] == HazardModel(weekly, 90, "none")
    assert document.candidates["mean_logit_hazard"] == MeanLogit(
        document.candidates["mean_logit"], document.candidates["hazard"]
    )


def test_a_learner_that_has_no_hazard_any_more_goes_on_without_the_one_that_was_ahead():
    before = OutcomeLearner("churn_30d", horizon_days=HORIZON_DAYS, rolled=CHURN_30D)
    before.decide(told("pin", "mean_logit"))
    said = dict.fromkeys(ROLLED, WORSE) | {"hazard": BETTER}
    before.learn(list(labels_of(until_closed(9), said)))
    after = OutcomeLearner("churn_30d", horizon_days=HORIZON_DAYS).restored(before.to_bytes())
    after.decide(told("unpin"))
    after.learn(list(labels_of(until_closed(1), seed=1, first_day=until_closed(9))))
    document = after.document("2", DAY)
    assert document.lineage.champion.candidate == "mean_logit"
    assert document.metrics.keys() == document.candidates.keys() == {*CANDIDATES, CALIBRATED}


@pytest.mark.parametrize(("horizon_days", "of_newton"), [(7, 0.75), (28, 0.75), (30, 0.5)])
def test_newtons_regression_counts_more_where_windows_do_not_overlap(horizon_days, of_newton):
    learner = OutcomeLearner("purchase", horizon_days=horizon_days)
    learner.learn(labels(300, outcome="purchase"))
    candidates = learner.document("1", DAY).candidates
    river, newton, mix = (candidates[name] for name in ("river_logistic", "newton_logistic", "mean_logit"))
    assert mix.bias == pytest.approx((1 - of_newton) * river.bias + of_newton * newton.bias)
    beside = np.pad(river.weights, (0, len(MISSED_COLUMNS)))  # which gradient descent does not read
    expected = (1 - of_newton) * beside + of_newton * np.array(newton.weights)
    assert mix.weights == pytest.approx(expected)
    assert river.weights != newton.weights


def test_the_model_serves_once_its_stored_scores_have_the_lower_log_loss():
    good = dict.fromkeys(CANDIDATES, 0.5) | {"mean_logit": 0.7}
    history = [
        msgspec.structs.replace(label, scores=good if label.value else {**good, "mean_logit": 0.3})
        for label in labels(400)
    ]
    assert taught(history).document("1", DAY).serving == "mean_logit"


def test_a_floor_serves_while_the_models_stored_scores_are_worse():
    scores = dict.fromkeys(CANDIDATES, 0.999) | {"base_rate": 0.5, "since_last_purchase": 0.9, "count_90d": 0.1}
    assert taught(labels(400, scores=scores)).document("1", DAY).serving == "base_rate"


def test_metrics_count_exactly_the_labels_that_the_model_had_scored():
    scores = dict.fromkeys(CANDIDATES, 0.5) | {"river_logistic": 0.8}
    history = labels(300, seed=1) + labels(40, seed=2, scores=scores)
    metrics = taught(history).document("1", DAY).metrics
    ones = sum(label.value for label in history[300:])
    assert {name: judged.rows for name, judged in metrics.items()} == dict.fromkeys(CANDIDATES, 40)
    assert metrics["river_logistic"].log_loss == pytest.approx(-(ones * np.log(0.8) + (40 - ones) * np.log(0.2)) / 40)
    assert metrics["base_rate"].log_loss == pytest.approx(np.log(2))
    assert metrics["base_rate"].auc == 0.5


def test_a_label_is_learned_once_however_often_the_log_repeats_it():
    history = labels(250)
    learner = taught(history)
    before = learner.to_bytes()
    assert learner.learn(history[100:200]) == 0
    assert learner.to_bytes() == before


def test_labels_of_other_outcomes_and_layouts_are_passed_over():
    learner = OutcomeLearner("churn_30d")
    assert learner.learn(labels(5, outcome="purchase_7d") + labels(5, layout="older")) == 0
    assert learner.document("1", DAY).labels == 0


def test_the_models_beat_the_base_rate_where_there_is_something_to_learn():
    document = taught(labels(4_000, seed=3)).document("1", DAY)
    fresh = labels(2_000, seed=4)
    happened = np.array([label.value for label in fresh])

    def log_loss(name):
        p = probability(document.candidates[name], matrix_of(fresh))
        return -np.mean(np.where(happened > 0, np.log(p), np.log(1 - p)))

    for model in ("river_logistic", "newton_logistic", "mean_logit"):
        assert log_loss(model) < log_loss("since_last_purchase") - 0.02
    assert log_loss("since_last_purchase") < log_loss("base_rate") - 0.02
    assert log_loss("count_90d") < log_loss("base_rate") - 0.02


def test_floors_read_their_one_column_and_the_base_rate_none():
    candidates = taught(labels(300)).document("1", DAY).candidates
    assert candidates["base_rate"].columns == ()
    assert candidates["since_last_purchase"].columns == (SILENCE_COLUMN,)
    assert candidates["count_90d"].columns == (COUNT_90D_COLUMN,)
    assert candidates["river_logistic"].columns == MODEL_COLUMNS


def test_a_restored_learner_continues_bit_for_bit_wherever_it_was_saved():
    history = labels(600, seed=5, scores=dict.fromkeys(CANDIDATES, 0.4))
    whole = taught(history)
    for cut in (0, 1, 2, 37, 311, 599):
        first = taught(history[:cut])
        second = OutcomeLearner("churn_30d").restored(first.to_bytes())
        second.learn(history[cut:])
        assert second.to_bytes() == whole.to_bytes(), cut
        assert second.document("1", DAY) == whole.document("1", DAY), cut


def test_state_is_plain_data_that_msgpack_reads_without_our_types():
    plain = msgspec.msgpack.decode(taught(labels(10)).to_bytes())
    assert plain["labels"] == plain["regressions"]["rows"] == 10
    assert {type(value) for value in plain["regressions"].values()} == {int, bytes}


def test_state_of_another_layout_is_refused_with_what_to_do():
    packed = taught(labels(10)).to_bytes()
    with pytest.raises(LayoutError, match=r"churn_30d has learned layout .* Delete it"):
        OutcomeLearner("churn_30d", layout="newer").restored(packed)


def test_bytes_that_are_no_state_are_refused():
    with pytest.raises(LayoutError, match="no OutcomeState"):
        OutcomeLearner("churn_30d").restored(b"\x93abc")


def test_a_learner_saved_before_anything_was_made_of_columns_is_taken_up():
    first, later = labels(400), labels(100, seed=1)
    rows, places = LabelRows.of(first), np.arange(len(MODEL_COLUMNS))
    floors = [places == MODEL_COLUMNS.index(name) for name in (SILENCE_COLUMN, COUNT_90D_COLUMN)]
    fewer = fresh(np.stack([places >= 0, *floors]))
    learn_rows(fewer, rows.columns, rows.happened, rows.matured_ms // DAY_MS, np.empty((400, 4)))
    now = OutcomeLearner("churn_30d")
    now.learn(first)
    state = msgspec.msgpack.decode(now.to_bytes(), type=OutcomeState)
    regressions = msgspec.structs.replace(state_of(fewer), counts=b"")
    saved = msgspec.msgpack.encode(msgspec.structs.replace(state, regressions=regressions))
    taken_up = OutcomeLearner("churn_30d").restored(saved)
    said = probability(exported_newton(fewer, MODEL_COLUMNS), rows.columns)
    assert probability(taken_up.newton, rows.columns).tobytes() == said.tobytes()
    assert taken_up.learn(later) == 100
    newton, river = (taken_up.document("2", DAY).candidates[name] for name in ("newton_logistic", "river_logistic"))
    assert dict(zip(newton.columns, newton.weights, strict=True))["log_missed_browsing"] != 0.0
    assert river.columns == MODEL_COLUMNS
