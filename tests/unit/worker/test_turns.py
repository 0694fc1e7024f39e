"""Turns of the lanes of a process: who asks by then has part, all compute together, and nobody keeps others long."""

import asyncio

import pytest

from stream.worker.turns import Turns


class Lane:
    """Has part in a turn, comes with its work when it is let, and is out of it when its commit is on its way."""

    def __init__(self, turns: Turns, name: str, said: list[str]) -> None:
        self.turns, self.name, self.said = turns, name, said
        self.read, self.answered = asyncio.Event(), asyncio.Event()
        self.task = asyncio.ensure_future(self.run())

    async def run(self) -> None:
        async with self.turns.turn() as turn:
            self.said.append(f"{self.name} reads")
            await self.read.wait()
            await turn.together(self.work)
            turn.sent()
            await self.answered.wait()

    def work(self) -> None:
        self.said.append(f"{self.name} steps")


async def until_nothing_moves() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_asks_at_the_same_time_has_part_in_one_turn_and_all_compute_when_all_have_come() -> None:
    said: list[str] = []
    turns = Turns(at_most_s=60)
    lanes = [Lane(turns, name, said) for name in ("first", "second", "third")]
    for lane in (lanes[2], lanes[0]):
        lane.read.set()
        await until_nothing_moves()
    assert said == ["first reads", "second reads", "third reads"]
    lanes[1].read.set()
    await until_nothing_moves()
    assert said[3:] == ["first steps", "second steps", "third steps"]
    await ended(*lanes)


async def test_who_asks_later_has_its_turn_when_all_have_computed_and_not_when_their_work_has_ended() -> None:
    said: list[str] = []
    turns = Turns(at_most_s=60)
    lanes = [Lane(turns, name, said) for name in ("first", "second")]
    await until_nothing_moves()
    later = [Lane(turns, "third", said), Lane(turns, "fourth", said)]
    lanes[0].read.set()
    await until_nothing_moves()
    assert said == ["first reads", "second reads"]
    lanes[1].read.set()
    await until_nothing_moves()
    assert said[2:] == ["first steps", "second steps", "third reads", "fourth reads"]
    assert not lanes[0].task.done()
    await ended(*lanes, *later)


async def test_nobody_waits_for_the_work_of_who_is_out_of_the_turn() -> None:
    said: list[str] = []
    turns = Turns(at_most_s=60)
    stays = Lane(turns, "stays", said)
    async with turns.turn() as leaves:
        stays.read.set()
        await until_nothing_moves()
        assert said == ["stays reads"]
        leaves.over()
        await until_nothing_moves()
        assert said == ["stays reads", "stays steps"]
        assert await leaves.together(lambda: "at once") == "at once"
    await ended(stays)


async def test_nobody_waits_for_a_lane_that_is_cancelled_and_its_work_is_left() -> None:
    said: list[str] = []
    turns = Turns(at_most_s=60)
    first, second, third = (Lane(turns, name, said) for name in ("first", "second", "third"))
    for lane in (first, third):
        lane.read.set()
    await until_nothing_moves()
    first.task.cancel()
    await until_nothing_moves()
    assert said == ["first reads", "second reads", "third reads"]
    second.task.cancel()
    await until_nothing_moves()
    assert said[3:] == ["third steps"]
    await ended(third)


async def test_work_that_fails_fails_for_its_own_lane_alone() -> None:
    turns = Turns(at_most_s=60)

    async def divides(by: int) -> float:
        async with turns.turn() as turn:
            return await turn.together(lambda: 6 / by)

    async with asyncio.timeout(5):
        found = await asyncio.gather(divides(0), divides(3), return_exceptions=True)
    assert isinstance(found[0], ZeroDivisionError)
    assert found[1] == 2.0


async def test_a_lane_that_takes_too_long_to_come_is_waited_for_no_longer() -> None:
    said: list[str] = []
    turns = Turns(at_most_s=0.001)
    comes, stays_away = Lane(turns, "comes", said), Lane(turns, "stays away", said)
    comes.read.set()
    async with asyncio.timeout(5):
        while said != ["comes reads", "stays away reads", "comes steps"]:
            await asyncio.sleep(0.001)
    await ended(comes, stays_away)


async def ended(*lanes: Lane) -> None:
    async with asyncio.timeout(5):
        for lane in lanes:
            lane.read.set()
            lane.answered.set()
        await asyncio.gather(*(lane.task for lane in lanes))


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

    first = asyncio.ensure_future(commits())
    await until_nothing_moves()
    second = asyncio.ensure_future(follows())
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
