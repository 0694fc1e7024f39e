"""The block rule, and a person's word: on labels whose candidates are made better or worse at will."""

import msgspec
import numpy as np
import pytest

from schemas.units import DAY_MS
from stream.learning.contest import Contest, ContestState
from stream.learning.evidence import BETTER_BY, weigh
from stream.learning.judge import JudgeState
from stream.learning.label_rows import LabelRows
from stream.scoring.costs import score_us
from stream.scoring.documents import CALIBRATED, CANDIDATES, ROLLED
from stream.scoring.linear import LinearModel
from tests.property.grown_trees import grown
from tests.unit.learning.contests import (
    BETTER,
    BLOCK_DAYS,
    BY_NEWTON,
    HORIZON_DAYS,
    PER_DAY,
    WORSE,
    labels_of,
    published,
    shown,
    told,
    until_closed,
)

TREES = grown(np.random.default_rng(1), trees=300)


def test_eight_blocks_promote_who_is_better_and_seven_only_propose():
    seven = shown(labels_of(until_closed(7), BY_NEWTON))
    assert (seven.championship.champion, seven.proposed()) == ("mean_logit", "newton_logistic")
    assert seven.evidence()["newton_logistic"].blocks == 7
    eight = shown(labels_of(until_closed(8), BY_NEWTON))
    reign = eight.championship.reigns[-1]
    assert (reign.candidate, reign.by) == ("newton_logistic", "rule")
    assert "over 8 blocks" in reign.why


def test_blocks_of_fewer_than_thirty_labels_are_no_evidence():
    every_other = list(labels_of(until_closed(9), BY_NEWTON))[::2]
    few = shown(every_other)
    assert (few.championship.champion, few.evidence()["newton_logistic"].blocks) == ("mean_logit", 0)


def test_who_is_better_on_average_by_one_lucky_block_is_not_promoted():
    usual = labels_of(7 * BLOCK_DAYS)
    lucky = labels_of(until_closed(1), BY_NEWTON, seed=1, first_day=7 * BLOCK_DAYS)
    assert shown(usual, lucky).championship.champion == "mean_logit"


def test_evidence_is_the_bound_and_not_the_gain():
    lucky, steady = weigh([0.0] * 7 + [0.05]), weigh([0.0025] * 8)
    assert lucky.gain > steady.gain > BETTER_BY
    assert (lucky.is_better, steady.is_better) == (False, True)


def test_who_is_not_better_is_not_looked_at_again_before_eight_new_blocks():
    contest = shown(labels_of(until_closed(8)))
    assert contest.championship.champion == "mean_logit"
    assert {evidence.blocks for evidence in contest.evidence().values()} == {0}
    contest.judge(LabelRows.of(list(labels_of(7 * BLOCK_DAYS, BY_NEWTON, seed=1, first_day=until_closed(8)))))
    assert contest.championship.champion == "mean_logit", "seven new blocks decided"
    contest.judge(LabelRows.of(list(labels_of(BLOCK_DAYS, BY_NEWTON, seed=2, first_day=until_closed(15)))))
    assert contest.championship.champion == "newton_logistic"


def test_a_champion_that_a_floor_beats_over_eight_blocks_gives_way_to_the_best_floor():
    contest = shown(labels_of(until_closed(8), {"count_90d": BETTER, "base_rate": 0.7}))
    assert contest.championship.champion == "count_90d"
    metrics = contest.metrics()
    assert contest.standing(metrics, CANDIDATES).champion == "count_90d"


def test_a_block_that_a_candidate_has_not_scored_wholly_is_no_evidence():
    history = list(labels_of(until_closed(4), {CALIBRATED: BETTER}))
    for at in (3, 70):  # one label of the first block, one of the second
        del history[at].scores[CALIBRATED]
    assert shown(history).evidence()[CALIBRATED].blocks == 2


@pytest.mark.parametrize("action", ["promote", "pin"])
def test_what_a_person_promotes_stays_for_eight_blocks_and_what_is_pinned_for_good(action):
    contest = shown(labels_of(until_closed(9), {"mean_logit": BETTER}), decisions=[told(action, "river_logistic")])
    assert contest.championship.reigns[1].who == "ada"
    assert contest.championship.champion == ("mean_logit" if action == "promote" else "river_logistic")


