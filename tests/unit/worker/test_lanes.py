"""A lane that is given up while it is still read is not started: nobody would stop it any more."""

import asyncio
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from stream.worker.lanes import Lanes


@dataclass
class ReadSlowly:
    """A lane whose store answers when it may."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    said: list[str] = field(default_factory=list)

    async def load(self) -> None:
        self.said.append("load")
        await self.may_answer.wait()

    def start(self) -> None:
        self.said.append("start")

    async def stop(self) -> None:
        self.said.append("stop")

    async def close(self) -> None:
        self.said.append("close")


async def being_read(lanes: Lanes[ReadSlowly], lane: ReadSlowly) -> "asyncio.Task[bool]":
    starting = asyncio.ensure_future(lanes.start(0, lane))
    while not lane.said:
        await asyncio.sleep(0)
    return starting


async def test_one_that_is_read_is_started_and_is_there_until_it_is_stopped():
    lanes, lane = Lanes[ReadSlowly](), ReadSlowly()
    lane.may_answer.set()
    assert await lanes.start(0, lane)
    assert (dict(lanes), lane.said) == ({0: lane}, ["load", "start"])
    with capture_logs() as logged:
        await lanes.stop({0, 1})
    assert (dict(lanes), lane.said) == ({}, ["load", "start", "stop"])
    assert [each["event"] for each in logged] == ["lane stopped"]


@pytest.mark.parametrize("by", ["another assignment", "the end"])
async def test_one_that_is_given_up_while_it_is_read_is_not_started(by):
    lanes, lane, next_one = Lanes[ReadSlowly](), ReadSlowly(), ReadSlowly()
    starting = await being_read(lanes, lane)
    with capture_logs() as logged:
        await (lanes.end() if by == "the end" else lanes.stop({0}))
    assert not logged, "it had not started"
    following = await being_read(lanes, next_one)
    for each in (lane, next_one):
        each.may_answer.set()
    assert (await starting, lane.said) == (False, ["load", "stop", "close"])
    started = by != "the end"
    assert (await following, next_one.said) == (started, ["load", "start"] if started else ["stop"])
