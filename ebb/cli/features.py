"""`ebb offline features`: the columns of every active customer at chosen instants, as snapshots would have had them."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.compose.worker import decoding_of
from offline.backtest.report import midnight_ms
from offline.features.at_instants import ROWS_AT_ONCE, Folding, Part, fold_all
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
from offline.features.writing import write
from offline.sources import SOURCES, read_history
from offline.sources.columns import parse_mapping
from schemas.money import exponent_of
from schemas.units import DAY_MS
from stream.errors import OfflineError
from stream.settings.load import load_offline_settings

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("history", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="HISTORY…")
@click.option("--source", type=click.Choice(list(SOURCES)), help="What kind of files they are, if they are files.")
@click.option("--columns", default="", metavar="OURS=THEIRS,…", help="Which column of the files is which of ours.")
@click.option("--at", "first", type=DAY, required=True, metavar="YYYY-MM-DD", help="The midnight UTC of the rows.")
@click.option("--every", metavar="7d", help="And every so many days after it, until --until.")
@click.option("--until", "last", type=DAY, metavar="YYYY-MM-DD", help="The last of them may be this.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Parquet file to write.")
@click.option("--memory-mb", type=click.IntRange(1), default=512, show_default=True, help="For events that wait.")
@click.option("--row-group", type=click.IntRange(1), default=ROWS_AT_ONCE, show_default=True, help="Rows at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@told
def features(
    *,
    history: tuple[Path, ...],
    source: str | None,
    columns: str,
    first: datetime,
    every: str | None,
    last: datetime | None,
    out: Path,
    memory_mb: int,
    row_group: int,
    as_json: bool,
) -> None:
    """Write the model columns of every customer who had bought within 180 days, at each instant.

    HISTORY is files of a --source, a folder of `ebb archive`, or one of `ebb simulate --parquet`. Rows equal what
    online snapshots hold, but where events came later than the instant: the summary counts those.
    """
    began_s = time.monotonic()
    settings = load_offline_settings()
    reading = Reading(decoding_of(settings), settings.partitions, received_ms=time.time_ns() // 1_000_000)
    instants_ms = instants(midnight_ms(first.date()), every, midnight_ms(last.date()) if last else None)
    total, batches = _read(history, source, parse_mapping(columns), settings.currency, reading)
    with TemporaryDirectory(prefix="ebb-features-") as spilled:
        exponent, memory_bytes = exponent_of(settings.currency), memory_mb * 1_000_000
        folding = Folding(instants_ms, Path(spilled), settings.vocabulary, exponent, memory_bytes)
        with counting_bar("events") as show:
            fold_all(batches, folding, (lambda events: show(events, total)) if show else None)
        with counting_bar("instants") as show:
            written = write(shown(folding.parts(row_group), instants_ms, show), out, row_group)
    if not written.rows:
        raise OfflineError(f"No customer had bought within 180 days before {first:%Y-%m-%d} or a later instant.")
    events_per_s = round(folding.events / max(time.monotonic() - began_s, 1e-9))
    summary = {
        "rows": written.rows,
        "instants": len(instants_ms),
        "customers": folding.customers,
        "events": folding.events,
        "rejected": reading.rejected,
        "duplicates": reading.duplicates,
        "late_events": folding.late_events,
        "late_rows": written.late_rows,
        "events_per_s": events_per_s,
    }
    click.echo(msgspec.json.encode(summary) if as_json else describe(summary, out))


def instants(first_ms: int, every: str | None, last_ms: int | None) -> NDArray[np.int64]:
    """Midnights in ms: one, or one every so many days.

    Raises:
        click.UsageError: --every is no number of days, or --until is missing or too early.

    >>> (instants(0, "7d", 15 * DAY_MS) // DAY_MS).tolist()
    [0, 7, 14]
    """
    if every is None and last_ms is None:
        return np.array([first_ms], np.int64)
    written = re.fullmatch(r"([1-9]\d{0,3})d", every or "")
    if written is None or last_ms is None:
        raise click.UsageError(f"--every {every} --until …: write both, the first as a number of days such as 7d.")
    if last_ms < first_ms:
        raise click.UsageError("--until is before --at.")
    return np.array(range(first_ms, last_ms + 1, int(written[1]) * DAY_MS), np.int64)


def _read(
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


def shown(
    parts: Iterable[Part], instants_ms: NDArray[np.int64], show: Callable[[int, int], None] | None
) -> Iterator[Part]:
    """The same parts; `show` hears which instant they are of."""
    for part in parts:
        if show:
            show(int(np.searchsorted(instants_ms, part.at_ms)) + 1, len(instants_ms))
        yield part


def describe(summary: Mapping[str, Any], out: Path) -> str:
    """The summary for a reader."""
    lines = [
        f"{out}: {summary['rows']:,} rows, {summary['instants']:,} instants, {summary['customers']:,} customers, "
        f"{summary['events']:,} events, {summary['events_per_s']:,} events/s"
    ]
    if summary["rejected"] or summary["duplicates"]:
        lines.append(f"  left out: {summary['rejected']:,} rejected, {summary['duplicates']:,} repeats")
    if summary["late_events"]:
        lines.append(
            f"  {summary['late_events']:,} events came after an instant they are before: {summary['late_rows']:,} rows "
            "know more than an online snapshot of their instant did"
        )
    return "\n".join(lines)
