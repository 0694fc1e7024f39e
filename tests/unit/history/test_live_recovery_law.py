"""On the live clock: a partition rebuilt from its archive is the one that was lost, after ticks, silence and sweeps."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ebb.history.archiving import journal_ends
from ebb.history.stretches import NO_LIMIT
from offline.archive.erasing import take_out
from offline.archive.standing import Era, Standing, Waiting
from schemas.partition import partition_of
from schemas.topics import LABELS, PURCHASES
from schemas.units import DAY_MS
from stream.drafts import Outgoing, unpack_outgoing
from stream.features.layout import LAYOUT
from stream.features.stored import unpack
from stream.memory_store import StoredPartition
from stream.ports import NOT_SWEPT
from stream.worker.journal_entry import JournalEntry, decode_entry
from stream.worker.timing import EVENT_TOPICS
from tests.live_lane import LIMITS, LiveLane, Logged, Logs, event_topic, ids, run
from tests.lived_through import (
    CALMER,
    DAYS,
    NIGHT,
    NOON,
    OF_ONE_PARTITION,
    OTHER_MODELS_DAY,
    RULES,
    SURER,
    Life,
    Moment,
    archive,
    moments,
    rebuilt,
)
from tests.world import BEGIN_MS, PINNED, decode_view, purchase

STORED = ("states", "views", "deadlines", "due", "segments", "risks", "labels", "snapshots", "totals", "outbox")


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Life, Life]:
    """At noon of day 45, and at the end."""
    lives = moments()
    at_noon, at_end = run(Life().go_on(lives[:NOON], lives[NOON:]))
    return at_noon, at_end


def assert_same(found: StoredPartition, expected: StoredPartition, names: Sequence[str] = STORED) -> None:
    for name in names:
        ours, theirs = (without_empty(getattr(stored, name)) for stored in (found, expected))
        if isinstance(theirs, dict):
            other = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
            assert not other, (name, len(other), len(theirs), ours.get(other[0]), theirs.get(other[0]))
        assert ours == theirs, name


def without_empty(found: Any) -> Any:
    return {key: value for key, value in found.items() if value} if isinstance(found, dict) else found


def reached(stored: StoredPartition) -> Any:
    head = stored.head
    return head.positions, head.stream_time_ms, head.sequence, head.sweep.under, head.heard


def test_a_partition_rebuilt_from_its_archive_is_the_one_that_was_lost(
    undisturbed: tuple[Life, Life], tmp_path: Path
) -> None:
    _, life = undisturbed
    entries = [decode_entry(packed) for packed in life.stored.journal]
    assert any(entry.tick for entry in entries)
    assert any(entry.renewed for entry in entries)
    assert any(entry.postponed for entry in entries)
    assert any(entry.fired and entry.offsets for entry in entries), "time has lagged behind records"
    archive(tmp_path, life)
    (found,) = rebuilt(tmp_path)
    assert_same(found, life.stored)
    assert reached(found) == reached(life.stored)


def test_one_that_is_lost_again_is_what_it_was_and_in_the_end_what_it_would_have_been(
    undisturbed: tuple[Life, Life], tmp_path: Path
) -> None:
    life, (at_noon, at_end), lives = Life(), undisturbed, moments()
    life.logs = deepcopy(at_noon.logs)
    archive(tmp_path, at_noon, journal_until=-4)  # the journal is read first
    (life.stored,) = rebuilt(tmp_path)
    assert [decode_entry(packed).offsets for packed in life.stored.journal], (
        "what it did without a journal it has noted"
    )
    run(life.go_on(lives[NOON:NIGHT]))
    archive(tmp_path, life)
    (again,) = rebuilt(tmp_path)
    assert_same(again, life.stored)
    life.stored = again
    run(life.go_on(lives[NIGHT:]))
    assert_same(life.stored, at_end.stored, [name for name in STORED if name != "outbox"])


def backlog(wall_ms: int) -> Life:
    """A life of which everything is read at once, when it is over."""
    life = Life()
    for event in (event for moment in moments() for event in moment.events):
        log = life.logs[event_topic(event["type"])]
        log.append(Logged("", len(log), msgspec.json.encode(event), wall_ms))
    lane = LiveLane(life.logs, limits=LIMITS, wall_ms=wall_ms, rules=RULES, stored=life.stored)

    async def whole() -> None:
        await (await lane.claim()).finish(wall_ms)

    run(whole())
    return life


def test_without_whom_an_erasure_took_out_everybody_else_is_as_they_were(tmp_path: Path) -> None:
    life = backlog(BEGIN_MS + DAYS * DAY_MS)
    runs = [decode_entry(packed).stream_time_runs for packed in life.stored.journal]
    assert any(len(places) > 1 for places in runs), "a chunk has many stream times"
    archive(tmp_path, life)
    gone = ["customer-9", "customer-11"]
    assert take_out(tmp_path, gone, BEGIN_MS + DAYS * DAY_MS) > len(gone)
    (found,) = rebuilt(
        tmp_path, msgspec.structs.replace(OF_ONE_PARTITION, outboxes={0: Waiting(life.stored.head.sequence)})
    )
    for name in ("states", "views", "deadlines", "risks", "labels", "snapshots"):
        ours, theirs = (without_empty(getattr(stored, name)) for stored in (found, life.stored))
        theirs = {key: value for key, value in theirs.items() if not {key, key[0]} & set(gone)}
        other = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        assert not other, (name, len(other), len(theirs), other[0])
    assert found.head.sequence == life.stored.head.sequence, "no number means two messages"
    assert found.head.stream_time_ms == life.stored.head.stream_time_ms


def test_a_partition_that_is_shared_out_leaves_everybody_as_they_were(
    undisturbed: tuple[Life, Life], tmp_path: Path
) -> None:
    _, life = undisturbed
    archive(tmp_path, life)
    head = life.stored.head
    ended = Era(1, {0: head.version}, {0: head.sequence})
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [ended, Era(3)]))
    assert_everybody(parts, [life.stored])
    assert [part.head.stream_time_ms for part in parts] == [head.stream_time_ms] * 3


def test_after_a_repartition_no_time_is_behind_what_has_fired_and_a_sweep_begins_with_everybody(
    undisturbed: tuple[Life, Life], tmp_path: Path
) -> None:
    _, life = undisturbed
    archive(tmp_path, life)
    head, fired_ms = life.stored.head, max(decode_entry(packed).stream_time_ms for packed in life.stored.journal)
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [Era(1, {0: head.version}, {0: head.sequence}), Era(3)]))
    for part in parts:
        assert part.head.stream_time_ms >= fired_ms
        assert min(part.deadlines.values()) > part.head.stream_time_ms, "nothing is due that had fired"
        assert part.head.sweep == NOT_SWEPT, "of nobody it is believed that they are decided under models of now"


def test_what_fired_in_a_silence_is_shared_out_under_the_models_of_then(tmp_path: Path) -> None:
    life, busy = Life(), moments()[:80]
    silence = [replace(moment, events=[]) for moment in moments()[80 : OTHER_MODELS_DAY * 2]]
    run(life.go_on([*busy, *silence, replace(silence[-1], wall_ms=silence[-1].wall_ms + 1_000, models=CALMER)]))
    views = [decode_view(view) for view in life.stored.views.values()]
    assert {view.scores["churn_30d"].version for view in views} == {"v3"}
    assert sum(view.alert.open for view in views) > 20, "the models of then have opened alerts, those of now would not"
    archive(tmp_path, life, others=[CALMER.outcomes["churn_30d"]])
    head = life.stored.head
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [Era(1, {0: head.version}, {0: head.sequence}), Era(3)]))
    assert_everybody(parts, [life.stored])


@pytest.mark.parametrize("fewer", [2, 1])
def test_partitions_that_are_shared_out_among_fewer_leave_everybody_as_they_were(fewer: int, tmp_path: Path) -> None:
    lives = [Life(number, 3) for number in range(3)]
    for life in lives:
        run(life.go_on(at_home(life, moments())))
        archive(tmp_path, life)
    heads = [life.stored.head for life in lives]
    versions, sequences = ({n: getattr(head, name) for n, head in enumerate(heads)} for name in ("version", "sequence"))
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [Era(3, versions, sequences), Era(fewer)]))
    assert_everybody(parts, [life.stored for life in lives])
    assert {part.head.stream_time_ms for part in parts} == {max(head.stream_time_ms for head in heads)}


def one_later(number: int) -> list[Moment]:
    """The same, but that a partition takes up each model as many half days later as its number, one by one."""
    turns, every = [PINNED, SURER, CALMER], moments()
    return [replace(moment, models=turns[max(at - 4 * number, 0) // 24 % 3]) for at, moment in enumerate(every)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_deadlines_fire_under_the_models_of_their_own_partition_while_others_have_others(
    count: int, tmp_path: Path
) -> None:
    lives = [Life(number, 3) for number in range(3)]
    for life in lives:
        run(life.go_on(at_home(life, one_later(life.partition))))
        archive(tmp_path, life, others=[CALMER.outcomes["churn_30d"]])
    heads = [life.stored.head for life in lives]
    versions, sequences = ({n: getattr(head, name) for n, head in enumerate(heads)} for name in ("version", "sequence"))
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [Era(3, versions, sequences), Era(count)]))
    assert_everybody(parts, [life.stored for life in lives])


def test_what_no_partition_had_fired_waits_for_the_next_worker_which_tells_of_it(tmp_path: Path) -> None:
    lives, every = [Life(number, 2) for number in range(2)], moments()
    for life in lives:
        run(life.go_on(at_home(life, every[: len(every) - 30 * life.partition])))
        archive(tmp_path, life)
    heads = [life.stored.head for life in lives]
    late = [due for due in lives[1].stored.deadlines.values() if due <= heads[0].stream_time_ms]
    assert late, "one stopped earlier than the other"
    versions, sequences = ({n: getattr(head, name) for n, head in enumerate(heads)} for name in ("version", "sequence"))
    all_sent = dict.fromkeys(range(3), Waiting(NO_LIMIT))
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [Era(2, versions, sequences), Era(3)], all_sent))
    assert_everybody(parts, [life.stored for life in lives])
    assert {part.head.stream_time_ms for part in parts} == {heads[0].stream_time_ms}
    told = [run(ticked(number, part)) for number, part in enumerate(parts)]
    assert sum(map(len, told)) > 0
    assert min(due for part in parts for due in part.deadlines.values()) > heads[0].stream_time_ms


async def ticked(number: int, stored: StoredPartition) -> Sequence[Outgoing]:
    """What the next worker of one of three partitions has to say at its first tick."""
    nothing: Logs = {topic: [] for topic in EVENT_TOPICS}
    wall_ms = stored.head.stream_time_ms
    lane = LiveLane(nothing, partition=number, partitions=3, rules=RULES, stored=stored, wall_ms=wall_ms)
    lane.models.models = SURER
    await (await lane.claim()).work()
    return lane.outgoing()


def at_home(life: Life, everything: Sequence[Moment]) -> list[Moment]:
    """What of it concerns the customers of one partition."""

    def is_home(customer: str) -> bool:
        return partition_of(customer, life.partitions) == life.partition

    return [
        replace(
            moment,
            events=[event for event in moment.events if is_home(event["customer_id"])],
            fail=[customer for customer in moment.fail if is_home(customer)],
        )
        for moment in everything
    ]


def assert_everybody(found: Sequence[StoredPartition], expected: Sequence[StoredPartition]) -> None:
    """That each customer is what it was, wherever it lives."""
    for name in ("states", "deadlines", "risks", "labels", "snapshots"):
        ours, theirs = (
            {key: value for part in some for key, value in without_empty(getattr(part, name)).items()}
            for some in (found, expected)
        )
        other = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        assert not other, (name, len(other), len(theirs), other[0])
    ours, theirs = (
        {
            customer: msgspec.structs.replace(decode_view(view), partition=0)
            for part in some
            for customer, view in part.views.items()
        }
        for some in (found, expected)
    )
    assert ours == theirs


def test_what_no_entry_speaks_of_is_decided_under_the_models_of_before_also_where_an_era_has_ended(
    undisturbed: tuple[Life, Life], tmp_path: Path
) -> None:
    _, life = undisturbed
    archive(tmp_path, life, journal_until=-4)
    ended = Era(1, journal_ends(tmp_path, 1))
    (found,) = rebuilt(tmp_path, Standing("live", LAYOUT, [ended, Era(1)]))
    assert found.head.positions == life.stored.head.positions
    assert {decode_view(view).scores["churn_30d"].version for view in found.views.values()} == {"v2"}


def few_customers() -> Life:
    """Of whom an old log has been read one by one; nothing has ticked."""
    events = [purchase(f"customer-{number * 7 % 5}", 3.0 * number, event_id=f"e{number}") for number in range(60)]
    life = Life()
    life.logs[PURCHASES] += [
        Logged("", number, msgspec.json.encode(event), BEGIN_MS + 400 * DAY_MS) for number, event in enumerate(events)
    ]

    async def read() -> None:
        limits = replace(LIMITS, chunk_records=1)
        lane = LiveLane(life.logs, limits=limits, rules=RULES, stored=life.stored)
        await (await lane.claim()).fetch(PURCHASES)
        await lane.work()

    run(read())
    return life


def test_what_no_entry_speaks_of_has_the_times_it_had(tmp_path: Path) -> None:
    """Before three customers have come again, time would stand."""
    life = few_customers()
    archive(tmp_path, life, journal_until=-30)
    (found,) = rebuilt(tmp_path)
    noted = [decode_entry(packed) for packed in found.journal]
    expected = [decode_entry(packed) for packed in life.stored.journal]
    times = {place: time_ms for entry in expected if entry.offsets for place, time_ms in times_of(entry).items()}
    again = {place: time_ms for entry in noted for place, time_ms in times_of(entry).items()}
    assert len(again) > 20
    assert again == {place: times[place] for place in again}
    assert reached(found)[1:] == reached(life.stored)[1:]


def test_what_was_heard_of_customers_goes_with_them_to_other_partitions(tmp_path: Path) -> None:
    life = few_customers()
    archive(tmp_path, life)
    ended = Era(1, {0: life.stored.head.version}, {0: life.stored.head.sequence})
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [ended, Era(3)]))
    assert len(voices(life.stored)) == 2
    assert sorted(voice for part in parts for voice in voices(part)) == voices(life.stored)


def voices(stored: StoredPartition) -> list[list[int]]:
    """Checksum and time of whoever is ahead of stream time."""
    packed = b"".join(packed[24:] for packed in stored.head.heard.values())
    return sorted(np.frombuffer(packed, "<i8").reshape(-1, 3)[:, 1:].tolist())


def times_of(entry: JournalEntry) -> dict[int, int]:
    """Offset -> stream time of each record, where all are of one topic."""
    if not entry.offsets:
        return {}
    ((first, end),) = entry.offsets.values()
    times = np.zeros(end - first, np.int64)
    for place, time_ms in entry.stream_time_runs:
        times[place:] = time_ms
    return dict(zip(range(first, end), times.tolist(), strict=True))


def test_what_no_entry_speaks_of_is_shared_out_among_other_partitions_too(
    undisturbed: tuple[Life, Life], tmp_path: Path
) -> None:
    _, life = undisturbed
    archive(tmp_path, life, journal_until=-4)
    ended = Era(1, journal_ends(tmp_path, 1), ends={topic: [len(log)] for topic, log in life.logs.items()})
    parts = rebuilt(tmp_path, Standing("live", LAYOUT, [ended, Era(3)]))
    for number, part in enumerate(parts):
        assert {partition_of(customer, 3) for customer in part.states} == {number}
    everybody = StoredPartition(states={who: packed for part in parts for who, packed in part.states.items()})
    assert features(everybody) == features(life.stored)


def features(stored: StoredPartition) -> bytes:
    """What everybody did, without what was decided of them."""
    return unpack([stored.states[customer] for customer in sorted(stored.states)])["features"].tobytes()


def test_after_another_layout_everybody_did_what_they_did_and_labels_are_said_again_without_models(
    undisturbed: tuple[Life, Life], tmp_path: Path
) -> None:
    _, life = undisturbed
    archive(tmp_path, life)
    head = life.stored.head
    ended = Era(1, {0: head.version}, {0: head.sequence}, layout="another")
    (found,) = rebuilt(tmp_path, Standing("live", "another", [ended, Era(1)], {0: Waiting(head.sequence)}))
    features = [
        unpack([stored.states[who] for who in sorted(stored.states)])["features"] for stored in (found, life.stored)
    ]
    assert features[0].tobytes() == features[1].tobytes()
    sent, said = (map(unpack_outgoing, stored.outbox.values()) for stored in (life.stored, found))
    assert ids(said) == ids(message for message in sent if message.topic == LABELS)
    assert {decode_view(view).scores["churn_30d"].version for view in found.views.values()} == {""}
    assert found.head.sequence == head.sequence
