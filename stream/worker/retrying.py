"""Redis is away: wait and ask again, ever more slowly. Both processes count every attempt."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from prometheus_client import Counter

from stream.errors import StoreUnavailableError
from stream.metrics import worker as metrics

FIRST_DELAY_S, LONGEST_DELAY_S = 0.05, 5.0

log = structlog.get_logger()

Result = TypeVar("Result")


async def retrying(attempt: Callable[[], Awaitable[Result]], counted: Counter = metrics.STORE_RETRIES) -> Result:
    """Repeat `attempt` while Redis is away, until it answers or the caller is cancelled.

    Only this lane waits: fetching is held by full queues, and no partition is given up.
    """
    delay_s = FIRST_DELAY_S
    while True:
        try:
            return await attempt()
        except StoreUnavailableError as error:
            counted.inc()
            log.warning("redis does not answer, trying again", error=str(error), delay_s=delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)
