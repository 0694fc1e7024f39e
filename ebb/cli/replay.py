"""`ebb replay`: a shop's history, published as if it happened now."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ebb.cli.errors import told
from ebb.cli.number_options import ABOVE_ZERO
from ebb.topic_admin import create_topics
from offline.history import History
from offline.replay import OnProgress, Progress, Replayed, publish
from offline.sources import SOURCES, read_history
from offline.sources.columns import parse_mapping
from stream.settings.common import CommonSettings
from stream.settings.load import load_common_settings


def history_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of a command that reads a history: files, source, columns."""
    decorators = (
        click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…"),
        click.option("--source", type=click.Choice(list(SOURCES)), required=True, help="What kind of files they are."),
        click.option(
            "--columns", default="", metavar="OURS=THEIRS,…", help="Which column of the files is which of ours."
        ),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command()
@history_options
@click.option("--rate", type=ABOVE_ZERO, help="At most so many events per second.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@told
def replay(files: tuple[Path, ...], source: str, columns: str, rate: float | None, as_json: bool) -> None:
    """Publish a history to Kafka, with clock records at its midnights.

    Run worker and learner with EBB_CLOCK=replay: stream time is then the history's.
    """
    quiet_kafka()
    settings = load_common_settings()
    history = read_history(files, source, settings.currency, parse_mapping(columns))
    servers = list(settings.kafka_servers)
    create_topics(servers, settings.partitions)
    began_s = monotonic()
    with _progress_bar(len(history.events)) as on_progress:
        replayed = publish(history, servers, settings.partitions, on_progress, rate, _counted(settings))
    events_per_s = round(replayed.events / max(monotonic() - began_s, 1e-9))
    summary = _summary_of(history, replayed, events_per_s)
    click.echo(msgspec.json.encode(summary) if as_json else describe(summary))


def _counted(settings: CommonSettings) -> range:
    """The times, in ms, at which a worker takes an event that is written now."""
    return range(settings.earliest_event_ms, time_ns() // 1_000_000 + settings.latest_lead_ms + 1)


def quiet_kafka() -> None:
    """Keep the Kafka clients' log lines from the screen: what fails comes back as an error with a message."""
    for client in ("kafka", "aiokafka"):
        logging.getLogger(client).setLevel(logging.CRITICAL)


def _summary_of(history: History, replayed: Replayed, events_per_s: int) -> dict[str, Any]:
    """What `--json` prints."""
    summary = history.summary
    return {
        "events": replayed.events,
        "refunds": summary.refunds,
        "guest_events": summary.guests,
        "customers": summary.customers,
        "days": replayed.days,
        "first_ms": summary.first_ms,
        "last_ms": summary.last_ms,
        "clock_records": replayed.clock_records,
        "events_per_s": events_per_s,
        "skipped": dict(history.skipped),
    }


def describe(summary: dict[str, Any]) -> str:
    """The same for a reader."""
    lines = [
        f"{summary['events']:,} events, {summary['guest_events']:,} of guests, {summary['customers']:,} customers, "
        f"{summary['days']:,} days, {summary['events_per_s']:,} events/s"
    ]
    lines += [f"  left out: {count:,} {reason.replace('_', ' ')}" for reason, count in summary["skipped"].items()]
    return "\n".join([*lines, "  next: ebb verify with the same files"])


@contextmanager
def _progress_bar(total: int) -> Iterator[OnProgress | None]:
    """A bar on standard error if that is a terminal; None if not."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    day = TextColumn("{task.fields[day]}")
    rate = TextColumn("{task.fields[rate]:,} events/s")
    with Bar(day, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), console=console) as bar:
        task, began_s = bar.add_task("", total=total, day="", rate=0), monotonic()

        def show(progress: Progress) -> None:
            day = datetime.fromtimestamp(progress.time_ms / 1000, UTC).date()
            rate = round(progress.events / max(monotonic() - began_s, 1e-9))
            bar.update(task, completed=progress.events, day=str(day), rate=rate)

        yield show
