"""How a process ends when one of its tasks does."""

import asyncio
from functools import partial

from stream.worker.running import fail_with


class App:
    """Stands where the Faust application does: keeps why it was to crash."""

    def __init__(self) -> None:
        self.reasons: list[BaseException | None] = []

    def crash_soon(self, failure: BaseException | None) -> None:
        self.reasons.append(failure)


class Tasks:
    """A process of tasks alone."""

    def __init__(self) -> None:
        self.app, self.failure = App(), None

    async def run(self, *work: asyncio.Future[None]) -> None:
        for task in work:
            task.add_done_callback(partial(fail_with, self))
        await asyncio.wait(work)


async def failing(error: Exception) -> None:
    raise error


async def test_the_first_task_that_fails_ends_the_process_and_no_other_is_told_in_its_place() -> None:
    process, first = Tasks(), ValueError("first")
    await process.run(asyncio.ensure_future(failing(first)))
    await process.run(asyncio.ensure_future(failing(ValueError("second"))))
    assert (process.failure, process.app.reasons) == (first, [first])


async def test_a_task_that_ends_or_is_cancelled_ends_no_process() -> None:
    process = Tasks()
    cancelled = asyncio.ensure_future(asyncio.sleep(60))
    cancelled.cancel()
    await process.run(asyncio.ensure_future(asyncio.sleep(0)), cancelled)
    assert (process.failure, process.app.reasons) == (None, [])
