"""Learners are saved one after another: a crash between two of them must not make one skip a day."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.messages import EpochPassed, LabelRecord
from schemas.units import DAY_MS
from stream.errors import ModelRefusedError, OvertakenError, StoreUnavailableError
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.learner.saved import Saved, open_saved, seal_saved
from stream.learner.teaching import Ruling, Teacher
from stream.learning.lockstep import Lockstep
from stream.learning.moved import moved
from stream.metrics.learner import DRIFT, EPOCH_DAY, REGISTRY
from stream.outcomes.declaration import BUILT_IN, CHURN_30D, CHURN_90D, HIGH_VALUE_90D, Outcome
from stream.scoring.documents import CANDIDATES, schema_of
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit
from stream.scoring.linear import LinearModel
from stream.signing import LEARNER, Keyring, open_sealed, seal
from stream.worker.model_watch import model_names
from tests.unit.learner.teachers import DAYS, FIRST_DAY, KEYS, Store, decision, in_force, labels, taught
from tests.unit.learning.drifting_labels import CHANGE_WEEK, history


def outcome(store: Store) -> dict[str, Any]:
    """Everything a worker would score with."""
    return {"documents": store.documents, "champions": store.champion, "learners": store.learners}


@pytest.mark.parametrize("saves", range(1, 3 * len(DAYS)))
async def test_wherever_it_crashes_between_two_saves_the_models_are_the_same(saves: int) -> None:
    undisturbed, disturbed = Store(), Store()
    await taught(undisturbed, DAYS)
    disturbed.saves_left = saves
    with pytest.raises(StoreUnavailableError):
        await taught(disturbed, DAYS)
    disturbed.saves_left = 10**9
    await taught(disturbed, DAYS)
    assert outcome(disturbed) == outcome(undisturbed)


async def test_a_learner_that_wakes_when_another_has_gone_on_takes_nothing_back() -> None:
    """What it had begun to save lacks the labels since; the others' offset says that they are learned."""
    undisturbed, store = Store(), Store()
    await taught(undisturbed, DAYS)
    sleeper = await taught(store, DAYS[:2])
    sleeper.learn(labels(DAYS[2]), DAYS[2])
    await taught(store, DAYS)
    store.saves_left = 1
    with pytest.raises(OvertakenError):
        await sleeper.publish(DAYS[2])
    assert outcome(store) == outcome(undisturbed)


async def test_no_model_is_said_to_be_of_a_day_it_has_not_learned() -> None:
    store = Store()
    await taught(store, DAYS[:2])
    store.saves_left = 1  # of the first learner
    with pytest.raises(StoreUnavailableError):
        await taught(store, DAYS[:3])
    teacher = Teacher(store, KEYS)
    assert await teacher.restore() == DAYS[1]
    assert teacher.epoch_day == DAYS[1]
    ahead, *others = (store.champion[name][1] for name in model_names())
    assert (ahead, others) == (DAYS[2], [DAYS[1]] * len(others))


async def test_a_new_outcome_does_not_take_the_others_back() -> None:
    store = Store()
    teacher = Teacher(store, KEYS, BUILT_IN[:2])
    teacher.learn(labels(DAYS[0]), DAYS[0])
    await teacher.publish(DAYS[0])
    assert await Teacher(store, KEYS, BUILT_IN[:3]).restore() == DAYS[0]


async def test_the_day_that_is_shown_is_what_is_known_after_a_start_also_with_a_new_outcome() -> None:
    store, shown = Store(), lambda: REGISTRY.get_sample_value("ebb_learner_epoch_day")
    teacher = Teacher(store, KEYS, BUILT_IN[:2])
    teacher.learn(labels(DAYS[0]), DAYS[0])
    await teacher.publish(DAYS[0])
    EPOCH_DAY.set(0)  # another process
    teacher = Teacher(store, KEYS, BUILT_IN[:3])
    await teacher.restore()
    assert (teacher.epoch_day, shown()) == (DAYS[0], DAYS[0])
    teacher.learn([], None, [Ruling(decision("pin", CANDIDATES[0]), None)])
    await teacher.publish(DAYS[0] + 1)
    assert shown() == DAYS[0]
    teacher.learn(labels(DAYS[1]), DAYS[1])
    await teacher.publish(DAYS[1])
    assert (teacher.epoch_day, shown()) == (DAYS[1], DAYS[1])


async def test_a_first_day_that_was_interrupted_is_not_known_yet() -> None:
    store = Store()
    store.saves_left = 2
    with pytest.raises(StoreUnavailableError):
        await taught(store, DAYS[:1])
    teacher = Teacher(store, KEYS)
    assert (await teacher.restore(), teacher.epoch_day) == (0, 0)


