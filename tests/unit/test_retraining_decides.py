"""What a scheduled retraining decides: who makes room, which model may be published, what is good enough."""

from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ebb.models.publishing import refuse_full
from ebb.models.reading import Known, KnownSegments, ModelError
from ebb.models.retraining import (
    Retrained,
    RetrainingRunsError,
    alone,
    chosen_model,
    making_room,
    name_of,
    run_before,
)
from offline.backtest.figures import Figures
from offline.segments.checks import checks_of as checks_of_segments
from offline.segments.find import Cluster, Segments
from offline.training.chances import Bounds, Chances, Decided
from offline.training.checks import Check, checks_of
from offline.training.influence import Influence
from offline.training.metrics import Judged, Metrics, Side
from offline.training.search import Found
from stream.learning.contest import Contest
from stream.learning.label_rows import LabelRows
from stream.learning.segment_contest import SegmentContest
from stream.outcomes.declaration import CHURN_30D
from stream.scoring.linear import LinearModel
from stream.scoring.trained import TrainedLinear, TrainedTrees
from tests.property.grown_trees import grown
from tests.unit.learning.contests import BETTER, labels_of, published, told, until_closed

FIGURES = {"auc": 0.7, "pr_auc": 0.5, "log_loss": 0.5, "brier": 0.2, "ece": 0.02}
NAMES = ["monthly_2026_01_01", "monthly_2026_02_01", "monthly_2026_03_01"]


def judged(loss=0.5, auc_low=0.6, **figures):
    judgement = Chances(
        figures=Figures(**(FIGURES | figures)),
        decided=Decided(threshold=0.5, accuracy=1, precision=1, recall=1, f1=1),
        intervals={"auc": Bounds(low=auc_low, high=0.9)},
        reliability=[],
        gain=[],
    )
    return Judged(
        title="",
        search=Found(settings={}, loss=loss, tries=[]),
        judgement=judgement,
        importance=Influence(by_column={}, by_concept={}),
        curves=[],
        coefficients=[],
        shares={},
    )


def metrics(models, chosen):
    side = Side(rows=1, customers=1, mean=0.5, first="", last="")
    return Metrics(
        outcome="churn_30d",
        currency="GBP",
        in_words="",
        is_amount=False,
        split="",
        gap_days=(31, 31),
        learned=side,
        judged=side,
        blocks=[],
        chosen=chosen,
        models=models,
        floors={
            "base_rate": Figures(**(FIGURES | {"log_loss": 0.6})),
            "count_90d": Figures(**(FIGURES | {"log_loss": 0.51})),
        },
        constant_columns=[],
        notes=[],
    )


@pytest.mark.parametrize(
    ("figures", "failed"),
    [
        ({}, []),
        ({"log_loss": 0.51}, ["better_than_the_floors"]),
        ({"ece": 0.051}, ["calibrated"]),
        ({"auc_low": 0.5}, ["tells_customers_apart"]),
    ],
)
def test_a_model_has_to_beat_the_rules_to_order_customers_and_to_be_calibrated(figures, failed):
    checks = checks_of(metrics({"boosting": judged(**figures)}, "boosting"), "boosting")
    assert [check.name for check in checks if not check.passed] == failed
    assert Retrained(model="boosting", checks=checks).passed == (not failed)


def test_centres_have_to_be_stable_and_to_tell_names_apart():
    def found(stability, names):
        clusters = [
            Cluster(name=n, customers=1, silence_days=1, purchase_days=1, spend=1, tenure_days=1) for n in names
        ]
        return Segments(
            day="", currency="GBP", customers=3, clusters=clusters, sizes={}, measures=[], votes=None, ward_agreement=1,
            ward_heights=[], ward_customers=1, stability=stability,
        )  # fmt: skip

    three = ["Champions", "At Risk", "New Customers"]
    assert all(check.passed for check in checks_of_segments(found(0.5, three)))
    assert [check.passed for check in checks_of_segments(found(0.49, [*three[:2], "At Risk"]))] == [False, False]


KNOWN = {"name": "churn_30d", "version": "v", "layout": "", "trained_until_ms": 0, "rows": 9, "data_hash": ""}
DOCUMENTS = {
    "logistic": TrainedLinear(**KNOWN, model=LinearModel((), (), (), (), bias=0.5)),
    "boosting": TrainedTrees(**KNOWN, model=grown(np.random.default_rng(1), trees=200)),
    "forest": TrainedTrees(**KNOWN, model=grown(np.random.default_rng(1), trees=1_000, leaves=14)),
}


