"""Turns of the lanes of a process: one at a time, first come first served, and nobody keeps one for ever."""

import asyncio

import pytest

from stream.worker.turns import Turns


async def test_a_turn_begins_when_the_one_before_is_over_and_not_when_its_work_has_ended() -> None:
    turns, begun, answered = Turns(), [], asyncio.Event()

    async def chunk(name: str) -> None:
        async with turns.turn() as turn:
            begun.append(name)
            turn.over()
            await answered.wait()

    first, second = asyncio.ensure_future(chunk("first")), asyncio.ensure_future(chunk("second"))
    async with asyncio.timeout(5):
        while begun != ["first", "second"]:
            await asyncio.sleep(0)
        answered.set()
        await asyncio.gather(first, second)


async def test_who_is_next_may_wait_until_what_was_sent_has_been_answered() -> None:
    turns, said, answer = Turns(answered_within_s=60), [], asyncio.Event()

    async def commits() -> None:
        async with turns.turn() as turn:
            turn.sent()
            await answer.wait()
            said.append("answered")

    async def follows() -> None:
        async with turns.turn():
            said.append("takes")
            await turns.answered()
            said.append("steps")

    first, second = asyncio.ensure_future(commits()), asyncio.ensure_future(follows())
    async with asyncio.timeout(5):
        while said != ["takes"]:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        answer.set()
        await asyncio.gather(first, second)
        await turns.answered()
    assert said == ["takes", "answered", "steps"]


async def test_an_answer_that_does_not_come_keeps_nobody_for_long() -> None:
    turns = Turns(answered_within_s=0.001)
    async with asyncio.timeout(5), turns.turn() as turn:
        turn.sent()
        await turns.answered()


async def test_a_turn_that_has_ended_sends_nothing() -> None:
    turns = Turns(answered_within_s=60)
    async with turns.turn() as turn:
        turn.over()
    turn.sent()
    async with asyncio.timeout(5):
        await turns.answered()


async def test_turns_are_taken_in_the_order_they_were_asked_for() -> None:
    turns, begun = Turns(), []

    async def chunk(name: int) -> None:
        async with turns.turn():
            begun.append(name)
            await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await asyncio.gather(*(chunk(name) for name in (1, 2, 3)))
    assert begun == [1, 2, 3]


async def test_a_turn_that_fails_is_over() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError, match="broken"):
        async with turns.turn():
            raise RuntimeError("broken")
    async with asyncio.timeout(5), turns.turn():
        pass


async def test_who_is_cancelled_while_it_waits_keeps_nobody() -> None:
    turns = Turns()
    async with turns.turn():
        waiting = asyncio.ensure_future(turns.turn().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
    async with asyncio.timeout(5), turns.turn():
        pass


async def test_a_turn_that_takes_too_long_goes_to_the_next_and_is_not_ended_twice() -> None:
    turns = Turns(at_most_s=0.001)
    async with asyncio.timeout(5), turns.turn(), Turns.turn(turns):
        pass  # the first one has not ended
    async with asyncio.timeout(5), turns.turn():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await turns.turn().__aenter__()
