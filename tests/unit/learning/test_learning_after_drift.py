"""Drift of an outcome begins a challenger by itself: one at a time, and only as long as it may win."""

from itertools import groupby, pairwise

import msgspec
import numpy as np
import pytest

from schemas.messages import ModelDecision
from schemas.units import DAY_MS
from stream.learning.drift_watch import WEEK_MS, DriftWatch
from stream.learning.label_rows import LabelRows
from stream.learning.linear import exported, exported_newton, fresh, learn_rows, of_which
from stream.learning.newton import prior
from stream.learning.outcome import OutcomeLearner
from stream.scoring.documents import CANDIDATES, MIX
from stream.scoring.kinds import probability
from tests.unit.learning.drifting_labels import CHANGE_WEEK, FIRST_WEEK, labels_of

LEARNED_WEEKS = 20  # after FIRST_WEEK: enough for the watch, and quick
BEGINS_WEEK = CHANGE_WEEK + 3  # the third week of the change shows it
NAME = "drift_2009_02_26"  # the day that week begins with
DAY = 14_700


def log(weeks_after, seed=1, better_by=0.0, truth=2.5, quiet_after=1_000):
    """Labels of weeks before and after a change; the challenger's logit is `better_by` nearer to what came true."""
    random = np.random.default_rng(seed)
    weeks = range(FIRST_WEEK + LEARNED_WEEKS, CHANGE_WEEK + weeks_after)
    for week in weeks:
        changed = CHANGE_WEEK <= week < CHANGE_WEEK + quiet_after
        for label in labels_of(week, random, truth=truth if changed else 0.0):
            said = label.scores[MIX]
            logit = np.log(said / (1 - said)) + (better_by if label.value else -better_by)
            scores = dict.fromkeys(CANDIDATES, said) | {NAME: float(1 / (1 + np.exp(-logit)))}
            yield msgspec.structs.replace(label, snapshot_ms=label.matured_ms - 8 * DAY_MS, scores=scores)


def taught(history, at_once=10_000):
    learner, history = OutcomeLearner("purchase_7d", horizon_days=7, watches_columns=True), list(history)
    for at in range(0, len(history), at_once):
        learner.learn(history[at : at + at_once])
    return learner


def test_drift_of_the_outcome_begins_a_challenger_that_is_named_after_the_day_and_takes_part():
    before, after = taught(log(3)), taught(log(4))
    assert before.contest.begun == {}
    assert list(after.contest.begun) == [NAME]
    assert NAME in after.contest.candidates
    document = after.document("1", DAY)
    assert NAME in document.candidates
    recipe = document.lineage.recipes[NAME]
    assert "before 2009-02-26 counts 0.1" in recipe
    assert "calibration_shift" in recipe
    assert document.lineage.champion.candidate == MIX


def test_drift_of_a_column_alone_begins_none():
    random = np.random.default_rng(1)
    weeks = range(FIRST_WEEK + LEARNED_WEEKS, CHANGE_WEEK + 6)
    learner = taught(
        [each for week in weeks for each in labels_of(week, random, column=2.0 if week >= CHANGE_WEEK else 0.5)]
    )
    moved = {each.measure for each in learner.after_drift.take_measured() if each.is_news}
    assert moved == {"column_stability"}
    assert learner.contest.begun == {}


def test_the_champion_learns_as_if_there_were_no_challenger():
    history = list(log(6))
    learner, alone = taught(history), OutcomeLearner("purchase_7d", horizon_days=7)
    for label in history:
        alone.learn([msgspec.structs.replace(label, scores={})])  # without scores there is no drift
    assert learner.contest.begun
    assert not alone.contest.begun
    for name in CANDIDATES:
        assert learner.document("1", DAY).candidates[name] == alone.document("1", DAY).candidates[name]


def test_the_challenger_says_the_same_at_first_and_follows_what_has_changed_faster():
    begins = next(at for at, label in enumerate(log(4)) if label.matured_ms >= BEGINS_WEEK * WEEK_MS)
    history = list(log(9))
    first = taught(history[: begins + 1]).document("1", DAY).candidates
    later = taught(history).document("1", DAY).candidates
    rows = np.array([label.columns for label in history[begins:]])
    happened = np.mean([label.value for label in history[begins:]])
    assert probability(first[NAME], rows).mean() == pytest.approx(probability(first[MIX], rows).mean(), abs=0.05)
    by_champion, by_challenger = (abs(probability(later[name], rows).mean() - happened) for name in (MIX, NAME))
    assert by_challenger < by_champion * 2 / 3


def test_of_a_share_of_the_labels_the_prior_counts_wholly():
    random = np.random.default_rng(3)
    learned = fresh(np.ones((1, 4), np.bool_))
    matrix = random.normal(size=(500, 4))
    days = DAY + np.arange(500) // 5
    learn_rows(learned, matrix, matrix[:, 0] + random.normal(size=500) > 0, days, np.empty((500, 2)))
    names = ("a", "b", "c", "d")
    tenth, whole = of_which(learned, 0.1), of_which(learned, 1.0)
    assert exported(tenth, 0, names) == exported(learned, 0, names)
    assert exported_newton(tenth, names) == exported_newton(learned, names)
    before = np.linalg.inv(prior(4))
    information, of_a_tenth = (np.linalg.inv(each.covariance) - before for each in (learned, tenth))
    assert of_a_tenth == pytest.approx(information / 10, rel=1e-9)
    assert whole.covariance == pytest.approx(learned.covariance, rel=1e-9)
    assert tenth.squared_gradients == pytest.approx(learned.squared_gradients / 10)
    assert tenth.day == learned.day
    learn_rows(tenth, matrix, matrix[:, 0] > 0, days, np.empty((500, 2)))
    assert learned.rows[0] == 500, "the copy was learned, not the original"


