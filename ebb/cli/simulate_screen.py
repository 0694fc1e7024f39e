"""What `ebb simulate` shows: bars while it runs, and what came of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ebb.simulate import ShopSettings, Slice
from ebb.simulate.figures import PurchaseLog
from ebb.text import percent
from schemas.money import amount_format


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
def live_bar(seconds: float | None) -> Iterator[Callable[[int], None]]:
    """What is told how many events have been sent, shown on a bar if standard error is a terminal."""
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
    written = f"{summary['events']:,} events, {summary['bytes'] / 1e6:,.0f} MB, {summary['events_per_s']:,} events/s"
    return "\n".join([written, *_bought(summary), following])


def _bought(summary: dict[str, Any]) -> Iterator[str]:
    if not summary["buyers"]:
        yield "  nobody has bought"
        return
    currency = summary["currency"]
    basket = f"{summary['mean_basket']:{amount_format(currency)}} {currency}"
    yield f"  {summary['buyers']:,} customers bought; a basket costs {basket} on average"
    gap = summary["median_gap_days"]
    gaps = "" if gap is None else f", half of all gaps are at most {gap:.0f} days"
    repeated, once = percent(summary["repeat_rate"]), percent(summary["one_time_share"])
    yield f"  {repeated} of them on more than one day, {once} once{gaps}"
