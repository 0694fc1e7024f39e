"""A record at which a bug strikes is set aside, and nothing else: what remains is as if it had never been written."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs

from offline.archive.files import JOURNAL
from offline.archive.records import ArchivedRecord
from schemas.topics import INVALID, PURCHASES
from schemas.units import DAY_MS
from stream import verdicts
from stream.actions.acting import Acting
from stream.bugs import rejecting_bugs
from stream.chunk import StreamTimes
from stream.decisions import Asked, Decisions
from stream.memory_store import StoredPartition
from stream.worker.blaming import SET_ASIDE_AT_MOST, DecisionError
from stream.worker.inbox import Batch
from stream.worker.journal_entry import decode_entry
from stream.worker.quarantine import Attempt, Quarantine
from tests.live_lane import LIMITS, LiveLane, Logs, decode_by_rules, ids, logs_of, recomputed, run
from tests.lived_through import add, rebuilt
from tests.property.test_clock_restarts import stream_times
from tests.unit.worker.test_sweeping import SURER
from tests.world import BEGIN_MS, PINNED, World, in_columns, purchase

NAMES = [f"customer-{number}" for number in range(9)]


class Bugs:
    """Customers whose decisions fail, and whose silences do; `reasons` come one after another."""

    def __init__(self) -> None:
        self.customers: set[str] = set()
        self.reasons: Sequence[type[Exception]] = [ZeroDivisionError]
        self.struck = 0

    def __call__(self, asked: Asked, _decisions: Decisions, acting: Acting) -> None:
        if self.customers & {acting.customers[row] for row in asked.rows.tolist()}:
            self.struck += 1
            raise self.reasons[self.struck % len(self.reasons)]("the bug\x1b[2J")


@pytest.fixture
def bugs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bugs]:
    made = Bugs()
    monkeypatch.setattr(verdicts, "ACTIONS", (made, *verdicts.ACTIONS))
    with capture_logs():  # a traceback on the terminal takes a second
        yield made


class Guarded(World):
    """A world whose chunks go through a quarantine."""

    quarantine: Quarantine

    def chunk(self, *events: dict[str, Any], end_day: float = 0) -> None:
        records = [self.record(PURCHASES, msgspec.json.encode(event)) for event in events]
        batch = Batch(in_columns(records), {PURCHASES: records[0].offset} if records else {})
        times = np.array([event["event_time_ms"] for event in events], np.int64)
        end_ms = max([*times.tolist(), BEGIN_MS + round(end_day * 86_400_000)])

        attempt = Attempt(
            apply=lambda part, part_times: self.applying.apply(part, part_times, self.models),
            postpone=lambda until_ms: self.applying.postpone(until_ms, self.models),
        )
        asyncio.run(self.quarantine.apply(batch, StreamTimes(times, end_ms), attempt))

    def letters(self) -> list[dict[str, str]]:
        return [
            {name: text.decode() for name, text in message.headers}
            for message in self.outbox.outgoing()
            if message.topic == INVALID
        ]


@pytest.fixture
def world() -> Guarded:
    made = Guarded()
    made.quarantine = Quarantine(0)
    return made


def orders(names: Sequence[str] = NAMES, day: float = 0) -> list[dict[str, Any]]:
    return [purchase(name, day, event_id=f"{name}-{day}") for name in names]


@pytest.mark.parametrize("bad", [(0,), (4,), (8,), (0, 3, 8)])
def test_the_records_at_which_it_strikes_are_set_aside_and_the_rest_is_as_if_they_had_not_been(world, bugs, bad):
    bugs.customers = {NAMES[at] for at in bad}
    world.chunk(*orders())
    assert [letter["source_offset"] for letter in world.letters()] == [str(at) for at in bad]
    assert world.letters()[0]["reason"] == "bug"
    assert world.letters()[0]["detail"].startswith(r"ZeroDivisionError: the bug\x1b[2J (test_quarantine.py line ")
    bugs.customers = set()
    without = World().send(*orders([name for name in NAMES if NAMES.index(name) not in bad]))
    assert world.stored.states == without.stored.states
    assert world.stored.views == without.stored.views
    journal = [msgspec.json.decode(packed) for packed in world.stored.journal]
    assert [where for entry in journal for where in entry.get("set_aside", [])] == [[PURCHASES, at] for at in bad]
    world.chunk(*orders([NAMES[at] for at in bad]))
    assert (world.total("events"), world.total("duplicates")) == (9, 0)


def test_a_bug_of_every_record_stops_and_so_does_the_second_in_a_row(world, bugs):
    bugs.customers = set(NAMES[3:])
    with pytest.raises(ZeroDivisionError) as stopped:
        world.chunk(*orders())
    assert "was set aside for it already" in stopped.value.__notes__[0]
    assert len(world.letters()) == 1
    assert world.total("events") == 3


def test_a_deadline_s_bug_is_its_customer_s_and_no_record_is_blamed(world, bugs):
    world.chunk(*orders(["silent", "calm"]))
    bugs.customers = {"silent"}
    world.chunk(*orders(day=60))
    assert (world.letters(), world.total("events")) == ([], 11)
    assert world.stored.deadlines["silent"] == BEGIN_MS + 61 * DAY_MS
    assert world.view("calm").as_of_ms > world.view("silent").as_of_ms == BEGIN_MS
    world.chunk(end_day=61)
    assert world.stored.deadlines["silent"] == BEGIN_MS + 62 * DAY_MS
    bugs.customers = set()
    world.chunk(end_day=62)
    assert world.view("silent").as_of_ms == BEGIN_MS + 62 * DAY_MS


def test_a_deadline_s_bug_of_too_many_customers_stops(world, bugs):
    many = [f"silent-{number}" for number in range(SET_ASIDE_AT_MOST + 1)]
    world.chunk(*orders(many))
    bugs.customers = set(many)
    with pytest.raises(DecisionError, match="Customers 'silent-0', 'silent-1', 'silent-10' and others cannot") as told:
        world.chunk(end_day=60)
    assert "more than 100 customers" in told.value.__notes__[0]
    assert world.total("events") == len(many)


def test_without_quarantine_a_deadline_s_bug_names_the_customer(world, bugs):
    world.chunk(*orders(["silent", "calm"]))
    bugs.customers = {"silent"}
    with pytest.raises(DecisionError, match=r"^Customer 'silent' cannot be decided, .*: ZeroDivisionError: the bug"):
        world.silence_until(day=60)


def test_what_fails_in_another_way_each_time_stops(world, bugs):
    bugs.customers, bugs.reasons = {NAMES[2]}, [ValueError, KeyError]
    with pytest.raises((ValueError, KeyError)) as stopped:
        world.chunk(*orders())
    assert "failed in another way" in stopped.value.__notes__[0]
    assert (world.letters(), world.total("events")) == ([], 0)


def silent_shop(**options: Any) -> LiveLane:
    """Nine customers who bought twice, then nothing for three weeks; the records that a worker cannot decode apart."""
    days = [(name, day) for day in (0, 3, 6) for name in NAMES]
    events = [purchase(name, day, event_id=f"{name}-{day}") for name, day in days]
    logs = logs_of((PURCHASES, msgspec.json.encode(event), event["event_time_ms"]) for event in events)
    limits = replace(LIMITS, renewed_at_once=2)
    return LiveLane(logs, limits=limits, on_bug=Quarantine(0), decode=rejecting_bugs(odd_decode), **options)


def odd_decode(topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> Sequence[Any]:
    """It has a bug of its own."""
    if any(b'"customer-3-3"' in (value or b"") for value in values):
        raise RecursionError("too deep")
    return decode_by_rules(topic, values, timestamps_ms)


async def through_deadlines_and_a_sweep(lane: LiveLane, bugs: Bugs) -> LiveLane:
    """All but the decisions of one customer, once it has bought."""
    await lane.claim()
    await lane.fetch(PURCHASES)
    await lane.work()
    bugs.customers = {NAMES[5]}
    await lane.finish(BEGIN_MS + 20 * DAY_MS)
    lane.models.models = SURER
    while await lane.lane._renew():
        pass
    return lane


def test_what_and_who_is_set_aside_stays_so_when_log_and_journal_are_gone_through_again(bugs):
    lane = run(through_deadlines_and_a_sweep(silent_shop(), bugs))
    journal = [msgspec.json.decode(packed) for packed in lane.stored.journal]
    assert [where for entry in journal for where in entry.get("set_aside", [])] == [[PURCHASES, 12]]
    assert {name for entry in journal for name in entry.get("postponed", [])} == {NAMES[5]}
    renewed = {name for entry in journal for name in entry.get("renewed", [])}
    assert renewed == set(NAMES) - {NAMES[5]}
    models = {"v1": PINNED, "v2": SURER}
    bugs.customers = set()
    again = run(recomputed(lane.stored.journal, lane.logs, lambda versions: models[versions["churn_30d"]]))
    for what in ("states", "views", "deadlines", "due", "labels", "snapshots"):
        assert getattr(again.stored, what) == getattr(lane.stored, what), what
    assert ids(again.outgoing()) == ids(lane.outgoing())


def an_old_log() -> Logs:
    """Purchases of a month, long ago; those of one customer fail."""
    names = ["ada", "bob", "cy", "ada", "bob", "dee", "ada", "cy", "bob"]
    events = [purchase(name, day, event_id=f"{name}-{day}") for day, name in enumerate(names)]
    return logs_of((PURCHASES, msgspec.json.encode(event), BEGIN_MS + 90 * DAY_MS) for event in events)


async def fetched_by_and_by(stored: StoredPartition, claims: Callable[[int], bool]) -> StoredPartition:
    """Read one record after another; who claims the partition after some of them has only what is stored."""
    lane = None
    for number in range(len(an_old_log()[PURCHASES])):
        if lane is None or claims(number):
            lane = LiveLane(an_old_log(), on_bug=Quarantine(0), wall_ms=BEGIN_MS + 99 * DAY_MS, stored=stored)
            await lane.claim()
        await lane.fetch(PURCHASES, 1)
        while lane.inbox.queued_bytes(PURCHASES):
            await lane.lane.step()
    return stored


def test_who_goes_on_has_heard_what_was_set_aside_like_who_had_set_it_aside(bugs):
    bugs.customers = {"cy"}
    undisturbed = run(fetched_by_and_by(StoredPartition(), lambda _: False))
    restarted = run(fetched_by_and_by(StoredPartition(), lambda _: True))
    assert stream_times(restarted) == stream_times(undisturbed)
    assert restarted.head.heard == undisturbed.head.heard


def test_a_past_that_is_read_back_has_heard_what_was_set_aside(bugs, tmp_path):
    bugs.customers = {"cy"}
    lived = run(fetched_by_and_by(StoredPartition(), lambda _: False))
    for topic, log in an_old_log().items():
        add(tmp_path, topic, 0, [ArchivedRecord(r.offset, r.timestamp, r.key, r.value) for r in log])
    noted = [(decode_entry(packed).version, packed) for packed in lived.journal]
    add(tmp_path, JOURNAL, 0, [ArchivedRecord(version, 0, b"0-0", packed) for version, packed in noted])
    (found,) = rebuilt(tmp_path)
    assert found.head.heard == lived.head.heard
