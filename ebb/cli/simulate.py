"""`ebb simulate`: a shop with known truth, to Kafka or to Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ebb.cli.errors import told
from ebb.cli.replay import quiet_kafka
from ebb.simulate import Shop, ShopSettings, Slice
from ebb.simulate.figures import PurchaseLog
from ebb.topic_admin import create_topics
from schemas.units import DAY_MS
from stream.errors import EbbError
from stream.settings.load import load_common_settings

SHARE = click.FloatRange(0, 1)


@click.command()
@click.option("--customers", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True, help="In all.")
@click.option("--days", type=click.IntRange(1, 3_650), default=730, show_default=True, help="After them it ends.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--start", metavar="YYYY-MM-DD", help="First day.  [default: 2024-01-01]")
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FOLDER", help="Write files, not to Kafka.")
@click.option("--truth", type=click.Path(path_type=Path), metavar="FOLDER", help="Write truth, products, campaigns.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="To Kafka at most so many events per second.")
@click.option("--live", is_flag=True, help="Send events at wall-clock times, for a deployment on the live clock.")
@click.option(
    "--events-per-s", type=click.FloatRange(min=0, min_open=True), default=100.0, show_default=True, help="With --live."
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="With --live: how long, if the days last.")
@click.option(
    "--seconds-per-day",
    type=click.FloatRange(min=0.1),
    help="Replay in fast motion: a day of the shop passes in so many seconds.",
)
@click.option("--guests", type=click.FloatRange(0, 0.9), help="Share of visits without a customer.  [default: 0.1]")
@click.option("--late", type=SHARE, help="Share of events that arrive hours late.  [default: 0.01]")
@click.option("--duplicates", type=SHARE, help="Share of events sent twice.  [default: 0.005]")
@click.option("--misrouted", type=SHARE, help="Share of events on the partition of CRC-32.  [default: 0]")
@click.option(
    "--concept-change-day", type=click.IntRange(0), metavar="DAY", help="Customers behave otherwise from here."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@told
def simulate(
    *,
    customers: int,
    days: int,
    seed: int,
    start: str | None,
    parquet: Path | None,
    truth: Path | None,
    rate: float | None,
    live: bool,
    events_per_s: float,
    seconds: float | None,
    seconds_per_day: float | None,
    guests: float | None,
    late: float | None,
    duplicates: float | None,
    misrouted: float | None,
    concept_change_day: int | None,
    as_json: bool,
) -> None:
    """Generate a shop whose truth is known: purchases, visits, mails, reviews, and the reasons for them.

    To Kafka it is a replay with clock records (run worker and learner with EBB_CLOCK=replay), or, with --live, events
    of now. docs/simulated-shop.md says how customers behave.
    """
    if parquet and (live or truth or rate or seconds_per_day):
        raise click.UsageError(
            "--parquet writes files, truth included, and goes with none of --live, --truth, --rate, --seconds-per-day."
        )
    if live and (rate or seconds_per_day):
        raise click.UsageError("--live has --events-per-s and --seconds in place of --rate and --seconds-per-day.")
    mishaps = {"guest_share": guests, "late": late, "duplicate": duplicates, "misrouted": misrouted}
    chosen: dict[str, Any] = {name: value for name, value in mishaps.items() if value is not None}
    if start is not None:
        chosen["start"] = _first_day(start)
    chosen |= {"customers": customers, "seed": seed, "concept_change_day": concept_change_day}
    run = Run(rate, truth, events_per_s, seconds, seconds_per_day)
    settings = ShopSettings(days=days, **chosen)
    if parquet:
        summary = to_parquet(settings, parquet)
    elif live:
        summary = to_live(settings, run)
    else:
        summary = to_kafka(settings, run)
    click.echo(msgspec.json.encode(summary) if as_json else describe(summary))


class Run(msgspec.Struct, frozen=True):
    """How events are sent."""

    rate: float | None
    truth: Path | None
    events_per_s: float
    seconds: float | None
    seconds_per_day: float | None


def to_parquet(settings: ShopSettings, folder: Path) -> dict[str, Any]:
    """Write a shop's files; returns the summary."""
    from ebb.simulate.parquet import saved  # noqa: PLC0415 - only here are files written

    shop, count = Shop(settings), Count()
    for sent in counted(saved(shop.slices(), shop, folder), settings, count):
        del sent
    return count.summary() | {"folder": str(folder)}


