"""What thresholds of churn alerts come to: counted by hand on a few customer-days, and read from an archive."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from ebb.cli.alerts import alerts
from offline.alert_plan.snapshots import Snapshots, snapshots_of
from offline.alert_plan.thresholds import Threshold, arrivals, plan, suggested
from offline.archive.records import ArchivedRecord
from offline.archive.writing import LogArchive
from schemas.messages import EpochPassed, Label
from schemas.topics import LABELS
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.features.model_columns import MAJOR, MODEL_COLUMNS
from stream.outcomes.declaration import CHURN_30D, LAPSED

BEGIN_DAY = 14_000
WINDOW_DAYS = CHURN_30D.horizon_days + 1
UNLOGGED = {
    "purchase_days": 3.0,
    "mean_gap_days": 10.0,
    "since_last_purchase_days": 40.0,
    "decayed_spend_365d_minor": 50_000 / MAJOR,
    "decayed_refund_365d_minor": 10_000 / MAJOR,
}


def label(customer, day, probability, left, model="mix", **unlogged):
    values = UNLOGGED | unlogged
    columns = [float(np.float32(np.log1p(values.get(name.removeprefix("log_"), 0.0)))) for name in MODEL_COLUMNS]
    return Label(
        message_id=f"{customer}:{day}",
        partition=0,
        sequence=0,
        customer_id=customer,
        outcome="churn_30d",
        snapshot_ms=day * DAY_MS,
        matured_ms=(day + WINDOW_DAYS) * DAY_MS,
        value=float(left),
        columns=columns,
        scores={model: probability},
        layout=LAYOUT,
    )


def read(*labels):
    """The snapshots of labels, with one of much later, so that all of them are old enough."""
    return snapshots_of([*labels, label("late", BEGIN_DAY + 400, 0.1, False)], CHURN_30D, "mix")


def test_a_label_says_how_long_the_silence_is_and_what_was_spent():
    found = read(
        label("long", BEGIN_DAY, 0.9, True),
        label("not yet", BEGIN_DAY, 0.9, True, since_last_purchase_days=19.0),
        label("no gap", BEGIN_DAY, 0.9, True, purchase_days=1.0, mean_gap_days=0.0),
    )
    found = replace(found, **{each: getattr(found, each)[:3] for each in found.__dataclass_fields__})
    assert found.long_silence.tolist() == [True, False, False]
    assert found.spend_minor == pytest.approx([40_000] * 3, rel=1e-5)


def test_one_silence_is_one_episode_on_whatever_days_it_was_met_and_a_repeated_label_counts_once():
    first = label("ada", BEGIN_DAY, 0.9, True)
    again = label("ada", BEGIN_DAY + 28, 0.9, True, since_last_purchase_days=68.0)
    other = label("ada", BEGIN_DAY + 90, 0.9, True)
    found = read(first, again, first, other)
    assert len(found) == 4
    assert found.episode[0] == found.episode[1] != found.episode[2]


def test_labels_of_the_last_days_are_left_out_since_only_short_windows_have_matured():
    labels = [label(f"c{day}", BEGIN_DAY + day, 0.5, True) for day in range(60)]
    newest_known = BEGIN_DAY + 59 + WINDOW_DAYS - CHURN_30D.horizon_days - 1
    assert snapshots_of(labels, CHURN_30D, "mix").day.max() == newest_known
    short = [msgspec.structs.replace(each, matured_ms=each.snapshot_ms + 15 * DAY_MS) for each in labels]
    assert snapshots_of(short, CHURN_30D, "mix").day.max() == BEGIN_DAY + 59 + 15 - WINDOW_DAYS


def test_days_before_a_topic_begins_are_left_out_since_of_them_only_long_windows_have_matured_later():
    customers = [label(f"{days}:{day}", BEGIN_DAY + day, 0.5, True) for day in range(500) for days in (14, 180)]
    labels = [
        msgspec.structs.replace(each, outcome="lapsed", matured_ms=each.snapshot_ms + (days + 1) * DAY_MS)
        for each in customers
        for days in [int(each.customer_id.partition(":")[0])]
    ]
    begins_ms = (BEGIN_DAY + 200) * DAY_MS
    kept = [each for each in labels if each.matured_ms >= begins_ms]

    found = snapshots_of(kept, LAPSED, "mix")
    assert (found.day.min(), found.day.max()) == (BEGIN_DAY + 200 - 15, BEGIN_DAY + 499)
    assert len(found) == 2 * (500 - 200 + 15)
    month = [each for each in labels if each.matured_ms >= (BEGIN_DAY + 650) * DAY_MS]
    assert len(month) > 0 == len(snapshots_of(month, LAPSED, "mix"))


@pytest.mark.parametrize(
    "other",
    [
        label("b", BEGIN_DAY, 0.9, True, model="river_logistic"),
        msgspec.structs.replace(label("b", BEGIN_DAY, 0.9, True), outcome="lapsed"),
        msgspec.structs.replace(label("b", BEGIN_DAY, 0.9, True), layout="another"),
        msgspec.structs.replace(label("b", BEGIN_DAY, 0.9, True), columns=[1.0]),
    ],
)
def test_labels_of_other_models_outcomes_and_layouts_are_passed_over(other):
    assert len(read(label("a", BEGIN_DAY, 0.9, True), other)) == 2


def test_thresholds_are_judged_as_counted_by_hand():
    snapshots = Snapshots(
        day=np.array([0, 3, 6, 9, 13, 13]),
        episode=np.array([1, 1, 2, 3, 4, 5]),
        probability=np.array([0.9, 0.9, 0.7, 0.95, 0.2, 0.3]),
        long_silence=np.array([True, True, True, False, True, True]),
        left=np.array([True, True, False, True, True, True]),
        spend_minor=np.array([1_000.0, 1_000.0, 500.0, 9_000.0, 100.0, 100.0]),
    )
    low, high = plan(snapshots, [0.5, 0.8])
    assert (low.list_size, high.list_size) == (3 * 28 / 14, 2 * 28 / 14)
    assert (low.precision, high.precision) == (2 / 3, 1.0)
    assert low.missed == high.missed == 3 / 5
    assert high.value_at_risk_minor == pytest.approx((900 + 900) * 28 / 14)
    assert low.alerts_per_week == pytest.approx(arrivals(np.array([1, 1, 2]), np.array([0, 3, 6])) * 7 / 14)


def test_silences_that_no_snapshot_met_are_counted_too():
    random = np.random.default_rng(5)
    stays_days = np.ceil(random.exponential(40, 3_000)).astype(int)
    begin = random.integers(28, 1_000, 3_000)
    days = [np.flatnonzero(random.random(stay) < 1 / 28) + first for stay, first in zip(stays_days, begin, strict=True)]
    episode = np.repeat(np.arange(3_000), [len(each) for each in days])
    assert len(np.unique(episode)) < 2_000
    assert arrivals(episode, np.concatenate(days)) == pytest.approx(3_000, rel=0.05)


def test_who_was_on_the_list_from_the_first_day_on_did_not_arrive():
    stays = np.repeat(np.arange(100), 10)
    days = np.tile(np.arange(10) * 28 + 3, 100)
    assert arrivals(stays, days) < 15 < arrivals(stays, days + 28)
    assert arrivals(np.zeros(9, int), np.arange(9)) == 0.0


def test_the_lowest_threshold_that_can_be_acted_on_is_suggested_and_none_where_each_has_more():
    snapshots = read(*(label(f"c{at}", BEGIN_DAY + 40 + at, 0.5 + at / 100, True) for at in range(50)))
    judged = plan(snapshots, [0.5, 0.7, 0.9])
    assert suggested(judged, judged[1].alerts_per_week) == judged[1]
    assert suggested(judged, judged[2].alerts_per_week / 2) is None


def test_a_threshold_with_few_alerts_by_luck_is_not_suggested_where_a_higher_one_has_more():
    judged = [
        Threshold(probability=at, list_size=9, alerts_per_week=few, precision=None, missed=None, value_at_risk_minor=0)
        for at, few in ((0.7, 1.8), (0.75, 0.7), (0.8, 1.0), (0.85, 0.3))
    ]
    assert [found and found.probability for found in (suggested(judged, n) for n in (0.2, 0.8, 1.0, 2))] == [
        None,
        0.85,
        0.75,
        0.7,
    ]


def run(folder: Path, *arguments, model="mix"):
    environ = {"EBB_ALERT_OUTCOME": "churn_30d", "EBB_MODEL_KEYS": "test:" + "5e" * 32}
    return CliRunner(env=environ).invoke(alerts, ["plan", "--archive", str(folder), "--model", model, *arguments])


def archive(folder: Path, labels):
    values = [b"garbage", None, msgspec.json.encode(EpochPassed(message_id="e", partition=0, sequence=0, day=3))]
    values += [msgspec.json.encode(each) for each in labels]
    log = LogArchive(folder, LABELS, 0)
    log.add([ArchivedRecord(offset, 0, None, value) for offset, value in enumerate(values)])
    log.flush()


def test_the_command_reads_an_archive_and_suggests_a_threshold(tmp_path):
    days = range(300)
    archive(tmp_path, [label(f"c{day}", BEGIN_DAY + day, 0.96 if day % 2 else 0.99, day % 3 > 0) for day in days])
    told = run(tmp_path, "--json", "--per-week", "1000")
    found = json.loads(told.stdout)
    assert (told.exit_code, found["suggested"], found["now"], found["model"]) == (0, 0.5, 0.8, "mix")
    assert {each["probability"]: round(each["list_size"]) for each in found["thresholds"]}[0.8] == 28
    many = run(tmp_path, "--per-week", "1000").stdout
    assert "EBB_ALERT_PROBABILITY=0.5, and EBB_ALERT_CLOSE_PROBABILITY, 0.7 now, not above it" in many
    screen = run(tmp_path, "--per-week", "1").stdout
    assert "each of these thresholds has more than 1 alert a week" in screen
    assert [line.endswith("now") for line in screen.splitlines() if line.strip().startswith("0.8 ")] == [True]


def test_who_is_on_the_list_of_a_lower_threshold_is_said_to_come_at_once_and_no_part_of_a_week(tmp_path):
    stock = [
        label(f"s{day % 40}", BEGIN_DAY + day, 0.77, True, since_last_purchase_days=day + 40.0) for day in range(300)
    ]
    archive(tmp_path, stock)
    found = json.loads(run(tmp_path, "--json", "--per-week", "1").stdout)
    of = {each["probability"]: each for each in found["thresholds"]}
    assert (found["suggested"], of[0.8]["list_size"]) == (0.5, 0.0)
    assert found["at_once"] == of[0.5]["list_size"] == pytest.approx(28, abs=1)
    assert of[0.5]["alerts_per_week"] < 1
    assert run(tmp_path, "--per-week", "1").stdout.splitlines()[-1].endswith("; 28 more come at once")


def test_too_few_labels_are_told_with_what_to_do(tmp_path):
    archive(tmp_path, [label("a", BEGIN_DAY, 0.9, True)])
    told = run(tmp_path)
    assert (told.exit_code, "--archive" in told.output) == (1, True)


def test_a_model_that_no_label_carries_is_told_with_those_that_they_do(tmp_path):
    archive(tmp_path, [label("a", BEGIN_DAY, 0.9, True), label("b", BEGIN_DAY, 0.9, True, model="river_logistic")])
    told = run(tmp_path, model="mixx")
    assert told.exit_code == 1
    assert "carries a probability by 'mixx'. Those there are carry mix, river_logistic:" in told.output


def test_a_folder_without_labels_is_told_to_have_none(tmp_path):
    told = run(tmp_path)
    assert (told.exit_code, f"{tmp_path} has no label of churn_30d" in told.output) == (1, True)