def test_a_rollback_goes_to_the_champion_before_and_back_again():
    contest = shown(decisions=[told("promote", "river_logistic"), told("promote", "newton_logistic")])
    assert contest.decide(told("rollback", number=1)) == ""
    assert contest.championship.champion == "river_logistic"
    contest.decide(told("rollback", number=2))
    assert contest.championship.champion == "newton_logistic"


def test_what_cannot_be_done_is_refused_with_a_reason_and_changes_nothing():
    contest = shown()
    assert "none of the candidates" in contest.decide(told("promote", "nobody"))
    assert "none to go back to" in contest.decide(told("rollback"))
    assert "no challenger from outside" in contest.decide(told("withdraw", "newton_logistic"))
    assert contest.championship.champion == "mean_logit"


def test_a_decision_that_the_log_repeats_counts_once():
    contest = shown(decisions=[told("pin", "river_logistic"), told("unpin"), told("pin", "river_logistic")])
    assert not contest.championship.is_pinned
    assert contest.championship.decisions == 2


def test_a_challenger_from_outside_is_judged_after_its_training_and_promoted_by_the_same_rule():
    contest = Contest(HORIZON_DAYS)
    assert contest.decide(told("admit", "outsider"), published(trained_until_day=19)) == ""
    contest.judge(LabelRows.of(list(labels_of(until_closed(9), {"outsider": BETTER}))))
    assert contest.metrics()["outsider"].rows == (until_closed(9) - 20) * PER_DAY
    assert contest.evidence()["outsider"].blocks == 7, "the first block, and the one its training ended in, count"
    contest.judge(LabelRows.of(list(labels_of(BLOCK_DAYS, {"outsider": BETTER}, seed=1, first_day=until_closed(9)))))
    assert contest.championship.champion == "outsider"
    assert "champion" in contest.decide(told("admit", "outsider", 2), published())
    assert contest.decide(told("withdraw", "outsider")) == ""
    assert contest.championship.champion == "mean_logit"
    assert "outsider" not in contest.metrics()


def test_a_rollback_passes_over_who_was_champion_and_takes_part_no_more():
    contest = Contest(HORIZON_DAYS)
    contest.decide(told("admit", "outsider"), published())
    contest.decide(told("promote", "newton_logistic"))
    contest.decide(told("promote", "outsider"))
    contest.decide(told("withdraw", "outsider"))
    assert contest.championship.champion == "mean_logit"
    assert contest.decide(told("rollback")) == ""
    assert contest.championship.champion == "newton_logistic"


def test_what_stood_under_its_name_before_is_not_held_for_a_challenger():
    contest = Contest(HORIZON_DAYS)
    contest.decide(told("admit", "outsider"), published())
    contest.judge(LabelRows.of(list(labels_of(60, {"outsider": BETTER}))))
    known_until_day = 59 + HORIZON_DAYS + 1
    contest.decide(told("admit", "outsider", 2), published(trained_until_day=3))
    contest.judge(LabelRows.of(list(labels_of(40, {"outsider": WORSE}, seed=1, first_day=60))))
    assert contest.metrics()["outsider"].rows == (99 - known_until_day) * PER_DAY
    packed = msgspec.msgpack.encode(contest.state())
    again = Contest(HORIZON_DAYS).restored(msgspec.msgpack.decode(packed, type=ContestState))
    assert again.state() == contest.state()


def with_trees(budget_us):
    contest = Contest(HORIZON_DAYS, budget_us=budget_us)
    assert contest.decide(told("admit", "outsider"), published(model=TREES)) == ""
    return contest


def test_a_challenger_over_the_budget_is_judged_and_promoted_by_nobody():
    cost = score_us(TREES)
    contest = with_trees(cost - 0.01)
    contest.judge(LabelRows.of(list(labels_of(until_closed(10), {"outsider": BETTER}))))
    assert contest.evidence()["outsider"].is_better
    assert (contest.championship.champion, contest.proposed()) == ("mean_logit", None)
    for action in ("promote", "pin"):
        assert f"takes about {cost:.1f} us, and EBB_SCORE_BUDGET_US is" in contest.decide(told(action, "outsider"))
    assert (contest.championship.champion, contest.championship.is_pinned) == ("mean_logit", False)


