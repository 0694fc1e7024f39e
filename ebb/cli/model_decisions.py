"""`ebb models promote`, `pin`, `unpin`, `rollback` and `withdraw`: a person's word in which model serves."""

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console

from ebb.cli.errors import told
from ebb.cli.number_options import timeout_option
from ebb.cli.replay import quiet_kafka
from ebb.models.deciding import Action, Written, check_candidate, take_away, taken, write_decision
from ebb.models.publishing import publish, version_as_challenger
from ebb.models.reading import AnyKnown
from ebb.models.reading import known as known_now
from stream.settings.load import load_worker_settings
from stream.settings.worker import WorkerSettings


def deciding(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that decides something."""
    decorators = (
        click.option("--by", default=None, help="Who decides, for the record; by default who is logged in."),
        timeout_option("the learner has taken it"),
        click.option("--no-wait", is_flag=True, help="Write the decision and say where."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command()
@click.argument("name")
@click.argument("candidate")
@deciding
@told
def promote(name: str, candidate: str, **how: Any) -> None:
    """Make a candidate champion; the rule and the floors may replace it later."""
    _decide(name, "promote", candidate, **how)


@click.command()
@click.argument("name")
@click.argument("candidate")
@deciding
@told
def pin(name: str, candidate: str, **how: Any) -> None:
    """Make a candidate champion and let nothing replace it, not even a floor."""
    _decide(name, "pin", candidate, **how)


@click.command()
@click.argument("name")
@deciding
@told
def unpin(name: str, **how: Any) -> None:
    """Let the rule and the floors decide again."""
    _decide(name, "unpin", "", **how)


@click.command()
@click.argument("name")
@click.option("--to", "version", help="Serve what served in this stored version, as it was then, and pin it.")
@deciding
@told
def rollback(name: str, version: str | None, **how: Any) -> None:
    """Make the champion before this one champion again."""
    if version is None:
        _decide(name, "rollback", "", **how)
        return

    settings = load_worker_settings()
    quiet_kafka()
    challenger = version_as_challenger(settings, name, version)
    if challenger.name != known_now(settings, name).contest.championship.champion:  # else only the pin may be missing
        publish(settings, challenger, by=who_decides(how["by"]))
    _decide(name, "pin", challenger.name, is_checked=True, **how)


@click.command()
@click.argument("name")
@click.argument("challenger")
@deciding
@told
def withdraw(name: str, challenger: str, **how: Any) -> None:
    """Let a challenger from outside, or one that began at a drift, take part no more."""
    take_away(load_worker_settings(), name, challenger)
    _decide(name, "withdraw", challenger, is_checked=True, **how)


def _decide(
    name: str,
    action: Action,
    candidate: str,
    by: str | None,
    timeout: float,
    no_wait: bool,
    as_json: bool,
    is_checked: bool = False,
) -> None:
    """Write a decision, wait until it counts, and say what has become of it.

    Args:
        name: the outcome.
        action: what is decided.
        candidate: about whom; "" for nobody.
        by: who decides; None for who is logged in.
        timeout: how long to wait, in s.
        no_wait: not to wait.
        as_json: how to say it.
        is_checked: it is left to the learner whether there is such a candidate.
    """
    quiet_kafka()
    settings = load_worker_settings()
    known = known_now(settings, name)
    if candidate and not is_checked:
        check_candidate(known, candidate)
    written = write_decision(settings, name, action, candidate, by=who_decides(by))
    conclude(settings, written, timeout, no_wait=no_wait, as_json=as_json)


def conclude(settings: WorkerSettings, written: Written, timeout: float, *, no_wait: bool, as_json: bool) -> None:
    """Wait until a decision counts, if asked, and say what has become of it."""
    if no_wait:
        click.echo(_place(written, as_json=as_json))
        return
    with _waiting() as tell:
        known = taken(settings, written, timeout, tell)
    click.echo(_result(known, written, as_json=as_json))


def _place(written: Written, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"message_id": written.decision.message_id, "offset": written.offset})
    return f"written to labels, offset {written.offset:,}"


def _result(known: AnyKnown, written: Written, *, as_json: bool) -> str:
    """What has become of a decision."""
    championship, name, serving = known.contest.championship, known.name, known.serving
    candidate, action = written.decision.candidate, written.decision.action
    if as_json:
        return json.dumps(
            {
                "outcome": name,
                "action": action,
                "candidate": candidate or None,
                "champion": championship.champion,
                "is_pinned": championship.is_pinned,
                "serving": serving,
                "version": known.document.version if known.document else None,
                "message_id": written.decision.message_id,
                "offset": written.offset,
            }
        )
    pinned = ", pinned" if championship.is_pinned else ""
    version = f", version {known.document.version}" if known.document else ""
    part = {"admit": f"{candidate} takes part; ", "withdraw": f"{candidate} takes part no more; "}.get(action, "")
    return "\n".join(
        [
            f"{name}: {part}{championship.champion} is champion{pinned}; {serving or 'nothing'} serves{version}",
            f"  by labels offset {written.offset:,}",
            f"  next: ebb models show {name}",
        ]
    )


def who_decides(by: str | None) -> str:
    """Who decides."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@contextmanager
def _waiting() -> Iterator[Callable[[str], None]]:
    """Says on standard error what is waited for, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Console(stderr=True).status("") as status:
        yield lambda what: status.update(f"waiting until {what}")
