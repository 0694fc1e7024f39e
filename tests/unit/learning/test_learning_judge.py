import math

import numpy as np
import pytest

from stream.learning.judge import Judge


def judge_of(pairs):
    judge = Judge()
    for probability, happened in pairs:
        judge.add(np.array([probability]), np.array([happened]))
    return judge


def test_nothing_is_judged_before_the_first_label():
    assert Judge().judged() is None


def test_log_loss_is_the_mean_over_labels_in_nats():
    judged = judge_of([(0.9, True), (0.2, False)]).judged()
    assert judged.log_loss == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)
    assert judged.rows == 2


def test_auc_is_unknown_with_one_class_and_a_half_for_equal_scores():
    assert judge_of([(0.9, True), (0.8, True)]).judged().auc is None
    assert judge_of([(0.4, True), (0.4, False)]).judged().auc == 0.5


def test_certainty_that_was_wrong_costs_much_but_not_everything():
    judged = judge_of([(1.0, False), (0.0, True), (1.0, True)]).judged()
    assert judged.log_loss == pytest.approx(2 * 27.631 / 3, rel=1e-3)
    assert judged.auc == 0.25


def test_auc_agrees_with_counting_pairs():
    pairs = [((7 * i % 101 + 1) / 103, (i * i) % 7 < 3) for i in range(300)]
    ones = [p for p, happened in pairs if happened]
    zeros = [p for p, happened in pairs if not happened]
    won = sum((one > zero) + 0.5 * (one == zero) for one in ones for zero in zeros)
    assert judge_of(pairs).judged().auc == pytest.approx(won / (len(ones) * len(zeros)), abs=1e-3)


def test_a_restored_judge_goes_on_where_it_was():
    pairs = [(0.3, False), (0.6, True), (0.5, True), (0.1, False)]
    second = Judge(judge_of(pairs[:2]).state())
    for probability, happened in pairs[2:]:
        second.add(np.array([probability]), np.array([happened]))
    assert second.state() == judge_of(pairs).state()
