"""Work that can wait takes turns among the lanes of a process, and begins when no lane applies records."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from stream.worker.background import Background


async def begun(coroutine: Coroutine[Any, Any, bool]) -> "asyncio.Task[bool]":
    """A task that has run as far as it gets by itself."""
    task = asyncio.ensure_future(coroutine)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_one_lane_at_a_time_first_come_first_served() -> None:
    background = Background()
    assert await background.turn("a")
    second, third = await begun(background.turn("b")), await begun(background.turn("c"))
    assert not second.done()
    background.over()
    assert await second
    assert not third.done()
    background.over()
    assert await third


async def test_who_gets_records_waits_no_longer_and_the_next_one_has_the_turn() -> None:
    background = Background()
    assert background.turn_now()
    assert not background.turn_now()
    second, third = await begun(background.turn("b")), await begun(background.turn("c"))
    background.forgo("b")
    assert not await second
    background.over()
    assert await third


async def test_a_turn_begins_when_the_last_lane_has_applied_its_records() -> None:
    background = Background()
    with background.live():
        with background.live():
            waiting = await begun(background.turn("a"))
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting


async def test_records_without_a_pause_delay_a_turn_only_for_a_while() -> None:
    background = Background()
    with background.live():
        async with asyncio.timeout(20):
            assert await background.turn("a")
            again = await begun(background.turn("b"))
            assert not again.done()
            background.over()
            assert await again


@pytest.mark.parametrize("granted", [False, True])
async def test_a_lane_that_is_stopped_while_it_waits_keeps_nobody_from_the_turn(granted: bool) -> None:
    background = Background()
    assert background.turn_now()
    stopped, next_ = await begun(background.turn("a")), await begun(background.turn("b"))
    if granted:  # it has the turn, and is cancelled before it notices
        background.over()
    stopped.cancel()
    if not granted:
        await asyncio.sleep(0)
        background.over()
    assert await next_


def test_commits_grow_while_there_is_time_and_shrink_when_there_is_none() -> None:
    background = Background(budget_ms=5.0, at_most=900)
    first = background.customers
    background.took(first, 1.0)
    assert background.customers > first
    for _ in range(20):
        background.took(background.customers, 1.0)
    assert background.customers == 900
    background.took(900, 10.0)
    assert background.customers == 450
    background.took(7, 0.1)
    assert background.customers == 450, "a few customers say nothing about many"
