"""What Redis holds beside what a history says: wait until everything is applied, recompute, compare."""

import asyncio
import time

from ebb.compose.decoding import decoding_of
from offline.broker import readable_ends
from offline.history import History
from offline.verify import Parity, compare, recompute
from schemas.topics import INPUT_TOPICS, REROUTED
from stream.errors import EbbError
from stream.features.layout import LAYOUT
from stream.redis_store.deployment import other_layout, stored_deployment
from stream.redis_store.identities import all_identities
from stream.redis_store.inspection import applied_positions, scan_states, waiting_messages
from stream.settings.common import CommonSettings

LOOK_EVERY_S = 0.2


class LagError(EbbError):
    """The workers have not applied everything in time."""


def parity_of(history: History, settings: CommonSettings) -> Parity:
    """Compare a history with what Redis holds now.

    Raises:
        LayoutError: another layout of Ebb wrote it.
    """
    deployment = stored_deployment(settings.redis_url)
    if deployment.layout != LAYOUT:
        raise other_layout(deployment.layout, LAYOUT, settings.redis_url)
    now_ms = time.time_ns() // 1_000_000
    gone = all_identities(settings.redis_url)
    expected = recompute(history, deployment.partitions, decoding_of(settings), now_ms, deployment.vocabulary, gone)
    return compare(expected, asyncio.run(_stored_states(settings.redis_url)))


async def _stored_states(redis_url: str) -> dict[str, bytes]:
    return {customer: packed async for customer, packed in scan_states(redis_url)}


def wait_for_lag_zero(servers: list[str], redis_url: str, timeout_s: float) -> None:
    """Return once all input that can be read from Kafka now is applied, where it was sent on to another partition too.

    Raises:
        LagError: it is not within `timeout_s`; the message says how much is missing where.
    """
    deadline_s = time.monotonic() + timeout_s
    _wait_until_applied(readable_ends(servers, INPUT_TOPICS), redis_url, deadline_s, timeout_s)
    ends = readable_ends(servers, [REROUTED])
    while True:
        _wait_until_applied(ends, redis_url, deadline_s, timeout_s)
        _wait_until_sent(redis_url, deadline_s, timeout_s)
        before, ends = ends, readable_ends(servers, [REROUTED])
        if ends == before:  # else what was sent on may be sent on again
            return


def _wait_until_sent(redis_url: str, deadline_s: float, timeout_s: float) -> None:
    while waiting := waiting_messages(redis_url, REROUTED):
        if time.monotonic() > deadline_s:
            raise LagError(
                f"After {timeout_s:g} s {waiting:,} records still wait to be sent to {REROUTED}. Is a worker running? "
                "Start one with 'ebb worker', or raise --timeout."
            )
        time.sleep(LOOK_EVERY_S)


def _wait_until_applied(ends: dict[tuple[str, int], int], redis_url: str, deadline_s: float, timeout_s: float) -> None:
    while missing := lag(ends, applied_positions(redis_url)):
        if time.monotonic() > deadline_s:
            (topic, partition), records = max(missing.items(), key=lambda entry: entry[1])
            raise LagError(
                f"After {timeout_s:g} s {sum(missing.values()):,} records are not applied, {records:,} of them in "
                f"{topic} partition {partition}. Is a worker running? Start one with 'ebb worker', or raise --timeout."
            )
        time.sleep(LOOK_EVERY_S)


def lag(ends: dict[tuple[str, int], int], applied: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """(topic, partition) -> records before `ends` that are not applied, where there are any.

    >>> lag({("events.purchases", 0): 7, ("events.clock", 0): 2}, {("events.purchases", 0): 4, ("events.clock", 0): 3})
    {('events.purchases', 0): 3}
    """
    return {place: end - applied.get(place, 0) for place, end in ends.items() if end > applied.get(place, 0)}