def to_kafka(settings: ShopSettings, run: Run) -> dict[str, Any]:
    """Publish a shop as a replay; returns the summary."""
    from ebb.simulate.publishing import publish_history, publish_in_motion  # noqa: PLC0415 - files need no Kafka client

    end_ms = settings.start_ms + settings.days * DAY_MS
    common = load_common_settings()
    if end_ms > time_ns() // 1_000_000 + common.latest_lead_ms:
        ends = datetime.fromtimestamp(end_ms / 1000 - 1, UTC).date()
        raise EbbError(
            f"The shop would end on {ends}, and events of the future are refused. Choose an earlier --start."
        )
    quiet_kafka()
    servers = list(common.kafka_servers)
    create_topics(servers, common.partitions)
    shop, count = Shop(replace(settings, currency=common.currency)), Count()
    days = counted(shop.slices(), settings, count)
    if run.seconds_per_day:
        replayed = publish_in_motion(days, servers, common.partitions, run.seconds_per_day)
    else:
        replayed = publish_history(days, servers, common.partitions, rate=run.rate)
    _tell_truth(shop, run)
    return count.summary() | {"clock_records": replayed.clock_records}


def to_live(settings: ShopSettings, run: Run) -> dict[str, Any]:
    """Send a shop's events as of now; returns the summary."""
    from ebb.simulate.publishing import publish_live  # noqa: PLC0415 - files need no Kafka client

    quiet_kafka()
    common = load_common_settings()
    servers = list(common.kafka_servers)
    create_topics(servers, common.partitions)
    prefix = f"live-{time_ns() // 1_000_000}-"  # a second run's events are others, not repeats
    shop, began_s = Shop(replace(settings, event_prefix=prefix, currency=common.currency)), monotonic()
    with _live_bar(run.seconds) as show:
        count = publish_live(shop.slices(), servers, common.partitions, run.events_per_s, run.seconds, show)
    _tell_truth(shop, run)
    return {"events": count, "seconds": round(monotonic() - began_s, 1), "shop_days": shop.days_gone}


class Count:
    """What has gone through."""

    def __init__(self) -> None:
        self.events, self.bytes, self.purchases, self._began_s = 0, 0, PurchaseLog(), monotonic()

    def add(self, sent: Slice) -> None:
        """Take a day into account."""
        self.events += len(sent)
        self.bytes += sum(map(len, sent.values))
        self.purchases.add_slice(sent)

    @property
    def events_per_s(self) -> int:
        """Since the beginning."""
        return round(self.events / max(monotonic() - self._began_s, 1e-9))

    def summary(self) -> dict[str, Any]:
        """What `--json` prints."""
        figures = self.purchases.figures()
        return {
            "events": self.events,
            "bytes": self.bytes,
            "events_per_s": self.events_per_s,
            "buyers": figures.customers,
            "median_gap_days": figures.median_gap_days,
            "mean_basket": figures.mean_basket,
            "repeat_rate": figures.repeat_rate,
            "one_time_share": figures.one_time_share,
        }


def counted(slices: Iterator[Slice], settings: ShopSettings, count: Count) -> Iterator[Slice]:
    """Pass days on, counted and shown on a bar if standard error is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(str(settings.start), total=settings.days, said="")
        for day, sent in enumerate(slices, 1):
            yield sent
            count.add(sent)
            today = settings.start + timedelta(days=day)
            said = f"{count.events:,} events  {count.events_per_s:,}/s"
            bar.update(task, completed=day, description=str(today), said=said)


@contextmanager
def _live_bar(seconds: float | None) -> Iterator[Any]:
    console = Console(stderr=True)
    columns = (TextColumn("live"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, began_s = bar.add_task("live", total=seconds, said=""), monotonic()

        def show(count: int) -> None:
            gone_s = monotonic() - began_s
            bar.update(task, completed=gone_s, said=f"{count:,} events  {count / max(gone_s, 1e-9):,.0f}/s")

        yield show


def describe(summary: dict[str, Any]) -> str:
    """The same for a reader."""
    if "shop_days" in summary:
        return (
            f"{summary['events']:,} events in {summary['seconds']:,} s, {summary['shop_days']:,} days of the shop\n"
            "  next: ebb segments, ebb at-risk"
        )
    following = (
        f"  files in {summary['folder']}: events, truth, products, campaigns"
        if "folder" in summary
        else "  next: ebb segments, ebb at-risk"
    )
    return (
        f"{summary['events']:,} events, {summary['bytes'] / 1e6:,.0f} MB, {summary['events_per_s']:,} events/s\n"
        f"  {summary['buyers']:,} customers bought; a basket costs {summary['mean_basket']:,.2f} on average\n"
        f"  {summary['repeat_rate']:.0%} of them on more than one day, {summary['one_time_share']:.0%} once, "
        f"half of all gaps are at most {summary['median_gap_days']:.0f} days\n" + following
    )


def _tell_truth(shop: Shop, run: Run) -> None:
    if run.truth:
        from ebb.simulate.parquet import write_truth  # noqa: PLC0415 - only here are files written

        write_truth(shop, run.truth)


def _first_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no date such as 2024-01-01", param_hint="--start") from error
