"""`ebb offline segments`: clusters of customers, their number chosen by measures, named as the stream names its own."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec
import numpy as np

from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.cli.histories import DAY, any_history_options, read_any
from ebb.compose.worker import decoding_of, rules_of
from offline.backtest.batch import require_scikit_learn
from offline.backtest.report import midnight_ms
from offline.features.at_instants import midnights_ms
from offline.features.histories import Reading
from offline.report.folder import refuse_taken, write_run
from offline.report.plots import require_matplotlib
from offline.segments.choosing import SEED
from offline.segments.find import FEWEST, MOST, Customers, Segments, customers_of, find
from offline.segments.report import html
from offline.sources.columns import parse_mapping
from schemas.money import exponent_of
from stream.features.columns import SEGMENT_COLUMNS
from stream.features.layout import LAYOUT
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
    require_scikit_learn()
    require_matplotlib()
    refuse_taken(out)
    settings = load_offline_settings()
    customers = _read(settings, at, options)
    with counting_bar("numbers") as show:
        finding = find(customers, clusters, exponent_of(settings.currency), show)
    configuration = _configuration(options, customers, clusters, finding.found)
    write_run(out, configuration, finding.found, {"segments": finding.document}, html(finding))
    click.echo(msgspec.json.encode(finding.found) if as_json else "\n".join(_screen(finding.found, out)))


def _read(settings: WorkerSettings, at: datetime | None, options: Mapping[str, Any]) -> Customers:
    received_ms = time.time_ns() // 1_000_000
    reading = Reading(decoding_of(settings), settings.partitions, received_ms)
    mapping = parse_mapping(options["columns"])
    total, batches = read_any(options["history"], options["source"], mapping, settings.currency, reading)
    midnights = midnights_ms(settings.earliest_event_ms, received_ms, 1, 0)
    instants = midnights if at is None else np.array([midnight_ms(at.date())], np.int64)
    with TemporaryDirectory(prefix="ebb-segments-") as folder, counting_bar("events") as show:
        told = (lambda events: show(events, total)) if show else None
        memory_bytes = options["memory_mb"] * 1_000_000
        return customers_of(batches, instants, rules_of(settings), Path(folder), memory_bytes, told)


def _configuration(
    options: Mapping[str, Any], customers: Customers, clusters: int | None, found: Segments
) -> dict[str, Any]:
    """How a run came about: enough to repeat it."""
    return {
        "history": [str(path) for path in options["history"]],
        "source": options["source"],
        "columns": options["columns"],
        "at": found.day,
        "clusters": clusters,
        "seed": SEED,
        "data_hash": customers.data_hash,
        "layout": LAYOUT,
        "segment_columns": SEGMENT_COLUMNS,
        "versions": {name: version(name) for name in ("ebb", "numpy", "scikit-learn")},
    }


def _screen(found: Segments, out: Path) -> Iterator[str]:
    """What was found, for a reader."""
    count = f"{len(found.clusters)} clusters of {found.customers:,} customers"
    yield f"{count} at {found.day} · stability {found.stability:.2f}"
    yield ""
    yield f"{'centre':<22}{'customers':>10}{'silent, days':>14}{'purchase days':>15}{'spend':>10}{'tenure, days':>14}"
    for each in found.clusters:
        yield (
            f"{each.name:<22}{each.customers:>10,}{each.silence_days:>14,.0f}{each.purchase_days:>15,.1f}"
            f"{each.spend:>10,.0f}{each.tenure_days:>14,.0f}"
        )
    yield ""
    if found.votes is not None:
        votes = found.votes
        yield (
            f"for their number: silhouette {votes.silhouette}, Davies-Bouldin {votes.davies_bouldin}, gap "
            f"{votes.gap}; the middle is {votes.chosen}"
        )
    yield f"next: open {out / 'report.html'}"