def test_the_best_model_in_cross_validation_is_chosen_of_those_workers_may_score_with():
    models = {"logistic": judged(0.5), "boosting": judged(0.49), "forest": judged(0.48)}
    assert chosen_model(metrics(models, "forest"), DOCUMENTS, budget_us=10.0) == "boosting"
    assert chosen_model(metrics(models, "forest"), DOCUMENTS, budget_us=2.0) == "logistic"
    alone = {"forest": DOCUMENTS["forest"]}
    with pytest.raises(ModelError, match="forest has 27,000 nodes, 25,600 are allowed"):
        chosen_model(metrics({"forest": judged()}, "forest"), alone, budget_us=1e6)
    with pytest.raises(ModelError, match="A score by boosting takes about"):
        chosen_model(metrics({"boosting": judged()}, "boosting"), {"boosting": DOCUMENTS["boosting"]}, budget_us=2.0)


def contest_with(*names, shares=None):
    contest = Contest(7)
    for name in names:
        assert contest.decide(told("admit", name), published(name=name)) == ""
    contest.judge(LabelRows.of(list(labels_of(until_closed(4), shares or {}))))
    return contest


def room(contest, keep):
    return making_room(Known(CHURN_30D, None, contest), "monthly", keep)


def test_who_does_worst_beside_the_champion_makes_room_and_without_evidence_the_older():
    assert room(contest_with(*NAMES[:2]), keep=3) == []
    assert room(contest_with(*NAMES), keep=3) == NAMES[:1]
    assert room(contest_with(*NAMES), keep=1) == NAMES
    shares = dict(zip(NAMES, (BETTER, 0.51, 0.65), strict=True))
    assert room(contest_with(*NAMES, shares=shares), keep=2) == [NAMES[1], NAMES[2]]
    assert room(contest_with(*NAMES[:2], "winter", "monthly_report"), keep=2) == NAMES[:1]


def test_who_has_just_lost_a_look_makes_room_before_one_that_is_ahead():
    (lost, ahead), middle, end = NAMES[:2], until_closed(4), until_closed(9)  # the first block is not scored wholly
    contest = Contest(7)
    contest.decide(told("admit", lost), published(name=lost))
    contest.judge(LabelRows.of(list(labels_of(middle, {lost: 0.55}))))
    contest.decide(told("admit", ahead), published(name=ahead))
    later = labels_of(end - middle, {lost: 0.55, ahead: 0.7}, seed=1, first_day=middle)
    contest.judge(LabelRows.of(list(later)))
    evidence = contest.evidence()
    assert (evidence[lost].gain, evidence[ahead].gain > 0) == (None, True)
    assert room(contest, keep=2) == [lost]
    contest.decide(told("admit", NAMES[2]), published(name=NAMES[2]))
    assert room(contest, keep=1) == [lost, ahead, NAMES[2]], "who has no block yet goes last"


def test_the_champion_stays_however_many_there_are():
    contest = contest_with(*NAMES[:2])
    contest.decide(told("promote", NAMES[0]))
    assert room(contest, keep=2) == [NAMES[1]]
    assert room(contest, keep=1) == [NAMES[1]]
    assert making_room(KnownSegments(None, SegmentContest()), "monthly", 1) == []


def test_a_challenger_without_a_place_is_refused_with_who_might_go_and_one_that_is_replaced_is_not():
    there = ["winter", "spring", "summer", "autumn"]
    refuse_full("churn_30d", "monthly_2026_03_01", there[1:])
    refuse_full("churn_30d", "winter", there)
    with pytest.raises(
        ModelError, match=r"has 4 challengers already: autumn, .*`ebb models withdraw churn_30d autumn`"
    ):
        refuse_full("churn_30d", "monthly_2026_03_01", there)


def test_a_day_has_one_name_and_a_folder_one_retraining(tmp_path: Path):
    assert name_of("weekly", date(2026, 11, 2)) == "weekly_2026_11_02"
    with alone(tmp_path / "runs"), pytest.raises(RetrainingRunsError, match="Another"), alone(tmp_path / "runs"):
        raise AssertionError("two at once")
    with alone(tmp_path / "runs"):
        assert (tmp_path / "runs").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="Choose another --runs"), alone(tmp_path / "file" / "runs"):
        raise AssertionError("a folder in a file")


def test_what_an_earlier_retraining_has_left_is_taken_up(tmp_path: Path):
    assert run_before(tmp_path / "none") is None
    check = Check(name="calibrated", figure=0.01, limit=0.05, passed=True, said="")
    known = Retrained(model="boosting", checks=[check])
    (tmp_path / "run.json").write_bytes(msgspec.json.encode({"chosen": "boosting", "retrained": known}))
    assert run_before(tmp_path) == known
    (tmp_path / "run.json").write_bytes(b"{}")
    with pytest.raises(ModelError, match="not a run"):
        run_before(tmp_path)
