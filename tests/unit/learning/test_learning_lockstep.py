import random

import msgspec
import pytest

from schemas.messages import EpochPassed, Label, ModelDecision
from stream.learning.lockstep import Lockstep


def label(partition, sequence, day, customer="ada"):
    return Label(
        message_id=f"{partition}:{sequence}",
        partition=partition,
        sequence=sequence,
        customer_id=customer,
        outcome="churn_30d",
        snapshot_ms=0,
        matured_ms=day,
        value=1.0,
        columns=[],
        scores={},
        layout="",
    )


def passed(partition, sequence, day):
    return EpochPassed(message_id=f"e{partition}:{day}:{sequence}", partition=partition, sequence=sequence, day=day)


def read(lockstep, records, offset=0):
    return [epoch for at, record in enumerate(records, start=offset) for epoch in lockstep.add(at, record)]


def names(epoch):
    return [found.message_id for found in epoch.labels]


def test_a_day_is_complete_when_the_last_partition_has_passed_it():
    log = Lockstep(partitions=2)
    assert read(log, [label(0, 1, 5), passed(0, 2, 5), label(1, 1, 5)]) == []
    (epoch,) = read(log, [passed(1, 2, 5)], offset=3)
    assert (epoch.day, names(epoch), epoch.resume_offset) == (5, ["0:1", "1:1"], 4)


def test_labels_are_sorted_by_maturity_then_customer():
    (epoch,) = read(Lockstep(1), [label(0, 1, 9, "bob"), label(0, 2, 9, "ada"), label(0, 3, 8, "eve"), passed(0, 4, 9)])
    assert names(epoch) == ["0:3", "0:2", "0:1"]


def test_what_a_fast_partition_wrote_of_later_days_waits_and_is_read_again_after_a_restart():
    records = [passed(0, 1, 5), label(0, 2, 6), passed(0, 3, 6), label(0, 4, 7), passed(1, 1, 5), passed(1, 2, 6)]
    first, second = read(Lockstep(2), records)
    assert (first.day, names(first), first.resume_offset) == (5, [], 1)
    assert (second.day, names(second), second.resume_offset) == (6, ["0:2"], 3)
    (again,) = read(Lockstep(2, trained_day=5), records[first.resume_offset :], offset=first.resume_offset)
    assert again == second


def test_an_epoch_passed_without_labels_is_read_again_too():
    records = [passed(0, 1, 5), passed(0, 2, 6), passed(1, 1, 5), passed(1, 2, 6)]
    first, second = read(Lockstep(2), records)
    assert first.resume_offset == 1
    (again,) = read(Lockstep(2, trained_day=5), records[1:], offset=1)
    assert again == second


def test_days_that_were_trained_are_discarded_when_read_again():
    records = [label(0, 1, 5), passed(0, 2, 5), label(0, 3, 6), passed(0, 4, 6)]
    (epoch,) = read(Lockstep(1, trained_day=5), records)
    assert (epoch.day, names(epoch)) == (6, ["0:3"])


def test_a_repeated_epoch_passed_takes_no_later_label_with_it():
    records = [label(0, 1, 5), passed(0, 2, 5), label(0, 3, 6), passed(0, 2, 5), label(0, 4, 6), passed(0, 5, 6)]
    _, second = read(Lockstep(1), records)
    assert names(second) == ["0:3", "0:4"]


def test_a_day_skipped_by_one_partition_completes_with_the_others_labels():
    records = [label(0, 1, 5), passed(0, 2, 5), passed(1, 1, 6), passed(0, 3, 6)]
    epochs = read(Lockstep(2), records)
    assert [(epoch.day, names(epoch)) for epoch in epochs] == [(5, ["0:1"]), (6, [])]


def test_a_record_of_a_partition_that_does_not_exist_stops_the_learner():
    with pytest.raises(KeyError):
        Lockstep(2).add(0, passed(2, 1, 5))


def test_epochs_do_not_depend_on_how_partitions_interleave_nor_on_restarts():
    chance = random.Random(4)
    lanes = [lane(partition, chance) for partition in range(3)]
    expected = content(read(Lockstep(3), interleaved(lanes, random.Random(0))))
    for seed in range(1, 20):
        records = interleaved(lanes, random.Random(seed))
        assert content(read_with_restarts(records, random.Random(seed))) == expected


def lane(partition, chance):
    records, sequence = [], 0
    for day in range(1, 9):
        for _ in range(chance.randrange(4)):
            sequence += 1
            records.append(label(partition, sequence, day, customer=f"c{chance.randrange(9)}-{partition}-{sequence}"))
        sequence += 1
        records.append(passed(partition, sequence, day))
    return records


def interleaved(lanes, chance):
    left = [list(lane) for lane in lanes]
    records = []
    while any(left):
        records.append(chance.choice([lane for lane in left if lane]).pop(0))
    return records


def read_with_restarts(records, chance):
    """Each epoch may be the last before a restart, which reads from its resume offset with fresh memory."""
    log, at, epochs = Lockstep(3), 0, []
    while at < len(records):
        found = log.add(at, records[at])
        epochs += found
        at += 1
        if found and chance.random() < 0.5:
            log, at = Lockstep(3, trained_day=found[-1].day), found[-1].resume_offset
    return epochs


def content(epochs):
    return [(epoch.day, [msgspec.structs.asdict(found) for found in epoch.labels]) for epoch in epochs]


def decision(name):
    return ModelDecision(message_id=name, outcome="churn_30d", action="unpin", decided_ms=0)


def test_a_decision_counts_with_the_day_that_is_completed_next_in_the_log():
    records = [passed(0, 1, 5), decision("first"), label(1, 1, 5), passed(1, 2, 5), decision("second"), passed(0, 2, 6)]
    log = Lockstep(2)
    (epoch,) = read(log, records)
    assert [each.message_id for each in epoch.decisions] == ["first"]
    (undisturbed,) = read(log, [passed(1, 3, 6)], offset=len(records))
    assert [each.message_id for each in undisturbed.decisions] == ["second"]
    assert epoch.resume_offset <= 4, "the second waits, and has to be read again"
    log = Lockstep(2, trained_day=5)
    (after,) = read(log, [*records[epoch.resume_offset :], passed(1, 3, 6)], offset=epoch.resume_offset)
    assert after == undisturbed
