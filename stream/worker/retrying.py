"""Redis or Kafka is away: wait and ask again, ever more slowly. Every attempt is counted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from prometheus_client import Counter

from stream.errors import BrokerUnavailableError, StoreUnavailableError
from stream.metrics import worker as metrics

FIRST_DELAY_S, LONGEST_DELAY_S = 0.05, 2.0

log = structlog.get_logger()

Result = TypeVar("Result")


async def retrying(
    attempt: Callable[[], Awaitable[Result]], counted: Counter = metrics.STORE_RETRIES, whom: str = "redis"
) -> Result:
    """Repeat `attempt` while whom it asks is away, until there is an answer or the caller is cancelled.

    Only the caller waits: fetching is held by full queues, and no partition is given up. One line is logged when it
    begins and one when it is over.
    """
    delay_s, began_s = FIRST_DELAY_S, 0.0
    while True:
        try:
            result = await attempt()
        except (StoreUnavailableError, BrokerUnavailableError) as error:
            counted.inc()
            if not began_s:
                began_s = time.monotonic()
                log.warning(f"{whom} does not answer, trying until it does", error=str(error))
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            continue
        if began_s:
            log.info(f"{whom} answers again", after_s=round(time.monotonic() - began_s, 1))
        return result
