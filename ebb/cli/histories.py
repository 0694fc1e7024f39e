"""The arguments of commands that take a history of any kind, and how it is read."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from offline.features.histories import (
    Batch,
    Reading,
    events_in_simulation,
    is_archive,
    is_simulated,
    of_archive,
    of_history,
    of_simulation,
    records_in_archive,
)
from offline.sources import SOURCES, read_history
from stream.errors import OfflineError

DAY = click.DateTime(["%Y-%m-%d"])


def any_history_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """HISTORY, --source, --columns and --memory-mb."""
    decorators = (
        click.argument("history", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="HISTORY…"),
        click.option("--source", type=click.Choice(list(SOURCES)), help="What kind of files they are, if any."),
        click.option(
            "--columns", default="", metavar="OURS=THEIRS,…", help="Which column of the files is which of ours."
        ),
        click.option(
            "--memory-mb", type=click.IntRange(1), default=512, show_default=True, help="For events that wait."
        ),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def read_any(
    history: Sequence[Path], source: str | None, mapping: Mapping[str, str], currency: str, reading: Reading
) -> tuple[int, Iterator[Batch]]:
    """About how many events there are, and these.

    Raises:
        OfflineError: it is not said what the history is.
    """
    if source is not None:
        found = read_history(history, source, currency, mapping)
        return len(found.events), of_history(found, reading)
    if len(history) == 1 and is_simulated(history[0]):
        return events_in_simulation(history[0]), of_simulation(history[0], reading)
    if len(history) == 1 and is_archive(history[0]):
        return records_in_archive(history[0]), of_archive(history[0], reading)
    raise OfflineError(
        f"{', '.join(map(str, history))} is no folder of `ebb archive` or `ebb simulate --parquet`. Of files, say with "
        f"--source what they are: {', '.join(SOURCES)}."
    )


def days_in(written: str) -> int | None:
    """The number of days in a text such as 7d; None if it is none.

    >>> days_in("28d"), days_in("week")
    (28, None)
    """
    found = re.fullmatch(r"([1-9]\d{0,3})d", written)
    return int(found[1]) if found else None
