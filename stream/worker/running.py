"""Run a chunk application until a signal or a failure ends it."""

import asyncio
import gc
import signal
from collections.abc import Callable
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from stream.errors import EbbError
from stream.worker.chunk_app import ChunkApp

COLLECT_EVERY = (10_000, 20, 50)
"""Objects made between two searches for garbage that refers to itself, and of those how many go deeper.

A chunk makes some 5,000 objects and frees them all, and fetched records wait by the ten thousand: Python's own (700,
10, 10) searched through the queues and every module again and again, 4 of 33 us of CPU an event and 50 ms at a time.
"""

log = structlog.get_logger()


class KafkaUnavailableError(EbbError):
    """Kafka cannot be reached or refuses to work."""


class Process(Protocol):
    """A process built around a chunk application."""

    app: ChunkApp
    failure: BaseException | None


def fail_with(process: Process, task: "asyncio.Task[None]") -> None:
    """A process whose task has failed ends, loudly and without committing; `add_done_callback` calls it.

    The first failure counts: what fails while the process ends has the same cause, or none that matters any more.
    """
    if task.cancelled() or task.exception() is None or process.failure is not None:
        return
    process.failure = task.exception()
    process.app.crash_soon(process.failure)


def run_until_stopped(build: Callable[[asyncio.AbstractEventLoop], Process]) -> None:
    """Build the process on a new event loop and run it; SIGTERM and SIGINT end it after the chunk in flight.

    Raises:
        BaseException: what made the process fail.
    """
    with asyncio.Runner() as runner:
        process = build(runner.get_loop())
        look_for_garbage_rarely()
        runner.run(_run(process))
    failure = process.failure or process.app.crash_reason
    if isinstance(failure, KafkaError):
        raise KafkaUnavailableError(f"Kafka: {failure!r}. Check EBB_KAFKA_SERVERS and that it runs.") from failure
    if failure is not None:
        raise failure


def look_for_garbage_rarely() -> None:
    """From now on, and never among what is there already."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)


async def _run(process: Process) -> None:
    """Until a signal, or until the application has crashed. `faust.Worker` does as much and writes on the terminal."""
    app, asked = process.app, asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    running = asyncio.ensure_future(_until_crashed(process))
    stopping = asyncio.ensure_future(asked.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    failure = process.failure or app.crash_reason
    if failure is None:
        log.info("stopping, as asked")
    else:
        log.critical("stopping after a failure", error=repr(failure))
    await app.stop()
    stopping.cancel()
    await asyncio.gather(running, stopping, return_exceptions=True)


async def _until_crashed(process: Process) -> None:
    try:
        await process.app.start()
        await process.app.wait_until_stopped()
    except Exception as error:  # noqa: BLE001 - whatever kept it from starting is the failure
        process.failure = process.failure or error