def test_cuts_and_restarts_show_nowhere():
    history = list(log(24, better_by=0.3))
    whole = taught(history)
    assert taught(history, at_once=113).to_bytes() == whole.to_bytes()
    for cut in (len(history) // 2, len(history) * 2 // 3, len(history) - 40):
        fresh_one = OutcomeLearner("purchase_7d", horizon_days=7, watches_columns=True)
        second = fresh_one.restored(taught(history[:cut]).to_bytes())
        second.learn(history[cut:])
        assert second.to_bytes() == whole.to_bytes(), cut


def test_one_that_loses_its_look_goes_and_leaves_no_trace():
    lost_at = _week_in_which_it_goes(better_by=0.0005)  # ahead, but by less than is worth a change
    gone = taught(log(lost_at, better_by=0.0005))
    assert gone.contest.begun == {}
    assert NAME not in gone.contest.metrics()
    assert NAME not in gone.document("1", DAY).candidates
    first = 2  # the week in which the first block begins that it has scored wholly
    assert lost_at == first + 8 * 2 + 2, "eight blocks, and until their last labels are known, nine days later"


def test_one_that_is_behind_goes_when_the_drift_is_over():
    watch, over = DriftWatch("purchase_7d", MIX), []
    for label in log(40):
        if watch.learn(LabelRows.of([label])) and not watch.has_moved:
            over.append(_week(label))
    over_in = next(week for week in over if week > 3)
    assert _week_in_which_it_goes(better_by=-0.05) == over_in + 1
    assert _week_in_which_it_goes(better_by=0.0005) > over_in + 1


def test_one_that_wins_becomes_champion_by_the_rule_and_another_may_begin():
    won = taught(log(24, better_by=0.3))
    reign = won.contest.championship.reigns[-1]
    assert (reign.candidate, reign.by) == (NAME, "rule")
    assert won.document("1", DAY).serving == NAME
    again = taught(log(30, better_by=0.3, quiet_after=24))
    assert [name for name in again.contest.begun if name != NAME] != []
    assert again.contest.championship.champion == NAME


def test_while_one_takes_part_no_other_begins():
    history = list(log(10, better_by=0.3, quiet_after=6))  # a second change, back again
    learner = OutcomeLearner("purchase_7d", horizon_days=7)
    seen = set()
    for label in history:
        learner.learn([label])
        seen |= {tuple(learner.contest.begun)}
    assert seen == {(), (NAME,)}
    news = [each for each in learner.after_drift.take_measured() if each.is_news]
    assert len({each.week for each in news}) > 1


def test_a_person_may_let_it_go_and_promote_it():
    history = list(log(4))
    learner = taught(history)
    assert learner.decide(_told("promote")) == ""
    assert learner.document("1", DAY).lineage.champion.candidate == NAME
    assert learner.decide(_told("withdraw")) == ""
    assert learner.contest.begun == {}
    document = learner.document("1", DAY)
    assert NAME not in document.candidates
    assert document.lineage.champion.candidate == MIX


def _told(action):
    return ModelDecision(
        message_id=action, outcome="purchase_7d", action=action, candidate=NAME, decided_ms=0, decided_by="ada"
    )


def _week_in_which_it_goes(better_by):
    """How many weeks after the change the challenger takes part no more."""
    learner = OutcomeLearner("purchase_7d", horizon_days=7)
    there = []
    for week, after in pairwise(range(-LEARNED_WEEKS, 40)):
        learner.learn(
            [each for each in _LOGS.setdefault(better_by, list(log(40, better_by=better_by))) if _week(each) == week]
        )
        there.append((after, bool(learner.contest.begun)))
    return next(after for (_, was), (after, now) in pairwise(there) if was and not now)


_LOGS = {}


def _week(label):
    return label.matured_ms // WEEK_MS - CHANGE_WEEK


def test_the_next_challenger_begins_from_the_champion_that_began_before():
    learner = OutcomeLearner("purchase_7d", horizon_days=7)
    history = list(log(30, better_by=0.3, quiet_after=24))
    rows = np.array([label.columns for label in history[-300:]])
    for _, of_a_week in groupby(history, key=_week):
        first, *others = of_a_week
        learner.learn([first])
        if next_one := [name for name in learner.contest.begun if name != NAME]:
            break
        learner.learn(others)
    said = {
        name: probability(model, rows)
        for name, model in learner.document("1", DAY).candidates.items()
        if name in (MIX, NAME, *next_one)
    }
    assert learner.contest.championship.champion == NAME
    assert np.abs(said[next_one[0]] - said[NAME]).max() < np.abs(said[next_one[0]] - said[MIX]).max() / 2
