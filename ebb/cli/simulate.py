"""`ebb simulate`: a shop with known truth, to Kafka or to Parquet files."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import click
import msgspec

from ebb.cli.errors import told
from ebb.cli.number_options import ABOVE_ZERO, Number
from ebb.cli.replay import quiet_kafka
from ebb.cli.simulate_screen import Count, counted, describe, live_bar
from ebb.simulate import Shop, ShopSettings
from ebb.topic_admin import create_topics
from schemas.units import DAY_MS
from stream.errors import EbbError
from stream.redis_store.deployment import stored_deployment
from stream.settings.common import CommonSettings
from stream.settings.load import load_common_settings

SHARE = Number(0, 1)
SEEDS = click.IntRange(-(2**63), 2**63 - 1)  # draws know 64 bits of it: beyond them shops would repeat
EVENTS_PER_S = 100.0  # of a live shop, where nothing else is asked for


@click.command()
@click.option("--customers", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True, help="In all.")
@click.option("--days", type=click.IntRange(1, 3_650), default=730, show_default=True, help="After them it ends.")
@click.option("--seed", type=SEEDS, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--start", metavar="YYYY-MM-DD", help="First day.  [default: 2024-01-01]")
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FOLDER", help="Write files, not to Kafka.")
@click.option("--truth", type=click.Path(path_type=Path), metavar="FOLDER", help="Write truth, products, campaigns.")
@click.option("--rate", type=ABOVE_ZERO, help="To Kafka at most so many events per second.")
@click.option("--live", is_flag=True, help="Send events at wall-clock times, for a deployment on the live clock.")
@click.option("--events-per-s", type=ABOVE_ZERO, help="With --live.  [default: 100]")
@click.option("--seconds", type=ABOVE_ZERO, help="With --live: how long, if the days last.")
@click.option(
    "--seconds-per-day",
    type=Number(min=0.1),
    help="Replay in fast motion: a day of the shop passes in so many seconds.",
)
@click.option("--guests", type=Number(0, 0.9), help="Share of visits without a customer.  [default: 0.1]")
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
    events_per_s: float | None,
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
    run = Run(rate, truth, events_per_s, seconds, seconds_per_day)
    _refuse_together(run, parquet, live=live)
    _refuse_after_the_end(concept_change_day, days)
    mishaps = {"guest_share": guests, "late": late, "duplicate": duplicates, "misrouted": misrouted}
    chosen: dict[str, Any] = {name: value for name, value in mishaps.items() if value is not None}
    if start is not None:
        chosen["start"] = _first_day(start, days)
    chosen |= {"customers": customers, "seed": seed, "concept_change_day": concept_change_day}
    settings = ShopSettings(days=days, **chosen)
    if parquet:
        summary = to_parquet(settings, parquet)
    elif live:
        summary = _to_live(settings, run)
    else:
        summary = _to_kafka(settings, run)
    click.echo(msgspec.json.encode(summary) if as_json else describe(summary))


class Run(msgspec.Struct, frozen=True):
    """How events are sent."""

    rate: float | None
    truth: Path | None
    events_per_s: float | None
    seconds: float | None
    seconds_per_day: float | None


def _refuse_together(run: Run, parquet: Path | None, *, live: bool) -> None:
    """Options that exclude each other."""
    if parquet and (live or run.truth or run.rate or run.seconds_per_day):
        raise click.UsageError(
            "--parquet writes files, truth included, and goes with none of --live, --truth, --rate, --seconds-per-day."
        )
    if live and (run.rate or run.seconds_per_day):
        raise click.UsageError("--live has --events-per-s and --seconds in place of --rate and --seconds-per-day.")
    if (run.events_per_s or run.seconds) and not live:
        raise click.UsageError(
            "--events-per-s and --seconds go with --live; a replay has --rate and --seconds-per-day."
        )
    if run.rate and run.seconds_per_day:
        raise click.UsageError("--rate and --seconds-per-day are two paces; choose one.")


def _refuse_after_the_end(concept_change_day: int | None, days: int) -> None:
    if concept_change_day is not None and concept_change_day >= days:
        raise click.BadParameter(
            f"{concept_change_day} is after the last day: with --days {days} they go from 0 to {days - 1}.",
            param_hint="--concept-change-day",
        )


def to_parquet(settings: ShopSettings, folder: Path) -> dict[str, Any]:
    """Write a shop's files; returns the summary."""
    from ebb.simulate.parquet import saved  # noqa: PLC0415 - only here are files written

    common = load_common_settings()
    _check_span(settings, common)
    shop, count = Shop(replace(settings, currency=common.currency)), Count()
    for sent in counted(saved(shop.slices(), shop, folder), settings, count):
        del sent
    return count.summary() | {"currency": common.currency, "folder": str(folder)}