def test_a_setting_allows_what_costs_more():
    contest = with_trees(score_us(TREES))
    contest.judge(LabelRows.of(list(labels_of(until_closed(10), {"outsider": BETTER}))))
    assert contest.championship.champion == "outsider"
    barred = with_trees(2.0)
    barred.judge(LabelRows.of(list(labels_of(until_closed(7), {"outsider": BETTER}))))
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(barred.state()), type=ContestState)
    allowed = Contest(HORIZON_DAYS, budget_us=1_000.0).restored(state)
    assert (barred.proposed(), allowed.proposed()) == (None, "outsider")
    assert allowed.decide(told("promote", "outsider")) == ""
    assert allowed.championship.champion == "outsider"
    assert barred.restored(allowed.state()).championship.champion == "outsider", "who is champion stays it"


def test_four_challengers_may_take_part_and_one_may_be_replaced():
    contest = Contest(HORIZON_DAYS)
    for number in range(4):
        assert contest.decide(told("admit", f"c{number}"), published(name=f"c{number}")) == ""
    assert "withdraw one" in contest.decide(told("admit", "c4"), published(name="c4"))
    assert contest.decide(told("admit", "c0", 2), published(trained_until_day=3, name="c0")) == ""
    assert contest.challengers["c0"].trained_until_ms == 3 * DAY_MS
    assert "refused" in contest.decide(told("admit", "c1", 2), None)


def test_a_contest_is_a_function_of_its_labels_however_they_are_cut_and_wherever_it_is_saved():
    history = list(labels_of(until_closed(10), {"newton_logistic": BETTER, CALIBRATED: 0.65}))
    whole = shown(history)
    assert whole.championship.champion == "newton_logistic"
    for cut in (1, 113, 459, 460, 500):
        first = shown(history[:cut])
        packed = msgspec.msgpack.encode(first.state())
        second = Contest(HORIZON_DAYS).restored(msgspec.msgpack.decode(packed, type=ContestState))
        second.judge(LabelRows.of(history[cut:]))
        assert second.state() == whole.state(), cut
    one_by_one = shown(*([label] for label in history))
    assert one_by_one.state() == whole.state()


def test_blocks_and_periods_are_bounded_and_all_labels_count_together():
    contest = shown(labels_of(2 * 365, {}))
    assert (len(contest.judgement.blocks), len(contest.judgement.periods)) == (24, 26)
    assert contest.metrics()["mean_logit"].rows == 2 * 365 * PER_DAY


def test_calibration_mends_a_candidate_that_is_too_sure():
    history = list(labels_of(600, {"mean_logit": 0.999}))
    share = np.mean([label.value for label in history])
    model = LinearModel((), (), (), (), bias=2.0)
    joined = shown(history).joined(dict.fromkeys(CANDIDATES, model))
    slope, shift = np.log(0.9 / 0.1) / np.log(0.999 / 0.001), np.log(share / (1 - share))
    assert joined[CALIBRATED].bias == pytest.approx(2.0 * slope + shift, abs=0.1)
    assert joined["mean_logit"].bias == 2.0


def test_a_judge_saved_before_there_were_blocks_is_taken_up():
    counts = np.zeros((2, 768), "<u4")
    counts[:, 500] = 30, 70  # a logit of 3.64, a probability of .974
    old = {name: JudgeState(rows=100, loss=50.0, counts=counts.tobytes()) for name in CANDIDATES}
    metrics = Contest(HORIZON_DAYS).of_judges(old, newest_ms=DAY_MS).metrics()
    assert (metrics["mean_logit"].rows, metrics["mean_logit"].log_loss) == (100, 0.5)
    assert metrics["mean_logit"].ece == pytest.approx(0.974 - 0.7, abs=1e-3)


def test_the_bound_is_student_s():
    gains = [0.010, 0.014, 0.006, 0.012, 0.008, 0.011, 0.009, 0.010]
    assert weigh(gains).gain == pytest.approx(0.010)
    assert weigh(gains).bound == pytest.approx(0.010 - 1.8946 * np.std(gains, ddof=1) / np.sqrt(8), abs=1e-6)


WITH_HAZARD = (*ROLLED, *CANDIDATES)


def test_who_is_no_candidate_any_more_is_forgotten_and_neither_proposed_nor_promoted():
    before = Contest(HORIZON_DAYS, WITH_HAZARD, WITH_HAZARD[0])
    before.decide(told("pin", "mean_logit"))
    said = dict.fromkeys(WITH_HAZARD, WORSE) | {"hazard": BETTER}
    before.judge(LabelRows.of(list(labels_of(until_closed(9), said))))
    assert before.proposed() == "hazard"
    after = Contest(HORIZON_DAYS, state=before.state())
    assert (after.championship.champion, after.championship.is_pinned, after.proposed()) == ("mean_logit", True, None)
    assert after.metrics().keys() == set(CANDIDATES) | {CALIBRATED}
    assert after.judgement.candidates == after.metrics().keys()
    assert after.evidence().keys() == after.metrics().keys() - {"mean_logit"}
    after.decide(told("unpin"))
    after.judge(LabelRows.of(list(labels_of(until_closed(1), seed=1, first_day=until_closed(9)))))
    assert after.championship.champion == "mean_logit"


