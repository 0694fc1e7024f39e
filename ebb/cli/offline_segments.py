"""`ebb offline segments`: clusters of customers, their number chosen by measures, named as the stream names its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.cli.histories import DAY, any_history_options, history_given, named
from ebb.cli.runs import begin_run, versions
from ebb.text import aligned
from offline.days import midnight_ms
from offline.features.at_instants import midnights_ms
from offline.rejections import Rejections, rejected_first
from offline.report.folder import write_run
from offline.segments.choosing import SEED
from offline.segments.find import FEWEST, MOST, Customers, Finding, Segments, customers_of, find
from offline.segments.report import html
from stream.features.columns import SEGMENT_COLUMNS
from stream.features.layout import LAYOUT
from stream.scoring.documents import SEGMENTS_NAME
from stream.settings.load import load_offline_settings
from stream.settings.worker import WorkerSettings


@click.command()
@any_history_options
@click.option("--at", "at", type=DAY, metavar="YYYY-MM-DD", help="Of this midnight UTC. [default: the last]")
@click.option("--clusters", type=click.IntRange(2, 50), help=f"How many. [default: {FEWEST} to {MOST}, by measures]")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="A new folder.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json.")
@told
def segments(*, at: datetime | None, clusters: int | None, out: Path, as_json: bool, **options: Any) -> None:
    """Cluster the customers who had bought within 180 days, and write a run with named centres and a report page.

    HISTORY is files of a --source, a folder of `ebb archive`, or one of `ebb simulate --parquet`. Needs scikit-learn
    and matplotlib: pip install 'ebb[offline]'.
    """
    begin_run(out)
    made = segments_run(load_offline_settings(), options | {"at": at, "clusters": clusters})
    made.write(out)
    found = made.finding.found
    click.echo(msgspec.json.encode(found) if as_json else "\n".join(_screen(found, made.rejected, out)))


@dataclass(frozen=True)
class SegmentsRun:
    """Segments that were found, and how that came about."""

    finding: Finding
    configuration: dict[str, Any]
    rejected: Rejections

    def write(self, out: Path, **more: Any) -> None:
        """Write the run; `more` is kept with its configuration."""
        page = html(self.finding)
        write_run(out, self.configuration | more, self.finding.found, {SEGMENTS_NAME: self.finding.document}, page)


def segments_run(settings: WorkerSettings, options: Mapping[str, Any]) -> SegmentsRun:
    """Find segments in the history that `any_history_options` name, at the midnight `at` and as many as `clusters`."""
    with history_given(settings, options) as given:
        midnights = midnights_ms(settings.earliest_event_ms, given.reading.received_ms, 1, 0)
        at = options["at"]
        instants = midnights if at is None else np.array([midnight_ms(at.date())], np.int64)
        rejected = given.reading.rejected
        with rejected_first(rejected):
            customers = customers_of(given.batches, instants, given.folder, given.memory_bytes, given.told)
    with rejected_first(rejected), counting_bar("numbers") as show:
        finding = find(customers, options["clusters"], settings.currency, show)
    return SegmentsRun(finding, _configuration(options, customers, finding.found), rejected)


def _configuration(options: Mapping[str, Any], customers: Customers, found: Segments) -> dict[str, Any]:
    """How a run came about: enough to repeat it."""
    return {
        **named(options),
        "at": found.day,
        "clusters": options["clusters"],
        "seed": SEED,
        "data_hash": customers.data_hash,
        "layout": LAYOUT,
        "segment_columns": SEGMENT_COLUMNS,
        "versions": versions(),
    }


def _screen(found: Segments, rejected: Rejections, out: Path) -> Iterator[str]:
    """What was found, for a reader."""
    count = f"{len(found.clusters)} clusters of {found.customers:,} customers"
    yield f"{count} at {found.day} · stability {found.stability:.2f}"
    yield ""
    yield from aligned([_head(found), *_rows(found)], "<>>>>>")
    yield ""
    if found.votes is not None:
        votes = found.votes
        yield (
            f"for their number: silhouette {votes.silhouette}, Davies-Bouldin {votes.davies_bouldin}, gap "
            f"{votes.gap}; the middle is {votes.chosen}"
        )
    if rejected:
        yield f"note: {rejected.said()}"
    yield f"next: open {out / 'report.html'}"


def _head(found: Segments) -> list[str]:
    return ["centre", "customers", "silent, days", "purchase days", f"spend, {found.currency}", "tenure, days"]


def _rows(found: Segments) -> Iterator[list[str]]:
    for title, each in zip(found.titles, found.clusters, strict=True):
        days = f"{each.silence_days:,.0f}", f"{each.purchase_days:,.1f}"
        yield [title, f"{each.customers:,}", *days, f"{each.spend:,.0f}", f"{each.tenure_days:,.0f}"]
