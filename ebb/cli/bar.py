"""A progress bar over something that is counted, in a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def counting_bar(unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error if that is a terminal; what is yielded is told (done, of how many). None if not."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    rate = TextColumn("{task.fields[rate]:,} " + unit + "/s")
    with Progress(BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), console=console) as shown:
        task, began_s = shown.add_task("", total=None, rate=0), monotonic()

        def show(done: int, of: int) -> None:
            shown.update(task, completed=done, total=of, rate=round(done / max(monotonic() - began_s, 1e-9)))

        yield show