def _to_kafka(settings: ShopSettings, run: Run) -> dict[str, Any]:
    """Publish a shop as a replay; returns the summary."""
    from ebb.simulate.history import publish_history  # noqa: PLC0415 - files need no Kafka client
    from ebb.simulate.publishing import publish_in_motion, publish_paced  # noqa: PLC0415 - likewise

    common = load_common_settings()
    _check_span(settings, common)
    _make_room_for_truth(run)
    quiet_kafka()
    servers = list(common.kafka_servers)
    create_topics(servers, common.partitions)
    shop, count = Shop(replace(settings, currency=common.currency)), Count()
    days = counted(shop.slices(), settings, count)
    if run.seconds_per_day:
        replayed = publish_in_motion(days, servers, common.partitions, run.seconds_per_day)
    elif run.rate:
        replayed = publish_paced(days, servers, common.partitions, run.rate)
    else:
        replayed = publish_history(days, servers, common.partitions)
    _tell_truth(shop, run)
    return count.summary() | {"currency": common.currency, "clock_records": replayed.clock_records}


def _to_live(settings: ShopSettings, run: Run) -> dict[str, Any]:
    """Send a shop's events as of now; returns the summary."""
    from ebb.simulate.publishing import publish_live  # noqa: PLC0415 - files need no Kafka client

    quiet_kafka()
    common = load_common_settings()
    _make_room_for_truth(run)
    _tell_of_a_replay(common)
    servers = list(common.kafka_servers)
    create_topics(servers, common.partitions)
    prefix = f"live-{time_ns() // 1_000_000}-"  # a second run's events are others, not repeats
    shop, began_s = Shop(replace(settings, event_prefix=prefix, currency=common.currency)), monotonic()
    rate = run.events_per_s or EVENTS_PER_S
    with live_bar(run.seconds) as show:
        count = publish_live(shop.slices(), servers, common.partitions, rate, run.seconds, show)
    _tell_truth(shop, run)
    return {"events": count, "seconds": round(monotonic() - began_s, 1), "shop_days": shop.days_gone}


def _tell_of_a_replay(common: CommonSettings) -> None:
    """Say that events of now wait where a replay's clock stands."""
    try:
        clock = stored_deployment(common.redis_url).clock
    except EbbError:  # sending takes no Redis, and no worker that has started yet
        return
    if clock == "replay":
        click.echo(
            "The deployment in this Redis runs on the clock of a replay: workers apply these events once it is "
            "switched (`ebb clock live`).",
            err=True,
        )


def _check_span(settings: ShopSettings, common: CommonSettings) -> None:
    """Nobody would take an event of a shop that is too early or too late: no worker, and no reader of files."""
    end_ms = settings.start_ms + settings.days * DAY_MS
    if end_ms > time_ns() // 1_000_000 + common.latest_lead_ms:
        ends = datetime.fromtimestamp(end_ms / 1000 - 1, UTC).date()
        raise EbbError(
            f"The shop would end on {ends}, and events of the future are refused. Choose an earlier --start."
        )
    if settings.start_ms < common.earliest_event_ms:
        earliest = datetime.fromtimestamp(common.earliest_event_ms / 1000, UTC).date()
        raise EbbError(
            f"The shop would begin on {settings.start}, and events before {earliest} are refused "
            "(EBB_EARLIEST_EVENT_MS). Choose a later --start."
        )


def _make_room_for_truth(run: Run) -> None:
    """Before events are sent, for they cannot be taken back."""
    if run.truth:
        try:
            run.truth.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EbbError(f"Cannot write to {run.truth}: {error}. Choose another folder.") from error


def _tell_truth(shop: Shop, run: Run) -> None:
    if run.truth:
        from ebb.simulate.parquet import write_truth  # noqa: PLC0415 - only here are files written

        write_truth(shop, run.truth)


def _first_day(text: str, days: int) -> date:
    try:
        first = date.fromisoformat(text)
        first + timedelta(days=days)  # there must be such a day
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no date such as 2024-01-01", param_hint="--start") from error
    except OverflowError as error:
        raise click.BadParameter(f"{days} days from {text} on end after the year 9999", param_hint="--start") from error
    return first
