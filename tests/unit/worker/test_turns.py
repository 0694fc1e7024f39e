"""Turns of the lanes of a process: one computes at a time while the next asks, and nobody keeps a turn for ever."""

import asyncio

import pytest

from stream.worker.turns import NO_TURN, Turns


async def test_the_next_one_asks_while_one_computes_and_computes_when_that_is_over() -> None:
    turns, done, asked, computed = Turns(), [], asyncio.Event(), asyncio.Event()

    async def chunk(name: str, answer: asyncio.Event, result: asyncio.Event) -> None:
        async with turns.turn() as turn:
            done.append(f"{name} asks")
            await answer.wait()
            await turn.computes()
            done.append(f"{name} computes")
            await result.wait()

    at_once = asyncio.Event()
    at_once.set()
    chunks = [
        asyncio.ensure_future(chunk("first", asked, computed)),
        asyncio.ensure_future(chunk("second", at_once, at_once)),
        asyncio.ensure_future(chunk("third", at_once, at_once)),
    ]
    async with asyncio.timeout(5):
        await _all_stand_still()
        assert done == ["first asks"]
        asked.set()
        await _all_stand_still()
        assert done == ["first asks", "second asks", "first computes"]
        computed.set()
        await asyncio.gather(*chunks)
    assert done[3:] == ["third asks", "second computes", "third computes"]


async def test_a_turn_is_over_when_it_says_so_and_not_when_its_work_has_ended() -> None:
    turns, begun, answered = Turns(), [], asyncio.Event()

    async def chunk(name: str) -> None:
        async with turns.turn() as turn:
            await turn.computes()
            begun.append(name)
            turn.over()
            await answered.wait()

    chunks = [asyncio.ensure_future(chunk(name)) for name in ("first", "second", "third")]
    async with asyncio.timeout(5):
        while begun != ["first", "second", "third"]:
            await asyncio.sleep(0)
        answered.set()
        await asyncio.gather(*chunks)


async def test_turns_are_taken_in_the_order_they_were_asked_for() -> None:
    turns, begun = Turns(), []

    async def chunk(name: int) -> None:
        async with turns.turn() as turn:
            await turn.computes()
            begun.append(name)
            await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await asyncio.gather(*(chunk(name) for name in (1, 2, 3)))
    assert begun == [1, 2, 3]


async def test_a_turn_that_fails_is_over() -> None:
    turns = Turns()

    async def fail(*, computes: bool) -> None:
        async with turns.turn() as turn:
            if computes:
                await turn.computes()
            raise RuntimeError("broken")

    for computes in (False, True):
        with pytest.raises(RuntimeError, match="broken"):
            await fail(computes=computes)
        await _is_free(turns)


async def test_who_is_cancelled_while_it_waits_keeps_nobody() -> None:
    turns = Turns()
    async with turns.turn() as turn:
        to_ask = asyncio.ensure_future(turns.turn().__aenter__())
        await _all_stand_still()
        to_ask.cancel()
        await turn.computes()

        async def next_one() -> None:
            async with turns.turn() as turn:
                await turn.computes()

        to_compute = asyncio.ensure_future(next_one())
        await _all_stand_still()
        to_compute.cancel()
    await _is_free(turns)


@pytest.mark.parametrize("computes", [False, True])
async def test_a_turn_that_takes_too_long_goes_to_the_next_and_is_not_ended_twice(computes: bool) -> None:
    turns = Turns(at_most_s=0.001)
    async with asyncio.timeout(5), turns.turn() as slow:
        if computes:
            await slow.computes()
        async with turns.turn() as turn:
            await turn.computes()  # the first one has not ended
            slow.over()
            assert turns.computing.locked()
        await slow.computes()
        assert not turns.computing.locked()
    await _is_free(turns)


async def test_who_computes_alone_waits_for_nobody() -> None:
    async with asyncio.timeout(5):
        await NO_TURN.computes()
    NO_TURN.over()


async def _is_free(turns: Turns) -> None:
    async with asyncio.timeout(5), turns.turn() as turn:
        await turn.computes()


async def _all_stand_still() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
