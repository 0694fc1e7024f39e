"""A snapshot is taken at a sampled midnight, is never changed, and becomes labels that count what happened in time."""

import msgspec
import numpy as np
import pytest

from schemas.topics import LABELS
from schemas.units import DAY_MS
from stream.chunk import Models, Rules
from stream.errors import LayoutError
from stream.features.columns import model_matrix
from stream.features.layout import LAYOUT
from stream.features.stored import unpack
from stream.features.vocabulary import Vocabulary
from stream.outcomes.declaration import CHURN_30D, PURCHASE_7D, Outcome
from stream.outcomes.declared import DeclaredOutcomes
from stream.outcomes.maturity import unpack_open
from stream.outcomes.snapshot import decode_snapshot
from stream.scoring.kinds import probability
from tests.world import BEGIN_MS, PINNED, World, purchase, refund, sampled_days, sampled_on, silence_document

DAY = 50
ADA = sampled_on(DAY)
SNAPSHOT_MS = BEGIN_MS + DAY * DAY_MS
MS = 1 / DAY_MS


def values(world: World) -> dict[str, float]:
    """Outcome -> value of the labels of the snapshot of day 50."""
    return {label["outcome"]: label["value"] for label in world.labels(ADA) if label["snapshot_ms"] == SNAPSHOT_MS}


@pytest.mark.parametrize(
    ("days_after", "expected"),
    [
        (0, {"purchase_7d": 0.0, "churn_30d": 1.0}),  # at the snapshot's own time is not after it
        (MS, {"purchase_7d": 1.0, "churn_30d": 0.0}),
        (7, {"purchase_7d": 1.0, "churn_30d": 0.0}),
        (7 + MS, {"purchase_7d": 0.0, "churn_30d": 0.0}),
        (30, {"purchase_7d": 0.0, "churn_30d": 0.0}),
        (30 + MS, {"purchase_7d": 0.0, "churn_30d": 1.0}),
    ],
)
def test_a_purchase_counts_from_just_after_the_snapshot_to_the_horizon(days_after, expected):
    world = World().purchase(ADA, day=DAY - 5).silence_until(day=DAY)
    world.purchase(ADA, day=DAY + days_after).silence_until(day=DAY + 40)
    assert values(world) == expected


@pytest.mark.parametrize(
    ("arrives_after_days", "purchased"), [(7, 1.0), (8 - MS, 1.0), (8, 0.0), (8 + MS, 0.0), (20, 0.0)]
)
def test_an_event_may_come_a_day_late_and_no_later(arrives_after_days, purchased):
    world = World().purchase(ADA, day=DAY - 5).silence_until(day=DAY)
    world.late(purchase(ADA, DAY + 6, event_id="late"), at_day=DAY + arrives_after_days).silence_until(day=DAY + 40)
    assert values(world) == {"purchase_7d": purchased, "churn_30d": 0.0}
    assert world.total("late_label_events") == (purchased == 0.0)


def test_a_refund_counts_by_the_category_of_what_is_given_back():
    vocabulary = Vocabulary(categories=("shoes", "hats"))
    asked = [
        Outcome(name=f"{of}_back", event="refund", category=of, horizon_days=7, true_when="any")
        for of in vocabulary.categories
    ]
    outcomes = DeclaredOutcomes((CHURN_30D, *asked), vocabulary)
    rules = Rules(outcomes=outcomes, vocabulary=vocabulary, alert_outcome=CHURN_30D.name)
    back = refund(ADA, DAY + 2, event_id="back")
    back["lines"][0]["category"] = "shoes"
    world = World(rules=rules).purchase(ADA, day=DAY - 5).silence_until(day=DAY).send(back).silence_until(day=DAY + 40)
    assert values(world) == {"churn_30d": 1.0, "shoes_back": 1.0, "hats_back": 0.0}


def test_an_event_after_all_labels_changes_nothing_and_is_counted():
    world = World().purchase(ADA, day=DAY - 5).silence_until(day=DAY + 31)
    before = world.messages(LABELS)
    world.late(purchase(ADA, DAY + 6, event_id="late"), at_day=DAY + 31)
    assert (world.messages(LABELS), world.total("late_label_events")) == (before, 1)


def test_a_late_event_of_a_time_without_snapshots_is_not_counted():
    world = World().purchase(ADA, day=DAY - 5).silence_until(day=DAY + 31)
    for number, day in enumerate(
        (DAY - 20, DAY, DAY + 30 + MS)
    ):  # before the first purchase, at the snapshot, after all
        world.late(purchase(ADA, day, event_id=f"late-{number}"), at_day=DAY + 31.5)
    assert world.total("late_label_events") == 0


def test_both_outcomes_mature_a_day_after_their_horizons():
    world = World().purchase(ADA, day=DAY - 5).silence_until(day=DAY + 40)
    matured = {label["outcome"]: (label["matured_ms"] - SNAPSHOT_MS) / DAY_MS for label in world.labels(ADA)}
    assert matured == {"purchase_7d": 8.0, "churn_30d": 31.0}


