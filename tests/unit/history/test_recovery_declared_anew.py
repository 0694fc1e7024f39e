"""Rebuilt from an archive in which outcomes and rules change: each time by what was asked then.

Where a journal of before does not tell, the whole past is asked what is asked now, and old answers are none to that.
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from ebb.compose.worker import worker_plan
from offline.archive.standing import Era, Standing, Waiting
from stream.chunk import Models
from stream.features.layout import LAYOUT
from stream.memory_store import StoredPartition
from stream.outcomes.declaration import BUILT_IN, CHURN_30D, PURCHASE_7D
from stream.outcomes.snapshot import decode_snapshot
from stream.worker.journal_entry import decode_entry, encode_entry
from tests.live_lane import run
from tests.lived_through import CALMER, OF_ONE_PARTITION, SETTINGS, Life, archive, moments, rebuilt
from tests.unit.history.test_live_recovery_law import STORED, assert_everybody, assert_same, reached
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


@pytest.fixture(scope="module")
def untold(life: Life) -> Life:
    """The same as workers of before have noted it."""
    told = deepcopy(life)
    entries = map(decode_entry, life.stored.journal)
    told.stored.journal[:] = [encode_entry(msgspec.structs.replace(entry, rules=None)) for entry in entries]
    return told


FEWER_AND_SURER = msgspec.structs.replace(
    SETTINGS, outcomes=(CHURN_30D, PURCHASE_7D), alert_probability=0.6, alert_close_probability=0.5, decide_every_ms=0
)


def test_a_past_with_changes_of_outcomes_and_thresholds_is_what_it_was_to_the_number_of_each_message(
    tmp_path: Path,
) -> None:
    life, every = Life(), moments()
    run(life.go_on(every[:50]))
    then = life.stored.head.sequence
    run(life.go_on(every[50:90], rules=worker_plan(FEWER_AND_SURER).rules))
    run(life.go_on(every[90:], rules=worker_plan(SETTINGS_ANEW).rules))
    assert life.stored.head.sequence > then > 0
    archive(tmp_path, life)
    waiting = Waiting(life.stored.head.sequence, [then + 5])
    standing = msgspec.structs.replace(OF_ONE_PARTITION, outboxes={0: waiting})
    (found,) = rebuilt(tmp_path, standing, SETTINGS_ANEW)
    assert_same(found, life.stored, [name for name in STORED if name != "outbox"])
    assert found.outbox == {then + 5: life.stored.outbox[then + 5]}
    assert reached(found) == reached(life.stored)
    parts = rebuilt(tmp_path, standings(life)[3], SETTINGS_ANEW)
    assert_everybody(parts, [life.stored])


def test_a_model_of_the_new_question_is_found_though_one_of_the_old_question_has_its_version(tmp_path: Path) -> None:
    calm = CALMER.outcomes["churn_30d"]
    new = msgspec.structs.replace(calm, version=OLD.version, question=ANEW.code)
    life, every = Life(), moments()
    for document, rules, some in ((OLD, ASKED, every[:80]), (new, worker_plan(SETTINGS_ANEW).rules, every[80:])):
        models = Models({"churn_30d": document}, CENTRES)
        run(life.go_on([replace(moment, models=models) for moment in some], rules=rules))
    archive(tmp_path, life, others=[OLD, new])
    (found,) = rebuilt(tmp_path, settings=SETTINGS_ANEW)
    assert_same(found, life.stored)


def standings(life: Life) -> dict[int, Standing]:
    """By the number of partitions that there are to be."""
    ended = Era(1, {0: life.stored.head.version}, {0: life.stored.head.sequence})
    return {1: OF_ONE_PARTITION, 3: Standing("live", LAYOUT, [ended, Era(3)])}


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_model_of_what_was_asked_before_scores_no_view_and_no_snapshot_of_the_new_question(
    untold: Life, partitions: int, tmp_path: Path
) -> None:
    archive(tmp_path, untold, others=[OLD], by_question=False)
    parts = rebuilt(tmp_path, standings(untold)[partitions], SETTINGS_ANEW)
    views = {who: decode_view(packed) for part in parts for who, packed in part.views.items()}
    assert {view.scores["churn_30d"].version for view in views.values()} == {""}
    for who, packed in untold.stored.views.items():
        assert msgspec.structs.replace(views[who], partition=0) == decode_view(packed)
    assert sum(len(part.snapshots) for part in parts) > 100
    assert not any(scores_said(part) for part in parts)


def scores_said(part: StoredPartition) -> list[dict[str, float]]:
    """What candidates said of churn_30d, of each snapshot of which one did."""
    scores = (decode_snapshot(packed).scores_of("churn_30d") for packed in part.snapshots.values())
    return [said for said in scores if said]


def test_alerts_that_were_opened_by_the_old_question_are_open_still(untold: Life, tmp_path: Path) -> None:
    archive(tmp_path, untold, others=[OLD], by_question=False)
    (found,) = rebuilt(tmp_path, settings=SETTINGS_ANEW)
    ours, theirs = (
        {who for who, packed in stored.views.items() if decode_view(packed).alert.open}
        for stored in (found, untold.stored)
    )
    assert ours == theirs
    assert theirs