async def test_an_outcome_that_is_asked_again_does_not_take_the_others_back() -> None:
    store = Store()
    for outcomes, day in ((BUILT_IN[:3], DAYS[0]), (BUILT_IN[:2], DAYS[3])):
        teacher = Teacher(store, KEYS, outcomes)
        await teacher.restore()
        teacher.learn(labels(day), day)
        await teacher.publish(day)
    again = Teacher(store, KEYS, BUILT_IN[:3])
    assert await again.restore() == DAYS[3]
    assert store.learners["lapsed"][0] == DAYS[0]


async def learned(store: Store, asked: Outcome, day: int, told: Outcome) -> int:
    """How many labels the learner of an outcome has learned after a day on which 300 of a declaration were told."""
    teacher = Teacher(store, KEYS, (asked,))
    await teacher.restore()
    said = [replace(each, question=told.code) for each in labels(day, count=300) if each.outcome == asked.name]
    teacher.learn(said, day)
    await teacher.publish(day)
    return saved_in(store, asked.name).labels


async def test_what_is_declared_anew_under_its_name_begins_anew_with_labels_of_its_own() -> None:
    store, anew = Store(), replace(CHURN_30D, minimum_amount="40")
    assert await learned(store, CHURN_30D, DAYS[0], CHURN_30D) == 300
    store.challengers["churn_30d"] = {"outsider": b"trained for another question"}
    assert await learned(store, anew, DAYS[1], CHURN_30D) == 0
    assert (in_force(store).candidates, store.challengers) == ({}, {})
    assert await learned(store, anew, DAYS[2], anew) == 300
    assert in_force(store).question == anew.code


async def test_what_was_saved_and_told_before_questions_were_noted_goes_on() -> None:
    store = Store()
    await learned(store, CHURN_30D, DAYS[0], CHURN_30D)
    offset, _, metrics = store.learners["churn_30d"]
    saved = replace(saved_in(store, "churn_30d"), question=0)
    await store.save_learner("churn_30d", offset, seal_saved(saved, KEYS), metrics)
    teacher = Teacher(store, KEYS, (CHURN_30D,))
    await teacher.restore()
    teacher.learn(labels(DAYS[1], count=200), DAYS[1])
    await teacher.publish(DAYS[1])
    assert saved_in(store, "churn_30d").labels == 500


async def test_a_repetition_teaches_nothing() -> None:
    store = Store()
    teacher = await taught(store, DAYS[:1])
    before = labels_of(store)
    teacher.learn(labels(DAYS[0]), DAYS[1])
    await teacher.publish(DAYS[1])
    assert labels_of(store) == before == 40


def labels_of(store: Store) -> int:
    return saved_in(store, "churn_30d").labels


def saved_in(store: Store, name: str) -> Saved:
    next_offset, packed, _ = store.learners[name]
    return open_saved(packed, name, next_offset, KEYS)


def log_of(days: range) -> list[LabelRecord]:
    """A labels log of two partitions, one of them a day ahead, in which a person speaks twice."""
    records: list[LabelRecord] = []
    for at, day in enumerate(days):
        if at == 2:
            records.append(decision("pin", "newton_logistic"))
        for partition in (0, 1):
            sequence = 2 * at
            records += [
                msgspec.structs.replace(each, partition=partition, sequence=sequence)
                for each in labels(day + 1 - partition, count=12)
            ]
            passed = EpochPassed(
                message_id=f"{partition}-{day}", partition=partition, sequence=sequence + 1, day=day + 1 - partition
            )
            records.append(passed)
            if at == 4 and partition == 0:
                records.append(decision("rollback"))
    return records


async def read(store: Store, log: list[LabelRecord]) -> None:
    """A learner process in lockstep from its start to the end of the log, as far as the store lets it."""
    teacher = Teacher(store, KEYS)
    begin = await teacher.restore()
    epochs = Lockstep(2, teacher.epoch_day)
    for offset, record in enumerate(log[begin:], start=begin):
        for epoch in epochs.add(offset, record):
            teacher.learn(epoch.labels, epoch.day, [await teacher.ruling(each) for each in epoch.decisions])
            await teacher.publish(epoch.resume_offset)


@pytest.mark.parametrize("saves", [1, 5, 6, 7, 8, 13, 14, 15, 21, 22, 28, 35, 36, 41])  # seven are saved a day
async def test_wherever_it_crashes_a_person_s_decisions_count_once_and_on_their_day(saves: int) -> None:
    log = log_of(DAYS)
    undisturbed, disturbed = Store(), Store()
    await read(undisturbed, log)
    disturbed.saves_left = saves
    with pytest.raises(StoreUnavailableError):
        await read(disturbed, log)
    disturbed.saves_left = 10**9
    await read(disturbed, log)
    assert outcome(disturbed) == outcome(undisturbed)
    lineage = in_force(undisturbed).lineage
    assert lineage is not None
    assert (lineage.champion.candidate, lineage.champion.why, lineage.is_pinned) == (
        "mean_logit_hazard",
        "rollback",
        False,
    )