def test_a_champion_that_is_no_candidate_any_more_gives_way_to_the_first_and_is_judged_anew_when_it_is_back():
    before = Contest(HORIZON_DAYS, WITH_HAZARD, WITH_HAZARD[0])
    before.decide(told("pin", "hazard"))
    said = dict.fromkeys(WITH_HAZARD, WORSE)
    before.judge(LabelRows.of(list(labels_of(until_closed(2), said))))
    without = Contest(HORIZON_DAYS, state=before.state())
    assert (without.championship.champion, without.championship.is_pinned) == ("mean_logit", False)
    back = Contest(HORIZON_DAYS, WITH_HAZARD, WITH_HAZARD[0], without.state())
    assert "hazard" not in back.metrics()
    back.judge(LabelRows.of(list(labels_of(10, said, seed=1, first_day=until_closed(2)))))
    assert back.metrics()["hazard"].rows == 10 * PER_DAY


def test_an_outcome_of_another_horizon_keeps_its_champion_and_is_judged_anew():
    before = shown(labels_of(until_closed(9), BY_NEWTON))
    after = Contest(HORIZON_DAYS + 30).restored(before.state())
    assert (after.championship.champion, after.metrics()) == ("newton_logistic", {})
    history = list(labels_of(10 * 44, {"mean_logit": BETTER}, seed=1))
    after.judge(LabelRows.of(history[: 8 * 44 * PER_DAY]))
    assert after.championship.champion == "newton_logistic"
    after.judge(LabelRows.of(history[8 * 44 * PER_DAY :]))
    assert after.championship.champion == "mean_logit"


def test_a_candidate_of_a_newer_release_stands_beside_the_floors_on_the_labels_it_has_scored():
    state = shown(
        labels_of(300, {"count_90d": 0.99}),
    ).state()
    newer = Contest(HORIZON_DAYS, (*CANDIDATES, "newest"), "newest", state)
    newer.judge(LabelRows.of(list(labels_of(100, {"newest": 0.7, "count_90d": WORSE}, seed=1, first_day=300))))
    floors = newer.judgement.losses_of_floors("newest")
    assert newer.metrics()["newest"].rows == 100 * PER_DAY
    assert floors["count_90d"] == floors["base_rate"] > newer.metrics()["count_90d"].log_loss


def test_who_is_begun_at_another_drift_takes_the_place_of_one_that_is_not_ahead():
    contest = shown(labels_of(4))
    assert contest.begin("drift_1", "at the first drift", is_another=True)
    assert not contest.begin("drift_2", "more of the same drift", is_another=False)
    assert contest.begin("drift_2", "at another drift", is_another=True)
    assert contest.begun == {"drift_2": "at another drift"}
    contest.judge(LabelRows.of(list(labels_of(until_closed(3), {"drift_2": BETTER}, seed=1, first_day=4))))
    assert contest.evidence()["drift_2"].gain > 0
    assert not contest.begin("drift_3", "at a third", is_another=True)
    assert list(contest.begun) == ["drift_2"]


@pytest.mark.parametrize(("share", "stays"), [(0.65, True), (WORSE, False)])
def test_who_was_begun_stays_when_it_is_better_for_certain_and_another_is_better_still(share, stays):
    contest = Contest(HORIZON_DAYS)
    contest.begin("drift_1", "at the first drift", is_another=True)
    contest.judge(LabelRows.of(list(labels_of(until_closed(8), {"newton_logistic": 0.75, "drift_1": share}))))
    assert contest.championship.champion == "newton_logistic"
    assert (list(contest.begun), "drift_1" in contest.metrics()) == (["drift_1"] if stays else [], stays)


def test_beside_a_champion_that_was_begun_another_may_begin():
    contest = Contest(HORIZON_DAYS)
    contest.begin("drift_1", "at the first drift", is_another=True)
    contest.decide(told("promote", "drift_1"))
    assert contest.begin("drift_2", "at another drift", is_another=False)
    contest.end_behind()
    assert list(contest.begun) == ["drift_1", "drift_2"]
