"""`ebb verify`: is what Redis holds what the history says?"""

import asyncio
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from ebb.cli.errors import told
from ebb.cli.number_options import timeout_option
from ebb.cli.replay import history_options, quiet_kafka
from ebb.compose.decoding import decoding_of
from offline.broker import readable_ends
from offline.history import History
from offline.sources import read_history
from offline.sources.columns import parse_mapping
from offline.verify import Parity, compare, recompute
from schemas.topics import INPUT_TOPICS, REROUTED
from stream.errors import EbbError
from stream.features.layout import LAYOUT
from stream.redis_store.deployment import other_layout, stored_deployment
from stream.redis_store.identities import all_identities
from stream.redis_store.inspection import applied_positions, scan_states, waiting_messages
from stream.settings.common import CommonSettings
from stream.settings.load import load_common_settings

SHOWN_MAX = 20
LOOK_EVERY_S = 0.2


class LagError(EbbError):
    """The workers have not applied everything in time."""


@click.command()
@history_options
@timeout_option("the workers have applied all")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@told
def verify(files: tuple[Path, ...], source: str, columns: str, timeout: float, as_json: bool) -> None:
    """Recompute every customer's features from a history and compare them with Redis.

    Waits until the workers have applied all input. The history must be all that was ever published. Exits with 1 if
    anything differs.
    """
    quiet_kafka()
    settings = load_common_settings()
    history = read_history(files, source, settings.currency, parse_mapping(columns))
    wait_for_lag_zero(list(settings.kafka_servers), settings.redis_url, timeout)
    parity = parity_of(history, settings)
    click.echo(_as_json(parity) if as_json else describe(parity))
    if parity.mismatches:
        raise click.exceptions.Exit(1)


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


def describe(parity: Parity) -> str:
    """The result for a reader, with the first differences."""
    count, customers = len(parity.mismatches), f"{parity.customers:,} customers"
    if not count:
        return f"{customers} recomputed from the history: Redis holds the same"
    shown = parity.mismatches[:SHOWN_MAX]
    widths = [max(len(getattr(mismatch, name)) for mismatch in shown) for name in ("customer", "field")]
    lines = [
        f"  {m.customer:<{widths[0]}}  {m.field:<{widths[1]}}  history {m.expected}  Redis {m.actual}" for m in shown
    ]
    more = [f"  and {count - SHOWN_MAX:,} more"] if count > SHOWN_MAX else []
    return "\n".join([f"{customers} recomputed from the history: {count:,} differences", *lines, *more])


def _as_json(parity: Parity) -> bytes:
    shown: list[Any] = list(parity.mismatches[:SHOWN_MAX])
    return msgspec.json.encode(
        {"customers": parity.customers, "mismatches": len(parity.mismatches), "first_mismatches": shown}
    )


async def _stored_states(redis_url: str) -> dict[str, bytes]:
    return {customer: packed async for customer, packed in scan_states(redis_url)}
