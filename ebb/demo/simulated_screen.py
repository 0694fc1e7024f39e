"""The simulated shop on the screen: alerts line by line as they arrive, and what it all came to."""

import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ebb.demo.simulated import CUSTOMERS, PAST_DAYS, SECONDS, Alert, Show, Watcher
from ebb.text import percent
from schemas.messages import ChurnAlertOpened
from schemas.units import DAY_MS

TITLE = "Simulated shop, live · invented customers, not the history above"
CAUSES = {"purchase": "bought", "probability": "the probability fell"}


class Screen(Watcher, AbstractContextManager["Screen"]):
    """Prints alerts as they arrive; a terminal has a bar below them.

    Args:
        lines: whether to print alerts; a script that wants JSON does not.
    """

    def __init__(self, *, lines: bool) -> None:
        self._lines = lines
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=10), TextColumn("{task.fields[said]}"))
        on_terminal = sys.stderr.isatty()
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, transient=True, disable=not on_terminal)
        self._above_bar = on_terminal and sys.stdout.isatty()
        self._task = self._bar.add_task("", total=None, said="")

    def __enter__(self) -> "Screen":
        """Nothing is shown before there is something to show."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take the bar away."""
        self._bar.stop()

    def preparing(self, applied: int, total: int) -> None:
        """How much of the past is applied."""
        self._bar.start()
        said = f"{applied:,} of {total:,} events" if total else "starting"
        text = f"a simulated shop's past {PAST_DAYS} days"
        self._bar.update(self._task, description=text, completed=applied, total=total or None, said=said)

    def begins(self, show: Show) -> None:
        """The headline."""
        self._bar.reset(self._task, total=SECONDS)
        self._print(_headline(show))

    def alert(self, show: Show, alert: Alert) -> None:
        """One line."""
        self._print(line(alert))

    def time_passes(self, show: Show) -> None:
        """The bar."""
        self._bar.update(self._task, description=_day(show.time_ms), completed=show.seconds, said=so_far(show))

    def _print(self, text: str) -> None:
        if self._lines and self._above_bar:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        elif self._lines:
            click.echo(text)


def _headline(show: Show) -> str:
    """What begins."""
    return (
        f"\n{TITLE}\n"
        f"  {CUSTOMERS:,} customers, one second is one day; alerts as they arrive from Kafka:\n\n"
        "day          customer"
    )


def line(alert: Alert) -> str:
    """An alert as it arrives."""
    if isinstance(alert, ChurnAlertOpened):
        silent_days = (alert.opened_ms - alert.episode_ms) // DAY_MS
        return (
            f"{_day(alert.opened_ms)}   {alert.customer_id}   churn alert   {percent(alert.probability)}   "
            f"£ {float(alert.value_at_risk):,.0f} at risk, silent for {silent_days} days"
        )
    return f"{_day(alert.closed_ms)}   {alert.customer_id}   alert closed  {CAUSES[alert.cause]}"


def so_far(show: Show) -> str:
    """What has come, beside the bar; with it 80 columns."""
    return f"{_sent(show)}  {len(show.opened):,} alerts"


def summary(show: Show) -> str:
    """What has been seen, for a reader."""
    opened = len(show.opened)
    lines = [
        f"{show.days} days in {SECONDS} s · {_sent(show)}",
        f"  {opened:,} churn alerts, {show.by_silence:,} of them by silence alone; {len(show.closed):,} closed",
        f"  by the shop's hidden truth {show.had_left:,} of the {opened:,} had left for good",
        "  next: ebb simulate --help   (docs/simulated-shop.md)",
    ]
    return "\n".join(["", *lines])


def _sent(show: Show) -> str:
    return f"{show.purchases:,} purchases and refunds, {show.engagement:,} other events"


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()