async def test_a_decision_is_published_without_a_new_label_and_outlives_the_learner() -> None:
    store = Store()
    teacher = await taught(store, DAYS)
    before = in_force(store)
    pinned = decision("pin", "newton_logistic")
    teacher.learn([], DAYS[-1] + 1, [await teacher.ruling(pinned)])
    await teacher.publish(next_offset=90_099)
    after = in_force(store)
    assert (before.lineage.champion.candidate, after.lineage.champion.candidate) == (
        "mean_logit_hazard",
        "newton_logistic",
    )
    assert (after.version, after.lineage.champion.who, after.lineage.is_pinned) == (f"{before.version}.1", "ada", True)
    champions = [
        REGISTRY.get_sample_value("ebb_model_champion", {"outcome": "churn_30d", "candidate": candidate})
        for candidate in ("mean_logit_hazard", "newton_logistic")
    ]
    assert champions == [None, 1.0]
    again = Teacher(store, KEYS)
    await again.restore()
    again.learn(labels(DAYS[-1] + 2), DAYS[-1] + 2, [await again.ruling(pinned)])
    await again.publish(next_offset=90_100)
    assert in_force(store).lineage.champion == after.lineage.champion


async def test_a_serving_document_says_where_it_comes_from() -> None:
    store = Store()
    await taught(store, range(FIRST_DAY, FIRST_DAY + 20))
    document = in_force(store)
    assert (document.layout, document.schema) == (LAYOUT, schema_of(MODEL_COLUMNS))
    assert document.trained_until_ms == (FIRST_DAY + 19) * 86_400_000 + 39
    assert set(document.lineage.recipes) == set(document.candidates) != set()


