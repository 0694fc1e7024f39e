"""Rebuilt from an archive that is older than what an outcome asks now: old answers are none to the new question."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from ebb.compose.worker import worker_plan
from offline.archive.standing import Era, Standing
from stream.chunk import Models
from stream.features.layout import LAYOUT
from stream.memory_store import StoredPartition
from stream.outcomes.declaration import BUILT_IN, CHURN_30D
from stream.outcomes.snapshot import decode_snapshot
from tests.live_lane import run
from tests.lived_through import OF_ONE_PARTITION, SETTINGS, Life, archive, moments, rebuilt
from tests.world import CENTRES, decode_view, silence_document

ASKED = worker_plan(msgspec.structs.replace(SETTINGS, alert_outcome="churn_30d")).rules
OLD = msgspec.structs.replace(silence_document(version="old"), question=CHURN_30D.code)
ANEW = msgspec.structs.replace(CHURN_30D, horizon_days=20)
SETTINGS_ANEW = msgspec.structs.replace(
    SETTINGS,
    alert_outcome="churn_30d",
    outcomes=tuple(outcome for outcome in BUILT_IN if outcome != CHURN_30D),
    outcomes_file=(ANEW,),
)
DECLARED_ANEW = 100  # the place among the moments


@pytest.fixture(scope="module")
def life() -> Life:
    """Until day 50 a model answers; from there on another question has none, and the worker refuses the old one."""
    lived, every = Life(), moments()
    before = [replace(moment, models=Models({"churn_30d": OLD}, CENTRES)) for moment in every[:DECLARED_ANEW]]
    since = [replace(moment, models=Models({}, CENTRES)) for moment in every[DECLARED_ANEW:]]
    run(lived.go_on(before, rules=ASKED))
    run(lived.go_on(since, rules=worker_plan(SETTINGS_ANEW).rules))
    return lived


def standings(life: Life) -> dict[int, Standing]:
    """By the number of partitions that there are to be."""
    ended = Era(1, {0: life.stored.head.version}, {0: life.stored.head.sequence})
    return {1: OF_ONE_PARTITION, 3: Standing("live", LAYOUT, [ended, Era(3)])}


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_model_of_what_was_asked_before_scores_no_view_and_no_snapshot_of_the_new_question(
    life: Life, partitions: int, tmp_path: Path
) -> None:
    archive(tmp_path, life, others=[OLD])
    parts = rebuilt(tmp_path, standings(life)[partitions], SETTINGS_ANEW)
    views = {who: decode_view(packed) for part in parts for who, packed in part.views.items()}
    assert {view.scores["churn_30d"].version for view in views.values()} == {""}
    for who, packed in life.stored.views.items():
        assert msgspec.structs.replace(views[who], partition=0) == decode_view(packed)
    assert sum(len(part.snapshots) for part in parts) > 100
    assert not any(scores_said(part) for part in parts)


def scores_said(part: StoredPartition) -> list[dict[str, float]]:
    """What candidates said of churn_30d, of each snapshot of which one did."""
    scores = (decode_snapshot(packed).scores_of("churn_30d") for packed in part.snapshots.values())
    return [said for said in scores if said]


def test_alerts_that_were_opened_by_the_old_question_are_open_still(life: Life, tmp_path: Path) -> None:
    archive(tmp_path, life, others=[OLD])
    (found,) = rebuilt(tmp_path, settings=SETTINGS_ANEW)
    ours, theirs = (
        {who for who, packed in stored.views.items() if decode_view(packed).alert.open}
        for stored in (found, life.stored)
    )
    assert ours == theirs
    assert theirs
