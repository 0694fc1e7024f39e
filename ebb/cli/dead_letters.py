"""`ebb dead-letters`: the records that could not be applied, and another try."""

import runpy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, TextColumn

from ebb.cli import Spelled
from ebb.cli.dead_letter_pages import as_json_text, as_object, describe, grouped, line_of, page_of, screen
from ebb.cli.errors import told
from ebb.cli.replay import quiet_kafka
from ebb.compose.decoding import decoding_of
from ebb.text import printable
from ebb.topic_admin import create_topics
from offline.dead_letters import DeadLetter, find_dead_letter, read_dead_letters
from offline.sending_again import Fix, FixError, SentAgain, send_again
from schemas.rejection import REASONS
from stream.errors import EbbError
from stream.settings.load import load_common_settings

LEFT = 3  # the exit code when some of what was asked for could not be sent
SHOWN_BYTES = 4_000


class UnknownLetterError(EbbError):
    """There is no such dead letter."""


@dataclass(frozen=True)
class Chosen:
    """Which dead letters are meant; nothing chosen means all. Times are in ms since 1970."""

    ids: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    since_ms: float = float("-inf")
    until_ms: float = float("inf")

    def __contains__(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.ids or letter.id in self.ids)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and self.since_ms <= letter.written_ms < self.until_ms
        )


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that chooses among dead letters."""
    moment, form = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]), "YYYY-MM-DD[THH:MM]"
    decorators = (
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice(REASONS),
            metavar="REASON",
            help=f"With this reason; may be repeated. One of {', '.join(REASONS)}.",
        ),
        click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Of this topic; may be repeated."),
        click.option("--since", type=moment, metavar=form, help="Set aside at this time, UTC, or later."),
        click.option("--until", type=moment, metavar=form, help="Set aside before this time, UTC."),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _chosen(
    reasons: Sequence[str],
    topics: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    ids: Sequence[str] = (),
) -> Chosen:
    times = {
        name: moment.replace(tzinfo=UTC).timestamp() * 1000
        for name, moment in (("since_ms", since), ("until_ms", until))
        if moment
    }
    return Chosen(frozenset(ids), frozenset(reasons), frozenset(topics), **times)


@click.group("dead-letters", cls=Spelled)
def dead_letters() -> None:
    """Records that could not be applied: look at them, send them again."""


@dead_letters.command("list")
@filters
@click.option("--each", is_flag=True, help="A line for each instead of one for each reason.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --each, one a line.")
@told
def list_(
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    each: bool,
    as_json: bool,
) -> None:
    """Count dead letters by reason and topic."""
    quiet_kafka()
    chosen = _chosen(reasons, topics, since, until)
    found = (letter for letter in read_dead_letters(load_common_settings().kafka_servers) if letter in chosen)
    if each:
        for letter in found:
            click.echo(as_json_text(as_object(letter)) if as_json else line_of(letter))
        return
    groups = grouped(found)
    click.echo(as_json_text(groups) if as_json else screen(groups))


@dead_letters.command()
@click.argument("letter_id", metavar="ID")
@click.option("--all", "whole", is_flag=True, help=f"All bytes of the value, not the first {SHOWN_BYTES:,}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the value in Base64.")
@told
def show(letter_id: str, whole: bool, as_json: bool) -> None:
    """Show one dead letter, by the ID that `list` shows: its headers and its bytes.

    What could move the cursor is escaped. Exits with 1 when there is no such letter.
    """
    quiet_kafka()
    letter = find_dead_letter(load_common_settings().kafka_servers, letter_id)
    if letter is None:
        raise UnknownLetterError(
            f"There is no dead letter {printable(letter_id)}. 'ebb dead-letters list --each' shows all there are."
        )
    click.echo(as_json_text(as_object(letter)) if as_json else page_of(letter, None if whole else SHOWN_BYTES))


@dead_letters.command()
@click.argument("ids", nargs=-1, metavar="[ID]…")
@filters
@click.option(
    "--fix",
    "script",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A Python file with fix(record), which returns the record changed, or None to leave it.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent, send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@told
def replay(
    ids: tuple[str, ...],
    reasons: tuple[str, ...],
    topics: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    script: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send dead letters again to the topics they came from, each once, however often this is run.

    What would become a dead letter again is left. Exits with 3 when something is left, with 1 when it could not go on:
    what was sent until then is known to the next run.
    """
    quiet_kafka()
    settings = load_common_settings()
    chosen = _chosen(reasons, topics, since, until, ids)
    fix = None if script is None else _load_fix(script)
    create_topics(settings.kafka_servers, settings.partitions)
    missing = set(ids)
    found = _without_missing(missing, (each for each in read_dead_letters(settings.kafka_servers) if each in chosen))
    with _progress() as on_progress:
        result = send_again(
            found,
            settings.kafka_servers,
            settings.partitions,
            decoding_of(settings),
            time.time_ns() // 1_000_000,
            fix,
            dry_run=dry_run,
            on_progress=on_progress,
        )
    click.echo(as_json_text(result) if as_json else describe(result, dry_run=dry_run))
    if missing:
        raise UnknownLetterError(f"There is no dead letter {', '.join(printable(each) for each in sorted(missing))}.")
    if result.left:
        raise click.exceptions.Exit(LEFT)


def _without_missing(missing: set[str], letters: Iterator[DeadLetter]) -> Iterator[DeadLetter]:
    """The letters; `missing` loses the ids that are there."""
    for letter in letters:
        missing.discard(letter.id)
        yield letter


def _load_fix(script: Path) -> Fix:
    """The function `fix` of a user's file.

    Raises:
        FixError: the file fails, or has none.
    """
    try:
        found = runpy.run_path(str(script)).get("fix")
    except Exception as error:
        raise FixError(f"{script} cannot be run: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise FixError(f"{script} has no function fix(record). It gets a dead letter and returns it changed, or None.")
    return found  # type: ignore[no-any-return]


@contextmanager
def _progress() -> Iterator[Callable[[SentAgain], None]]:
    """Shown on standard error if that is a terminal."""
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading what was sent before", total=None)
        yield lambda result: bar.update(
            task, description=f"{result.sent:,} sent, {result.before:,} before, {result.left.total():,} left"
        )
