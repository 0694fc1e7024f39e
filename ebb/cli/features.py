"""`ebb offline features`: the columns of every active customer at chosen instants, as snapshots would have had them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.cli.histories import DAY, any_history_options, days_in, history_given
from ebb.views import utc
from offline.days import midnight_ms
from offline.features.at_instants import NO_EVENT, ROWS_AT_ONCE, Folding, Part, fold_all
from offline.features.writing import refuse_unwritable, write
from offline.rejections import lacking
from schemas.units import DAY_MS
from stream.settings.load import load_offline_settings

INSTANTS_AT_MOST = 10_000
"""27 years of days: more is a misspelt date, and would look at all customers for each."""


@click.command()
@any_history_options
@click.option("--at", "first", type=DAY, required=True, metavar="YYYY-MM-DD", help="The midnight UTC of the rows.")
@click.option("--every", metavar="7d", help="And every so many days after it, until --until.")
@click.option("--until", "last", type=DAY, metavar="YYYY-MM-DD", help="The last of them may be this.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Parquet file to write.")
@click.option("--row-group", type=click.IntRange(1), default=ROWS_AT_ONCE, show_default=True, help="Rows at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@told
def features(
    *,
    first: datetime,
    every: str | None,
    last: datetime | None,
    out: Path,
    row_group: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the model columns of every customer who had bought within 180 days, at each instant.

    HISTORY is files of a --source, a folder of `ebb archive`, or one of `ebb simulate --parquet`. Rows equal what
    online snapshots hold, but where events came later than the instant: the summary counts those.
    """
    began_s = time.monotonic()
    settings = load_offline_settings()
    instants_ms = instants(midnight_ms(first.date()), every, midnight_ms(last.date()) if last else None)
    refuse_unwritable(out, options["history"])
    with history_given(settings, options) as given:
        folding = Folding(instants_ms, given.folder, given.memory_bytes)
        fold_all(given.batches, folding, given.told)
        reading = given.reading
        if not folding.events:
            raise lacking(NO_EVENT, reading.rejected)
        with counting_bar("instants") as show:
            written = write(shown(folding.parts(row_group), instants_ms, show), out, row_group)
    if not written.rows:
        raise lacking(
            f"No customer had bought within 180 days before {first:%Y-%m-%d} or a later instant: the history goes from "
            f"{utc(folding.first_ms):%Y-%m-%d} to {utc(folding.last_ms):%Y-%m-%d}. Choose another --at.",
            reading.rejected,
        )
    events_per_s = round(folding.events / max(time.monotonic() - began_s, 1e-9))
    summary = {
        "rows": written.rows,
        "instants": len(instants_ms),
        "customers": folding.customers,
        "events": folding.events,
        "rejected": reading.rejected.count,
        "rejected_by_reason": dict(reading.rejected.by_reason.most_common()),
        "orders_left_out": dict(reading.rejected.orders_left_out.most_common()),
        "duplicates": reading.duplicates,
        "late_events": folding.late_events,
        "late_rows": written.late_rows,
        "events_per_s": events_per_s,
    }
    click.echo(msgspec.json.encode(summary) if as_json else describe(summary, out))


def instants(first_ms: int, every: str | None, last_ms: int | None) -> NDArray[np.int64]:
    """Midnights in ms: one, or one every so many days.

    Raises:
        click.UsageError: --every is no number of days, --until is missing or too early, or there are too many.

    >>> (instants(0, "7d", 15 * DAY_MS) // DAY_MS).tolist()
    [0, 7, 14]
    """
    if every is None and last_ms is None:
        return np.array([first_ms], np.int64)
    if every is None or last_ms is None:
        raise click.UsageError("--every and --until go together, such as --every 7d --until 2026-03-01.")
    days = days_in(every)
    if days is None:
        raise click.UsageError(f"--every {every}: write a number of days such as 7d.")
    if last_ms < first_ms:
        raise click.UsageError("--until is before --at.")
    midnights = range(first_ms, last_ms + 1, days * DAY_MS)
    if len(midnights) > INSTANTS_AT_MOST:
        fits = -(-(last_ms - first_ms + DAY_MS) // DAY_MS // INSTANTS_AT_MOST)
        raise click.UsageError(
            f"--every {every} from {utc(first_ms):%Y-%m-%d} until {utc(last_ms):%Y-%m-%d} is {len(midnights):,} "
            f"instants, and at most {INSTANTS_AT_MOST:,} are written at once. Choose other days, or --every {fits}d or "
            "more."
        )
    return np.array(midnights, np.int64)


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
    times = "instant" if summary["instants"] == 1 else "instants"
    lines = [
        f"{out}: {summary['rows']:,} rows, {summary['instants']:,} {times}, {summary['customers']:,} customers, "
        f"{summary['events']:,} events, {summary['events_per_s']:,} events/s"
    ]
    if summary["rejected"] or summary["duplicates"]:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary["rejected_by_reason"].items())
        why = f" ({reasons})" if reasons else ""
        lines.append(f"  left out: {summary['rejected']:,} rejected{why}, {summary['duplicates']:,} repeats")
    lines += [f"  left out: {count:,} {why.replace('_', ' ')}" for why, count in summary["orders_left_out"].items()]
    if summary["late_events"]:
        lines.append(
            f"  {summary['late_events']:,} events came after an instant they are before: {summary['late_rows']:,} rows "
            "know more than an online snapshot of their instant did"
        )
    return "\n".join(lines)
