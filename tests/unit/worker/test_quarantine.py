"""A record at which a bug strikes is set aside, and nothing else: what remains is as if it had never been written."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs

from schemas.topics import INVALID, PURCHASES
from stream import verdicts
from stream.actions.acting import Acting
from stream.chunk import StreamTimes
from stream.decisions import Asked, Decisions
from stream.ports import Head
from stream.worker.inbox import Batch
from stream.worker.quarantine import Quarantine
from tests.world import BEGIN_MS, World, in_columns, purchase

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

        async def attempt(part: Batch, part_times: StreamTimes) -> Head | None:
            return await self.applying.apply(part, part_times, self.models)

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


def test_a_deadline_s_bug_stops_and_no_record_is_blamed(world, bugs):
    world.chunk(*orders(["silent"]))
    bugs.customers = {"silent"}
    with pytest.raises(ZeroDivisionError) as stopped:
        world.chunk(*orders(day=60))
    assert "at a deadline before events.purchases partition 0 offset 1" in stopped.value.__notes__[0]
    with pytest.raises(ZeroDivisionError):
        world.chunk(end_day=60)
    assert world.letters() == []


def test_what_fails_in_another_way_each_time_stops(world, bugs):
    bugs.customers, bugs.reasons = {NAMES[2]}, [ValueError, KeyError]
    with pytest.raises((ValueError, KeyError)) as stopped:
        world.chunk(*orders())
    assert "failed in another way" in stopped.value.__notes__[0]
    assert (world.letters(), world.total("events")) == ([], 0)
