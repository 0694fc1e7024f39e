"""`ebb alerts`, and `watch` in it: what marketing gets, as it comes."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from math import inf
from threading import Event
from time import monotonic
from types import FrameType

import click
import msgspec
from kafka.consumer.fetcher import ConsumerRecord

from ebb.cli import Commands
from ebb.cli.errors import told
from ebb.cli.number_options import ABOVE_ZERO
from ebb.cli.replay import quiet_kafka
from ebb.following import GIVE_UP_AFTER_S, MarketingMessage, decode_message, follow
from ebb.text import fitted, money, percent, printable, terminal_columns
from ebb.views import utc
from schemas.messages import ChurnAlertClosed, ChurnAlertOpened
from schemas.topics import CHURN_ALERTS, SEGMENT_CHANGES
from stream.settings.load import load_common_settings

CLOSED_FOR = {
    "purchase": "bought again",
    "probability": "the probability fell",
    "erased": "the customer was erased",
    "merged": "the customer was merged into another",
}


@click.group(cls=Commands, modules={"watch": "ebb.cli.alerts", "plan": "ebb.cli.alert_plan"})
def alerts() -> None:
    """What Ebb tells marketing."""


@click.command()
@click.option("--segments", is_flag=True, help="Changes of segment as well.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest message that Kafka keeps.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many messages.")
@click.option("--for", "for_s", type=ABOVE_ZERO, help="End after so many seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print each message as a line of JSON.")
@click.option(
    "--give-up-after",
    "give_up_after_s",
    type=ABOVE_ZERO,
    default=GIVE_UP_AFTER_S,
    show_default=True,
    help="End when Kafka has been away for so many seconds.",
)
@told
def watch(
    segments: bool, from_start: bool, limit: int | None, for_s: float | None, as_json: bool, give_up_after_s: float
) -> None:
    """Show churn alerts as they come, a line each, until Ctrl-C; a narrow terminal has the rest of it below.

    While Kafka is away, standard error says so and when it is back; then it goes on behind the last message shown.
    Exits with 1 when Kafka is away at the beginning or for --give-up-after seconds, otherwise with 0.
    """
    quiet_kafka()
    topics = [CHURN_ALERTS, *([SEGMENT_CHANGES] if segments else [])]
    ends_s = inf if for_s is None else monotonic() + for_s
    printed = 0
    servers = load_common_settings().kafka_servers
    followed = follow(servers, topics, _say, from_start=from_start, give_up_after_s=give_up_after_s)
    with _until_asked_to_stop() as stop, closing(followed) as batches:
        next(batches)
        click.echo(f"watching {', '.join(topics)} · Ctrl-C ends", err=True)
        while printed != limit and not stop.is_set() and monotonic() < ends_s:
            found = [line for record in next(batches) if (line := shown(record, as_json)) is not None]
            lines = found if limit is None else found[: limit - printed]
            printed += len(lines)
            if not _write(lines):
                return


def _say(text: str) -> None:
    click.echo(f"ebb: {text}", err=True)


@contextmanager
def _until_asked_to_stop() -> Iterator[Event]:
    """Set by Ctrl-C and by a request to end: both are how one ends it, no failure. A second one ends it at once."""
    stop = Event()

    def note(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def shown(record: ConsumerRecord, as_json: bool) -> str | None:
    """What is printed of a record; None, with a line on standard error, for one that this version cannot read."""
    try:
        if as_json:  # what a newer version has added stays in
            return msgspec.json.encode(msgspec.json.decode(record.value or b"")).decode()
        return fitted(line_of(decode_message(record.value or b"")), terminal_columns())
    except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
        where = f"{record.topic} partition {record.partition} offset {record.offset}"
        _say(printable(f"the message at {where} cannot be read: {error}"))
        return None


def line_of(message: MarketingMessage) -> str:
    r"""A message as one line that cannot touch the terminal.

    >>> from schemas.messages import SegmentChanged
    >>> print(line_of(SegmentChanged(
    ...     message_id="m", partition=0, sequence=1, customer_id="ada\x1b[2J", changed_ms=1_291_924_860_000,
    ...     left="Champions", entered="At Risk", model_version="s1")))
    2010-12-09 20:01  moved   ada\x1b[2J  Champions → At Risk
    """
    if isinstance(message, ChurnAlertOpened):
        at_ms, kind = message.opened_ms, "opened"
        risk = money(message.value_at_risk, message.currency)
        what = f"{percent(message.probability)}  {risk} at risk  {' · '.join(message.reasons)}"
    elif isinstance(message, ChurnAlertClosed):
        at_ms, kind, what = message.closed_ms, "closed", CLOSED_FOR[message.cause]
        if message.cause == "probability" and message.probability is not None:
            what = f"fell to {percent(message.probability)}"
    else:
        at_ms, kind, what = message.changed_ms, "moved", f"{message.left} → {message.entered}"
    return printable(f"{utc(at_ms):%Y-%m-%d %H:%M}  {kind:<6}  {message.customer_id}  {what}")


def _write(lines: list[str]) -> bool:
    """Print; False where nobody reads any more, such as after `| head`."""
    try:
        for line in lines:
            click.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return False
    return not _pipe_is_closed()


def _pipe_is_closed() -> bool:
    """Whether the reader of standard output has gone, known before the next line would show it."""
    if not hasattr(select, "poll"):
        return False
    asked = select.poll()
    try:
        asked.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always reported
    except (OSError, ValueError):  # no file, as in a test that captures
        return False
    return any(state & select.POLLERR for _, state in asked.poll(0))
