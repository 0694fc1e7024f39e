"""`ebb recover` and `ebb repartition`: Redis made again from the archive."""

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import click
import msgspec

from ebb.cli.archive import LOST
from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.cli.replay import quiet_kafka
from ebb.history import repartitioning
from ebb.history.recovering import Recovered
from ebb.history.recovering import recover as rebuild
from ebb.history.repartitioning import Repartitioning
from stream.errors import SettingError
from stream.settings.load import load_worker_settings


@click.command()
@click.option("--from", "folder", type=click.Path(path_type=Path), required=True, help="Folder of the archive.")
@click.option("--replace", is_flag=True, help="Throw away the customers that Redis holds.")
@click.option(
    "--publish-again", is_flag=True, help="Send alerts, segment changes and dead letters once more, under their ids."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@told
def recover(folder: Path, replace: bool, publish_again: bool, as_json: bool) -> None:
    """Rebuild Redis from an archive; workers go on in Kafka where it ends.

    Stop workers and learner first. Messages that are known to have been sent are not sent again. Exits with 3 when
    neither archive nor Kafka has some records.
    """
    quiet_kafka()
    settings = load_worker_settings()
    began_s = monotonic()
    with counting_bar("records") as told_of:
        done = asyncio.run(rebuild(settings, folder, replace=replace, publish_again=publish_again, told=told_of))
    _print(done, monotonic() - began_s, as_json=as_json)


@click.command()
@click.option("--partitions", type=click.IntRange(1, 1024), required=True, help="How many there are to be.")
@click.option("--archive", "folder", type=click.Path(path_type=Path), required=True, help="Folder of the archive.")
@click.option(
    "--remake-topics",
    is_flag=True,
    help="For fewer partitions: delete the input topics and make them again. Other readers of them lose their places.",
)
@click.option("--dry-run", is_flag=True, help="Bring the archive up to date, and say what would happen.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@told
def repartition(partitions: int, folder: Path, remake_topics: bool, dry_run: bool, as_json: bool) -> None:
    """Go over to more partitions or to fewer: Redis is rebuilt with everybody where they belong then.

    For more, topics grow. Kafka takes none away, so for fewer the input topics are made again (--remake-topics): their
    records are in the archive alone then. Interrupted at any point, the same command does the rest.

    Stop producers, let the workers finish, stop them and the learner. Start all with EBB_PARTITIONS at the new number.
    """
    quiet_kafka()
    settings = load_worker_settings()
    wanted = asyncio.run(repartitioning.plan(settings, folder, partitions))
    if dry_run:
        click.echo(msgspec.json.encode(asdict(wanted)) if as_json else describe_plan(wanted))
        return
    if wanted.made_again and not (remake_topics or wanted.goes_on):
        raise SettingError(
            f"{wanted.before} partitions become {wanted.after} only by deleting {', '.join(wanted.made_again)} and "
            "making them again: other readers of them lose their places, and their records are in the archive alone "
            "then. If that is meant, add --remake-topics; --dry-run says more. Nothing was changed."
        )
    began_s = monotonic()
    with counting_bar("records") as told_of:
        step = _unsaid if as_json else _step
        done = asyncio.run(repartitioning.repartition(settings, folder, wanted, told_of, step))
    _print(done, monotonic() - began_s, as_json=as_json)


def _step(what: str) -> None:
    click.echo(f"  {what}", err=True)


def _unsaid(_what: str) -> None:
    """One object is all that is printed."""


def describe_plan(wanted: Repartitioning) -> str:
    """What would happen, for a reader."""
    lines = [
        f"{wanted.before} partitions would become {wanted.after}; {wanted.records:,} records would be applied anew"
    ]
    if wanted.goes_on:
        lines[0] = f"going from {wanted.before} partitions to {wanted.after} was interrupted, and would go on"
    if wanted.made_again:
        lines += [f"  deleted and made again: {', '.join(wanted.made_again)}"]
        lines += ["  other readers of these lose their places, and their records are in the archive alone then"]
    if wanted.kept:
        lines += [f"  kept with {max(wanted.kept.values())} partitions: {', '.join(wanted.kept)}"]
    how = "with --remake-topics in place of" if wanted.made_again else "without"
    return "\n".join([*lines, f"  next: the same {how} --dry-run"])


def _print(done: Recovered, took_s: float, *, as_json: bool) -> None:
    per_s = round(done.records / max(took_s, 1e-9))
    click.echo(msgspec.json.encode(as_object(done, per_s)) if as_json else describe(done, per_s))
    if done.gaps:
        sys.exit(LOST)


def as_object(done: Recovered, per_s: int) -> dict[str, Any]:
    """What `--json` prints."""
    positions = [
        {"topic": topic, "partition": partition, "next_offset": offset}
        for (topic, partition), offset in sorted(done.positions.items())
    ]
    return asdict(done) | {"positions": positions, "records_per_s": per_s}


def describe(done: Recovered, per_s: int) -> str:
    """The same for a reader."""
    made = f"{done.customers:,} customers on {done.partitions} partitions"
    lines = [f"{made}, from {done.records:,} records, {per_s:,} a second"]
    if done.unjournaled:
        lines.append(f"  {done.unjournaled:,} records had no journal: their times come from the topics, without ticks")
    if done.models_missing:
        lines.append(f"  models not archived, the one before each was used: {', '.join(done.models_missing)}")
    if done.learns_anew:
        lines.append(
            "  the archive has another layout: its labels will be sent again, and models learned anew from them"
        )
    elif done.to_publish:
        lines.append(f"  {done.to_publish:,} messages will be sent, under the ids they had")
    lines += [f"  LOST {topic} partition {number}: {a:,} to {b - 1:,}" for topic, number, a, b in done.gaps]
    return "\n".join([*lines, f"  next: ebb worker with EBB_PARTITIONS={done.partitions}, and ebb learner"])
