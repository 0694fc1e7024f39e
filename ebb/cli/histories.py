"""The arguments of commands that take a history of any kind, and how it is read."""

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from ebb.cli.bar import counting_bar
from ebb.cli.replay import quiet_kafka
from ebb.compose.decoding import decoding_of
from offline.archive.from_kafka import archive_topics
from offline.archive.log_states import log_states
from offline.features.archived import TOPICS as ARCHIVED
from offline.features.archived import is_archive, of_archive, records_in_archive
from offline.features.batches import Batch, Reading
from offline.features.histories import of_orders
from offline.features.simulated import events_in_simulation, is_simulated, of_simulation
from offline.sources import SOURCES, read_lines
from offline.sources.columns import parse_mapping
from offline.sources.order_columns import order_columns
from offline.sources.orders import usable
from stream.errors import OfflineError
from stream.settings.worker import WorkerSettings

DAY = click.DateTime(["%Y-%m-%d"])
GAPS_NAMED = 3  # of logs that lack records


def any_history_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """HISTORY, --source, --columns, --kafka and --memory-mb."""
    decorators = (
        click.argument("history", nargs=-1, type=click.Path(path_type=Path), metavar="[HISTORY]…"),
        click.option("--source", type=click.Choice(list(SOURCES)), help="What kind of files they are, if any."),
        click.option(
            "--columns", default="", metavar="OURS=THEIRS,…", help="Which column of the files is which of ours."
        ),
        click.option(
            "--kafka",
            "from_kafka",
            is_flag=True,
            help="In place of HISTORY: the topics of EBB_KAFKA_SERVERS, as far back as they go.",
        ),
        click.option(
            "--memory-mb", type=click.IntRange(1), default=512, show_default=True, help="For events that wait."
        ),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@dataclass(frozen=True)
class Given:
    """A history that is about to be read.

    Attributes:
        batches: of its events.
        reading: what is accepted, and what is left out on the way.
        folder: for what does not fit into memory; it goes with the context.
        memory_bytes: of what does.
        told: hears how many events have been read; None where nobody looks.
    """

    batches: Iterator[Batch]
    reading: Reading
    folder: Path
    memory_bytes: int
    told: Callable[[int], None] | None


@contextmanager
def history_given(settings: WorkerSettings, options: Mapping[str, Any]) -> Iterator[Given]:
    """The history that `any_history_options` name.

    Raises:
        click.UsageError: none is named, or two are.
        OfflineError: it is not said what the history is.
        BrokerError: Kafka is away, or a topic does not exist.
    """
    refuse_unclear(options)
    received_ms = time.time_ns() // 1_000_000
    reading = Reading(decoding_of(settings), settings.partitions, received_ms, settings.vocabulary)
    with _ending_tidily(), TemporaryDirectory(prefix="ebb-offline-") as folder:
        kept = Path(folder) / "kafka"
        if options["from_kafka"]:
            quiet_kafka()
            with counting_bar("records") as show:
                archive_topics(settings.kafka_servers, kept, show)
            total, batches = records_in_archive(kept), of_archive(kept, reading)
        else:
            total, batches = _read(options, settings.currency, reading)
        with counting_bar("events") as show:
            told = (lambda events: show(events, total)) if show else None
            yield Given(batches, reading, Path(folder), options["memory_mb"] * 1_000_000, told)


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """Let SIGTERM, too, leave nothing of a history in temporary files."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def named(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a run keeps of these options, to be repeated."""
    history = ["kafka"] if options["from_kafka"] else [str(path) for path in options["history"]]
    return {"history": history, "source": options["source"], "columns": options["columns"]}


def refuse_unclear(options: Mapping[str, Any]) -> None:
    """See that these options name one history.

    Raises:
        click.UsageError: they name none, or two.
    """
    if not options["from_kafka"] and not options["history"]:
        raise click.UsageError("Name a HISTORY: files with --source, or a folder; or take --kafka.")
    if options["from_kafka"] and (options["history"] or options["source"]):
        raise click.UsageError("--kafka reads Kafka's topics: leave out HISTORY and --source.")
    if options["columns"] and not options["source"]:
        raise click.UsageError("--columns names columns of files: it goes with their --source.")


def _read(options: Mapping[str, Any], currency: str, reading: Reading) -> tuple[int, Iterator[Batch]]:
    """About how many events there are, and these."""
    history, source = options["history"], options["source"]
    if source is not None:
        _refuse_folders(history)
        lines, skipped = usable(read_lines(history, source, currency, parse_mapping(options["columns"])))
        reading.rejected.leave_out(skipped)
        orders = order_columns(lines)
        return len(orders), of_orders(orders, reading)
    if len(history) == 1 and is_simulated(history[0]):
        return events_in_simulation(history[0]), of_simulation(history[0], reading)
    if len(history) == 1 and is_archive(history[0]):
        _tell_gaps(history[0])
        return records_in_archive(history[0]), of_archive(history[0], reading)
    if len(history) > 1 and all(_is_folder(path) for path in history):
        raise OfflineError(f"{', '.join(map(str, history))}: of folders a history is one. Name one of them.")
    raise OfflineError(
        f"{', '.join(map(str, history))} is no folder of `ebb archive` or `ebb simulate --parquet`. Of files, say with "
        f"--source what they are: {', '.join(SOURCES)}."
    )


def _is_folder(path: Path) -> bool:
    return is_simulated(path) or is_archive(path)


def _refuse_folders(history: Sequence[Path]) -> None:
    for path in filter(_is_folder, history):
        raise OfflineError(f"{path} is a folder of `ebb archive` or `ebb simulate --parquet`: leave out --source.")


def _tell_gaps(folder: Path) -> None:
    """Say what an archive lacks: whatever is made of it says nothing of that."""
    logs = [state for state in log_states(folder) if state.topic in ARCHIVED and state.gaps]
    lacking = sum(end - first for state in logs for first, end in state.gaps)
    if lacking:
        named = ", ".join(f"{state.topic} partition {state.partition}" for state in logs[:GAPS_NAMED])
        more = f" and {len(logs) - GAPS_NAMED} more" if len(logs) > GAPS_NAMED else ""
        click.echo(
            f"note: {folder} lacks {lacking:,} offsets of {named}{more}: what was there counts nowhere "
            f"(ebb archive --to {folder} --list).",
            err=True,
        )


def days_in(written: str) -> int | None:
    """The number of days in a text such as 7d; None if it is none.

    >>> days_in("28d"), days_in("week")
    (28, None)
    """
    found = re.fullmatch(r"([1-9]\d{0,3})d", written)
    return int(found[1]) if found else None