def test_the_columns_are_those_of_what_had_arrived_by_midnight():
    world = World().purchase(ADA, day=DAY - 5).purchase(ADA, day=DAY - 0.1).silence_until(day=DAY)
    expected = model_matrix(unpack([world.stored.states[ADA]]), SNAPSHOT_MS)[0].astype(np.float32)
    taken = dict(world.stored.snapshots)
    world.purchase(ADA, day=DAY + 0.1).late(purchase(ADA, DAY - 1, event_id="late"), at_day=DAY + 0.2)
    assert world.stored.snapshots == taken
    world.silence_until(day=DAY + 40)
    for label in world.labels(ADA):
        assert label["columns"] == expected.tolist()
        assert label["layout"] == LAYOUT


def test_the_scores_are_those_of_the_models_at_that_midnight():
    models = Models(PINNED.outcomes | {"purchase_7d": silence_document("purchase_7d")})
    world = World(models=models).purchase(ADA, day=DAY - 5).silence_until(day=DAY)
    states = unpack([world.stored.states[ADA]])
    bolder = msgspec.structs.replace(models.outcomes["churn_30d"].candidates["since_last_purchase"], bias=3.0)
    document = msgspec.structs.replace(
        silence_document(), version="v2", candidates={"since_last_purchase": bolder, "count_90d": bolder}
    )
    world.models = Models({"churn_30d": document})
    world.silence_until(day=DAY + 40)
    model = models.outcomes["churn_30d"].candidates["since_last_purchase"]
    (score,) = probability(model, model_matrix(states, SNAPSHOT_MS)).tolist()
    assert [label["scores"] for label in world.labels(ADA)] == [{"since_last_purchase": score}] * 2


def test_a_snapshot_before_the_first_model_has_no_scores():
    world = World(models=Models()).purchase(ADA, day=DAY - 5).silence_until(day=DAY + 40)
    assert [label["scores"] for label in world.labels(ADA)] == [{}, {}]


def test_a_customer_of_whom_the_day_after_is_known_already_gets_no_snapshot():
    world = World().purchase(ADA, day=DAY - 5)
    world.late(purchase(ADA, DAY + 0.1, event_id="ahead"), at_day=DAY - 0.1)  # live stream time lags behind events
    world.silence_until(day=DAY + 40)
    assert values(world) == {}


def test_a_customer_silent_for_180_days_gets_no_snapshot_until_it_returns():
    sampled = sampled_days(ADA, np.arange(1, 500))
    last = next(day for day in sampled if day > 181)
    world = World().purchase(ADA, day=0).silence_until(day=last + 1)
    taken = {label["snapshot_ms"] for label in world.labels(ADA)}
    assert taken == {BEGIN_MS + day * DAY_MS for day in sampled if day <= 180 and day + 8 <= last + 1}
    assert world.state(ADA)["decision"]["snapshot_at_ms"] == 0
    world.purchase(ADA, day=last + 2)
    following = next(day for day in sampled if day > last + 2)
    assert world.state(ADA)["decision"]["snapshot_at_ms"] == BEGIN_MS + following * DAY_MS


def test_the_180th_day_is_within():
    world = World().purchase(ADA, day=DAY - 180).silence_until(day=DAY)
    assert (ADA, SNAPSHOT_MS // DAY_MS) in world.stored.snapshots
    world = World().purchase(ADA, day=DAY - 180 - MS).silence_until(day=DAY)
    assert (ADA, SNAPSHOT_MS // DAY_MS) not in world.stored.snapshots


def test_who_never_bought_has_neither_snapshot_nor_a_deadline_for_one():
    world = World().page_view(ADA, day=DAY - 5).refund(ADA, day=DAY - 4)
    assert world.state(ADA)["decision"]["snapshot_at_ms"] == 0
    world.silence_until(day=DAY + 40)
    assert world.labels(ADA) == []


def test_no_more_snapshots_wait_than_an_outcome_allows():
    often = next(  # sampled on six of 29 days: more than four, the most that may wait for 30 days
        name for name in map(str, range(500_000)) if len(sampled_days(name, np.arange(1, 30))) >= 6
    )
    world = World()
    for day in range(32):
        world.purchase(often, day=day + 0.5)
        opened = unpack_open([world.stored.labels.get(often)])
        for outcome, most in ((CHURN_30D, 4), (PURCHASE_7D, 3)):
            assert (opened["outcome"] == outcome.code).sum() <= most
        assert {day for _, day in world.stored.snapshots} == set(opened["day"].tolist())
    world.silence_until(day=80)
    churn = [label for label in world.labels(often) if label["outcome"] == "churn_30d"]
    assert len([label for label in churn if label["snapshot_ms"] < BEGIN_MS + 30 * DAY_MS]) == 4


def test_a_snapshot_keeps_its_layout_and_one_of_another_is_refused():
    world = World().purchase(ADA, day=DAY - 5).silence_until(day=DAY)
    (stored,) = world.stored.snapshots.values()
    snapshot = decode_snapshot(stored)
    assert snapshot.of_layout(LAYOUT) is snapshot
    with pytest.raises(LayoutError, match=f"has layout {LAYOUT}, this version of Ebb reads another"):
        snapshot.of_layout("another")
