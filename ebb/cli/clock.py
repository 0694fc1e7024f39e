"""`ebb clock`: which clock a deployment runs on, and the way from a replay to the live clock."""

from dataclasses import asdict
from datetime import UTC, datetime

import click
import msgspec

from ebb.cli.errors import told
from ebb.cli.replay import quiet_kafka
from ebb.clock_mode import ClockMode, clock_mode, switch
from stream.settings.load import load_worker_settings


@click.command()
@click.argument("mode", required=False, type=click.Choice(["live", "replay"]))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@told
def clock(mode: str | None, as_json: bool) -> None:
    """Show the clock of the deployment, or put it on another one.

    `ebb clock live` goes on from a replay that has ended. Stop worker and learner first, start them with EBB_CLOCK=live
    afterwards.
    """
    quiet_kafka()
    settings = load_worker_settings()
    switched = mode is not None and switch(settings, mode)
    found = clock_mode(settings)
    click.echo(msgspec.json.encode(asdict(found) | {"switched": switched}) if as_json else screen(found, switched))


def screen(found: ClockMode, switched: bool) -> str:
    """The same for a reader."""
    times_ms = found.stream_time_ms.values()
    reached = f"stream time {_minute(min(times_ms))}" if all(times_ms) else "no time yet on some partition"
    lines = [f"{found.clock} clock{', switched now' if switched else ''} · {reached}"]
    if found.clock == "replay":
        lines.append(f"  clock records to come  {found.clock_records_waiting:,}")
        ended = not found.clock_records_waiting
        lines.append(
            "  next: stop worker and learner, `ebb clock live`" if ended else "  next: let `ebb worker` finish"
        )
    elif switched:
        lines.append("  next: `ebb worker` and `ebb learner` with EBB_CLOCK=live, without EBB_LOCKSTEP")
    return "\n".join(lines)


def _minute(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
