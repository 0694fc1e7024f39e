"""What a challenger says of a snapshot rests on what was known at its midnight, and on nothing else."""

import msgspec
import numpy as np
import pytest

from benchmarks.challengers import CDNOW_LIFETIMES, MbgNbd, OfEbb, none_within, said_in_time
from schemas.units import DAY_MS
from stream.features.model_columns import MODEL_COLUMNS
from stream.learning.outcome import OutcomeLearner
from stream.outcomes.declaration import CHURN_30D, PURCHASE_30D
from stream.scoring.kinds import probability
from tests.unit.learning.label_history import labels


class Counting:
    """Says how many labels it has learned."""

    def __init__(self):
        self.learned = 0

    def say(self, row):
        return self.learned / 1_000

    def learn(self, row, true, day):
        self.learned += 1


def test_a_label_counts_when_the_day_on_which_it_became_known_is_complete():
    history = [
        msgspec.structs.replace(label, snapshot_ms=row // 10 * DAY_MS, matured_ms=(row // 10 + 31) * DAY_MS)
        for row, label in enumerate(labels(700))
    ]
    said = said_in_time(history, {"counting": Counting()})["counting"]
    days = np.arange(700) // 10
    known = np.maximum(days - 32, 0) * 10  # ten a day, each known on day 31, learned when that day is complete
    expected = np.where(known >= 200, known / 1_000, np.nan)
    assert said == pytest.approx(expected, nan_ok=True)


def row_of(**features):
    return np.array([np.log1p(features.get(name.removeprefix("log_"), 0.0)) for name in MODEL_COLUMNS])


def test_mbg_nbd_is_what_chance_drawn_from_it_comes_to():
    random = np.random.default_rng(5)
    of, horizon, now = CDNOW_LIFETIMES, 4.0, 20.0
    rate = random.gamma(of.r, 1 / of.alpha, 200_000)
    leaves = random.beta(of.a, of.b, 200_000)
    purchases = np.cumsum(random.exponential(1 / rate[:, None], (200_000, 12)), axis=1)
    stays = np.cumprod(random.random((200_000, 13)) > leaves[:, None], axis=1).astype(bool)  # after each, the first too
    happens = purchases * np.where(stays[:, :12], 1, np.inf)
    seen = happens <= now
    alike = (seen.sum(1) == 1) & (np.abs(happens[:, 0] - 10) < 1)
    comes = ((happens > now) & (happens <= now + horizon)).any(1)[alike]
    assert alike.sum() > 500
    assert 1 - comes.mean() == pytest.approx(none_within(of, 1, 10, now, horizon), abs=0.02)


def test_mbg_nbd_reads_days_and_times_and_turns_round_what_is_true():
    row = row_of(purchase_days=3, since_first_purchase_days=140, since_last_purchase_days=70)
    churn, purchase = (MbgNbd(CDNOW_LIFETIMES, outcome).say(row) for outcome in (CHURN_30D, PURCHASE_30D))
    assert churn == pytest.approx(none_within(CDNOW_LIFETIMES, 2, 10, 20, 30 / 7))
    assert churn + purchase == pytest.approx(1)


def test_the_mean_logit_learned_again_is_the_one_of_the_product():
    history, again, learner = labels(600), OfEbb(), OutcomeLearner("churn_30d")
    learner.learn(history)
    for label in history:
        again.learn(np.array(label.columns), label.value >= 0.5, label.matured_ms // DAY_MS)
    rows = np.array([label.columns for label in history[:20]])
    expected = probability(learner.document("1", 0).candidates["mean_logit"], rows)
    assert [again.say(row) for row in rows] == pytest.approx(expected, rel=1e-9)
