"""Run a chunk application until a signal or a failure ends it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import faust

from stream.worker.chunk_app import ChunkApp


class Process(Protocol):
    """A process built around a chunk application."""

    app: ChunkApp
    failure: BaseException | None


def run_until_stopped(build: Callable[[asyncio.AbstractEventLoop], Process]) -> None:
    """Build the process on a new event loop and run it; SIGTERM and SIGINT end it after the chunk in flight.

    Raises:
        BaseException: what made the process fail.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    process = build(loop)
    for chatty in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    worker = faust.Worker(
        process.app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True, blocking_timeout=None
    )
    try:
        worker.execute_from_commandline()
    except SystemExit:
        if process.failure is None:
            raise
    if process.failure is not None:
        raise process.failure
