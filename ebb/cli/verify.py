"""`ebb verify`: is what Redis holds what the history says?"""

from pathlib import Path
from typing import Any

import click
import msgspec

from ebb.cli.errors import told
from ebb.cli.number_options import timeout_option
from ebb.cli.replay import history_options, quiet_kafka
from ebb.parity import parity_of, wait_for_lag_zero
from offline.sources import read_history
from offline.sources.columns import parse_mapping
from offline.verify import Parity
from stream.settings.load import load_common_settings

SHOWN_MAX = 20


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
