"""Drift is noticed within weeks of a change, once, and not where nothing has changed."""

import msgspec
import numpy as np
import pytest

from stream.learning.drift import population_stability
from stream.learning.drift_watch import (
    CALIBRATION_SHIFT,
    COLUMN_STABILITY,
    LOSS_RISE,
    SCORE_STABILITY,
    WEEK_MS,
    DriftState,
    DriftWatch,
)
from stream.learning.label_rows import LabelRows
from stream.scoring.documents import MIX
from tests.unit.learning.drifting_labels import CHANGE_WEEK, FIRST_WEEK, LAST_WEEK, MOVED_COLUMN, history, labels_of


def watch(labels, at_once=10_000):
    return news(watching(), labels, at_once)


def watching(state=None):
    return DriftWatch("purchase_7d", MIX, watches_columns=True, state=state)


def news(watch, labels, at_once=10_000):
    measured = [
        each for at in range(0, len(labels), at_once) for each in watch.learn(LabelRows.of(labels[at : at + at_once]))
    ]
    return [each for each in measured if each.is_news]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_noticed_where_nothing_changes(seed):
    assert watch(history(seed)) == []


@pytest.mark.parametrize(
    ("changed", "noticed"),
    [
        ({"column": 2.0}, {(COLUMN_STABILITY, MOVED_COLUMN)}),
        ({"logit": 1.5, "truth": 1.5}, {(SCORE_STABILITY, "purchase_7d")}),
        ({"truth": 2.5}, {(LOSS_RISE, "purchase_7d"), (CALIBRATION_SHIFT, "purchase_7d")}),
        ({"truth": -0.8}, {(CALIBRATION_SHIFT, "purchase_7d")}),
    ],
)
def test_a_change_is_noticed_once_within_four_weeks(changed, noticed):
    found = watch(history(**changed))
    assert sorted((each.measure, each.subject) for each in found) == sorted(noticed)
    assert all(CHANGE_WEEK <= each.week < CHANGE_WEEK + 4 and each.value > each.limit for each in found)


def test_falling_losses_are_no_rise_but_a_change_of_calibration():
    random = np.random.default_rng(1)
    before = [label for week in range(FIRST_WEEK, CHANGE_WEEK) for label in labels_of(week, random, truth=2.5)]
    after = [label for week in range(CHANGE_WEEK, LAST_WEEK) for label in labels_of(week, random)]
    assert {each.measure for each in watch(before + after)} == {CALIBRATION_SHIFT}


def test_batches_and_restarts_show_nowhere():
    labels = history(column=2.0, truth=2.5)
    expected = watch(labels)
    assert expected
    assert watch(labels, at_once=7) == expected
    half = len(labels) * 2 // 3
    before = watching()
    found = news(before, labels[:half])
    packed = msgspec.msgpack.encode(before.state())
    after = watching(msgspec.msgpack.decode(packed, type=DriftState))
    assert after.measured == before.measured
    assert found + news(after, labels[half:]) == expected


def test_a_watch_that_had_other_columns_begins_anew():
    before = watching()
    before.learn(LabelRows.of(history()))
    after = DriftWatch("purchase_7d", MIX, state=before.state())
    assert (after.measured, after.has_moved) == ({}, False)


def test_labels_without_the_candidate_are_not_counted():
    labels = history(truth=2.5)
    others = [msgspec.structs.replace(label, value=0.0, scores={"base_rate": 0.9}) for label in labels]
    mixed = sorted([*labels, *others], key=lambda label: label.matured_ms)
    assert watch(mixed) == watch(labels)


def test_what_has_moved_is_over_when_the_weeks_before_are_of_the_new_time():
    moved = watching()
    labels = history(truth=2.5)
    moved.learn(LabelRows.of([label for label in labels if label.matured_ms < (CHANGE_WEEK + 4) * WEEK_MS]))
    assert moved.has_moved
    moved.learn(LabelRows.of([label for label in labels if label.matured_ms >= (CHANGE_WEEK + 4) * WEEK_MS]))
    assert not moved.has_moved


def test_a_column_that_moves_is_no_drift_of_the_outcome():
    moved = watching()
    moved.learn(
        LabelRows.of([label for label in history(column=2.0) if label.matured_ms < (CHANGE_WEEK + 4) * WEEK_MS])
    )
    assert (COLUMN_STABILITY, MOVED_COLUMN) in {name for name, each in moved.measured.items() if each.is_drift}
    assert not moved.has_moved


def test_a_week_without_labels_says_nothing_until_there_are_twelve_again():
    labels = [label for label in history(truth=2.5) if label.matured_ms // WEEK_MS != CHANGE_WEEK - 6]
    assert watch(labels) == []


def test_nothing_is_measured_while_one_of_the_weeks_compared_has_no_label():
    empty, labels = CHANGE_WEEK, history()
    before = [label for label in labels if label.matured_ms // WEEK_MS < empty]
    after = [label for label in labels if label.matured_ms // WEEK_MS > empty]
    watch = watching()
    assert watch.learn(LabelRows.of(before))
    measured = watch.learn(LabelRows.of(after))
    assert {each.week for each in measured} == set(range(empty + 16, LAST_WEEK - 1))
    assert {each.measure for each in measured} == {SCORE_STABILITY, COLUMN_STABILITY, LOSS_RISE, CALIBRATION_SHIFT}


def test_stability_is_the_sum_over_tenths_of_the_reference():
    reference, recent = np.zeros(48, np.int64), np.zeros(48, np.int64)
    reference[::4], recent[::4] = 100, np.arange(12) * 10 + 40
    group = {at: min(int((at / 4 + 0.5) / 12 * 10), 9) for at in range(0, 48, 4)}
    before, now = np.full(10, 0.5), np.full(10, 0.5)
    for at, tenth in group.items():
        before[tenth] += reference[at]
        now[tenth] += recent[at]
    before, now = before / before.sum(), now / now.sum()
    assert population_stability(reference, recent) == pytest.approx(((now - before) * np.log(now / before)).sum())