async def through_a_change(store: Store) -> Teacher:
    """A learner process in lockstep over the weeks around a change, day by day."""
    teacher = Teacher(store, KEYS)
    begin = await teacher.restore()
    for day in range(max(begin, AROUND_THE_CHANGE.start), AROUND_THE_CHANGE.stop):
        if day > teacher.epoch_day:
            teacher.learn([each for each in MOVED if each.matured_ms // DAY_MS == day], day)
            await teacher.publish(next_offset=day + 1)
    return teacher


AROUND_THE_CHANGE = range((CHANGE_WEEK + 1) * 7, (CHANGE_WEEK + 5) * 7)
MOVED = [
    msgspec.structs.replace(each, scores=dict.fromkeys(CANDIDATES, each.scores["mean_logit"]))
    for each in history(truth=2.5)
]
BEFORE = [each for each in MOVED if each.matured_ms // DAY_MS < AROUND_THE_CHANGE.start]


async def before_the_change() -> Store:
    store = Store()
    teacher = Teacher(store, KEYS)
    teacher.learn(BEFORE, AROUND_THE_CHANGE.start - 1)
    await teacher.publish(next_offset=AROUND_THE_CHANGE.start)
    return store


@pytest.mark.parametrize("day", [13, 14, 15])  # the fifteenth begins the week after the one that shows the change
@pytest.mark.parametrize("saves", [1, 2, 3, 6])
async def test_wherever_it_crashes_the_challenger_after_drift_is_the_same(day: int, saves: int) -> None:
    undisturbed, disturbed = await before_the_change(), await before_the_change()
    await through_a_change(undisturbed)
    disturbed.saves_left = day * 7 + saves
    with pytest.raises(StoreUnavailableError):
        await through_a_change(disturbed)
    disturbed.saves_left = 10**9
    await through_a_change(disturbed)
    assert outcome(disturbed) == outcome(undisturbed)
    assert [name for name in in_force(undisturbed, "purchase_7d").candidates if name.startswith("drift_")]


async def test_drift_is_shown_and_said_when_a_week_ends_and_not_with_every_batch() -> None:
    store = await before_the_change()
    teacher = Teacher(store, KEYS)
    await teacher.restore()
    series = {"measure": "calibration_shift", "subject": "purchase_7d"}
    shown, said = [], []
    for day in AROUND_THE_CHANGE:
        DRIFT.clear()
        teacher.learn([each for each in MOVED if each.matured_ms // DAY_MS == day], day)
        shown.append(REGISTRY.get_sample_value("ebb_drift", series) is not None)
        said += [(day - AROUND_THE_CHANGE.start, each.subject) for each in teacher.take_noticed()]
    assert [at for at, was in enumerate(shown) if was] == [0, 7, 14, 21]
    assert set(said) == {(14, "purchase_7d"), (21, "purchase_7d")}
    await teacher.publish(next_offset=AROUND_THE_CHANGE.stop)
    assert REGISTRY.get_sample_value("ebb_drift_challengers", {"outcome": "purchase_7d"}) == 1.0
    DRIFT.clear()
    again = Teacher(store, KEYS)
    await again.restore()
    assert REGISTRY.get_sample_value("ebb_drift", series), "a learner that starts shows how it was when the week ended"
    assert again.take_noticed() == []


async def test_a_key_is_changed_by_letting_the_new_one_sign_before_the_old_one_goes() -> None:
    new = "new:" + "0f" * 32
    store = Store()
    await taught(store, range(FIRST_DAY, FIRST_DAY + 20))
    await Teacher(store, Keyring.from_text(f"{new}, k:{'5e' * 32}")).restore()
    with pytest.raises(ModelRefusedError, match="signed with key 'new'; known are k"):
        in_force(store)
    in_force_then = in_force(store, keys=Keyring.from_text(new))
    assert in_force_then.serving is not None
    judged = store.learners["churn_30d"]
    await Teacher(store, Keyring.from_text(new)).restore()
    assert in_force(store, keys=Keyring.from_text(new)) == in_force_then, "no label has come since"
    assert store.learners["churn_30d"] == judged


async def test_a_learner_whose_key_is_lost_goes_on_with_another_at_its_next_label_once_a_person_has_signed_it() -> None:
    store, other = Store(), Keyring.from_text("other:" + "0f" * 32)
    await taught(store, range(FIRST_DAY, FIRST_DAY + 20))
    teacher = Teacher(store, other)
    with pytest.raises(ModelRefusedError, match="`ebb models sign`"):
        await teacher.restore()
    for name, (next_offset, packed, judged) in list(store.learners.items()):
        store.learners[name] = next_offset, seal(open_sealed(packed, KEYS, LEARNER), other, LEARNER), judged
    await teacher.restore()
    teacher.learn(labels(FIRST_DAY + 20), FIRST_DAY + 20)
    await teacher.publish(90_099)
    assert in_force(store, keys=other).serving is not None


async def test_outcomes_are_rolled_forward_by_what_is_learned_of_seven_days() -> None:
    store = Store()
    await taught(store, DAYS)
    churn, weekly = (in_force(store, name) for name in ("churn_30d", "purchase_7d"))
    hazard = HazardModel(weekly.candidates["newton_logistic"], 30, "none")
    assert churn.candidates["hazard"] == hazard
    assert churn.candidates["mean_logit_hazard"] == MeanLogit(churn.candidates["mean_logit"], hazard)
    assert "hazard" not in weekly.candidates


async def test_a_hazard_that_stored_scores_of_the_soonest_outcome_found_worse_counts_less_in_all_that_are_rolled() -> (
    None
):
    store = Store()
    teacher = Teacher(store, KEYS)
    await teacher.restore()
    for day in DAYS:
        scored = [
            replace(label, outcome=name, message_id=f"{name}-{label.message_id}", scores=scores)
            for name, scores in (("churn_30d", WORSE_HAZARD), ("churn_90d", {}))
            for label in labels(day, 120)[:120]
        ]
        teacher.learn([*scored, *[each for each in labels(day) if each.outcome == "purchase_7d"]], day)
        await teacher.publish(next_offset=day)
    again = Teacher(store, KEYS)
    await again.restore()
    again.learn([replace(label, message_id=f"later-{label.message_id}") for label in labels(DAYS[-1])], DAYS[-1] + 1)
    await again.publish(next_offset=DAYS[-1] + 1)
    shares = [of.candidates["mean_logit_hazard"] for of in (in_force(store, "churn_30d"), in_force(store, "churn_90d"))]
    assert all(isinstance(each, MeanLogit) and each.hazard_share < 0.01 for each in shares)


WORSE_HAZARD = {"mean_logit": 0.4, "hazard": 0.9}  # a third of the labels is true


async def test_purchases_of_an_amount_are_moved_by_what_is_learned_of_all_purchases() -> None:
    store = Store()
    teacher = Teacher(store, KEYS)
    await teacher.restore()
    for day in DAYS:
        of_90_days = [
            replace(label, outcome=name, message_id=f"{name}-{label.message_id}", value=float(label.value == which))
            for name, which in (("churn_90d", 0.0), ("high_value_90d", 1.0))
            for label in labels(day)[:40]
        ]
        teacher.learn([*labels(day), *of_90_days], day)
        await teacher.publish(next_offset=day)
    high, churn, weekly = (in_force(store, name).candidates for name in ("high_value_90d", "churn_90d", "purchase_7d"))
    parts = (high["mean_logit"], churn["mean_logit"], weekly["newton_logistic"])
    assert all(isinstance(part, LinearModel) for part in parts)
    assert high["mean_logit_moved"] == moved(*parts, HIGH_VALUE_90D, CHURN_90D)  # type: ignore[arg-type]
    assert "hazard" not in high
