"""`ebb archive`: the history, kept in Parquet files for longer than Kafka keeps it."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import click
import msgspec

from ebb.cli.bar import counting_bar
from ebb.cli.errors import FAILED, told
from ebb.cli.number_options import ABOVE_ZERO
from ebb.cli.replay import quiet_kafka
from ebb.history.archiving import ArchiveRun, journal_ends
from ebb.history.archiving import archive as bring_up_to_date
from offline.archive.files import ArchiveError, BusyArchiveError
from offline.archive.log_states import LogState, log_states
from offline.archive.standing import load_standing
from offline.broker import BrokerError
from stream.errors import RebuildingError, StoreUnavailableError
from stream.settings.common import CommonSettings
from stream.settings.load import load_common_settings

LOST = 3
"""Exit code: records were gone before they were archived."""

AWAY_AT_MOST_S = 3_600.0  # services are restarted, and Kafka keeps days


@click.command()
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="Folder of the archive.")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "--every",
    "every_s",
    type=ABOVE_ZERO,
    default=60.0,
    show_default=True,
    help="Seconds between two rounds of --follow.",
)
@click.option("--list", "is_list", is_flag=True, help="Show what is archived, and archive nothing.")
@click.option("--check", "is_check", is_flag=True, help="The same beside what Kafka has.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (a line each round of --follow).")
@told
def archive(folder: Path, follow: bool, every_s: float, is_list: bool, is_check: bool, as_json: bool) -> None:
    """Keep the input topics, the labels, and what Redis was made by, in Parquet files.

    Run it from cron, or with --follow; it goes on where it ended. Exits with 3 when records were gone from Kafka before
    they were archived: in this run, or with --list and --check at any time.
    """
    quiet_kafka()
    settings = load_common_settings()
    if is_list or is_check:
        sys.exit(_show(folder, settings.kafka_servers if is_check else None, as_json=as_json))
    if follow:
        sys.exit(_follow(settings, folder, every_s, as_json))
    status = _once(settings, folder, as_json=as_json)
    if not as_json:
        click.echo(f"  next: ebb archive --to {folder} --check")
    sys.exit(status)


def _once(settings: CommonSettings, folder: Path, *, as_json: bool) -> int:
    began_s = monotonic()
    with counting_bar("records") as told_of:
        run = asyncio.run(bring_up_to_date(settings.kafka_servers, settings.redis_url, folder, told_of))
    per_s = round(run.records / max(monotonic() - began_s, 1e-9))
    click.echo(msgspec.json.encode(as_object(run, per_s)) if as_json else describe(run, per_s))
    return LOST if run.lost else 0


def _follow(settings: CommonSettings, folder: Path, every_s: float, as_json: bool) -> int:
    """Round after round. While a service is away, Redis rebuilt, or another at work, it says so and tries again.

    It does so for an hour at most.
    """
    stop, lost, answered_s = Event(), 0, monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            lost = max(lost, _once(settings, folder, as_json=as_json))
            answered_s = monotonic()
        except (BrokerError, StoreUnavailableError, RebuildingError, BusyArchiveError) as error:
            if monotonic() > answered_s + AWAY_AT_MOST_S:
                raise
            click.echo(f"ebb: {error} Trying again in {every_s:g} s.", err=True)
        stop.wait(every_s)
    return lost


def as_object(run: ArchiveRun, per_s: int) -> dict[str, Any]:
    """What `--json` prints of a run."""
    return {
        "records": run.records,
        "records_per_s": per_s,
        "journal_entries": run.journal_entries,
        "has_redis": run.has_redis,
        "lost": [
            {"topic": topic, "partition": partition, "from": first, "until": end}
            for (topic, partition), (first, end) in run.lost.items()
        ],
    }


def describe(run: ArchiveRun, per_s: int) -> str:
    """The same for a reader."""
    lines = [f"{run.records:,} records archived, {per_s:,} a second, and {run.journal_entries:,} journal entries"]
    if not run.has_redis:
        lines.append("  Redis holds no deployment: topics alone were archived")
    lines += [
        f"  LOST {topic} partition {partition}: offsets {first:,} to {end - 1:,} were gone from Kafka"
        for (topic, partition), (first, end) in run.lost.items()
    ]
    return "\n".join(lines)


def _show(folder: Path, servers: Sequence[str] | None, *, as_json: bool) -> int:
    if not any(state.files for state in log_states(folder)):
        raise ArchiveError(f"{folder} holds no archive. `ebb archive --to {folder}` makes one.")
    states = log_states(folder, servers)
    standing = load_standing(folder)
    journals = journal_ends(folder, standing.partitions) if standing else {}
    if as_json:
        logs = [
            msgspec.to_builtins(state) | {"is_torn": state.is_torn, "is_another": state.is_another} for state in states
        ]
        click.echo(msgspec.json.encode({"logs": logs, "journal_versions": journals}))
    else:
        click.echo(screen(states, journals))
    if any(state.gaps or state.is_torn for state in states):
        return LOST
    return FAILED if any(state.is_another for state in states) else 0


def screen(states: Sequence[LogState], journals: dict[int, int]) -> str:
    """An archive as a table."""
    rows = [("topic", "partition", "archived", "files", "MB", "Kafka has", "")] + [_row(state) for state in states]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    noted = ", ".join(f"{partition}: {version:,}" for partition, version in journals.items())
    return "\n".join([*lines, f"journal until version  {noted or 'none: rebuilt times would come from the topics'}"])


def _row(state: LogState) -> tuple[str, ...]:
    kafka = "" if state.log_start is None else f"{state.log_start:,}-{state.log_end:,}"
    gaps = [f"GAP {first:,}-{end - 1:,}" for first, end in state.gaps]
    torn = [f"GAP {state.end:,}-{(state.log_start or 1) - 1:,}"] if state.is_torn else []
    archived = f"{state.first:,}-{state.end:,}" if state.files else "nothing"
    another = ["ANOTHER LOG: made again since; archive into another folder (--to)"] if state.is_another else []
    size = f"{state.bytes / 1e6:.1f}"
    return state.topic, str(state.partition), archived, str(state.files), size, kafka, " ".join(gaps + torn + another)
