"""Deciding everybody anew after models or rules have changed: what is in force, and how far a sweep has come.

Between two changes a customer is decided when something happens to it or a deadline fires. A new model makes every
view, deadline and index entry stale at once, so all customers of a partition are gone through, some in each commit. A
sweep that was begun is ended before the next begins: with models that change faster than it ends, everybody is still
renewed.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from stream.chunk import Models, RowArray, Rules
from stream.features.layout import StateArray
from stream.ports import Page, SweepProgress


class Renewal(NamedTuple):
    """Customers to decide anew in a commit, and how far the sweep is then."""

    customers: Sequence[str] = ()
    progress: SweepProgress | None = None

    @property
    def swept(self) -> str:
        """What everybody is decided under, if these were the last; else empty.

        >>> Renewal(["ada"], SweepProgress("v2", "", 9)).swept, Renewal(["ada"], SweepProgress("v2", "7", 1)).swept
        ('v2', '')
        """
        return self.progress.under if self.progress and not self.progress.cursor else ""


NO_RENEWAL = Renewal()


def in_force(models: Models, rules: Rules) -> str:
    """Names models and rules together: another name, another decision.

    >>> in_force(Models(), Rules()) == in_force(Models(), Rules(decide_every_ms=0))
    False
    >>> in_force(Models(), Rules()) == in_force(Models(), Rules())
    True
    """
    return blake2b(repr((sorted(models.versions.items()), rules)).encode(), digest_size=8).hexdigest()


def is_wanted(progress: SweepProgress, under: str) -> bool:
    """Whether customers wait to be renewed.

    >>> is_wanted(SweepProgress("v1", "", 900), "v1"), is_wanted(SweepProgress("v1", "", 900), "v2")
    (False, True)
    """
    return bool(progress.cursor) or progress.under != under


def after(progress: SweepProgress, page: Page, under: str) -> SweepProgress:
    """The progress once a page is renewed.

    >>> after(SweepProgress("v1", "", 900), Page(["ada", "bob"], "7", 950), "v2")
    SweepProgress(under='v2', cursor='7', renewed=2)
    >>> after(SweepProgress("v2", "7", 2), Page(["cy"], "", 950), "v3")
    SweepProgress(under='v2', cursor='', renewed=3)
    """
    if not progress.cursor:
        return SweepProgress(under, page.cursor, len(page.customers))
    return SweepProgress(progress.under, page.cursor, progress.renewed + len(page.customers))


def make_due(states: StateArray, rows: RowArray, time_ms: int) -> None:
    """Let these rows be decided at a time, unless they are by then anyway."""
    decision = states["decision"]
    for name in ("decide_at_ms", "due_ms"):
        later = rows[(decision[name][rows] == 0) | (decision[name][rows] > time_ms)]
        decision[name][later] = time_ms


def share_done(progress: SweepProgress, of: int) -> float:
    """How much of a partition is renewed, 0 to 1; a page may hold a customer twice.

    >>> share_done(SweepProgress("v1", "7", 500), 2_000), share_done(SweepProgress("v1", "", 2_100), 2_000)
    (0.25, 1.0)
    """
    return 1.0 if not progress.cursor else min(progress.renewed / max(of, 1), 1.0)
