"""A backtest from start to end: live through the history, keep a row per customer and week, judge."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic

import msgspec
import numpy as np

from ebb.backtest.machine import Lived, Moment, Shop, live_through
from offline.backtest.labels import values_of
from offline.backtest.report import Report, Span, refuse_short, report
from offline.backtest.rows import Rows, RowsInTheMaking
from offline.columns.of_events import taken_of
from offline.history import History
from offline.rejections import Rejections, rejected_first
from offline.scikit_learn import require_scikit_learn
from stream.errors import OfflineError
from stream.outcomes.declaration import Outcome

Told = Callable[[int, int], None]
"""Is told how many events have been applied, of how many."""


@dataclass(frozen=True)
class Weeks:
    """What a run through a history leaves: rows of every week, what it ended with, and how fast it went."""

    rows: Rows
    lived: Lived
    events_per_s: float


def backtest(history: History, shop: Shop, outcome: Outcome, split_ms: int, told: Told | None = None) -> Report:
    """Judge the models of an outcome over a history.

    Args:
        history: events in order of time.
        shop: what the deployment would be.
        outcome: what is predicted.
        split_ms: the midnight UTC from which on models are judged; batch models know what was known then.
        told: of progress.

    Raises:
        OfflineError: scikit-learn is missing, or the history has nothing to learn from or to judge by.
    """
    require_scikit_learn()
    history, rejected = accepted(history, shop)
    with rejected_first(rejected):
        span = span_of(history, split_ms)
        refuse_short(outcome, span)
        weeks = weekly_rows(history, shop, span.split_day, told)
        value = values_of(weeks.rows, outcome, weeks.lived.events, shop.rules)
        found = report(weeks.rows, outcome, value, span, weeks.events_per_s)
    return msgspec.structs.replace(found, left_out=rejected.said()) if rejected else found


def accepted(history: History, shop: Shop) -> tuple[History, Rejections]:
    """The events of a history that workers would take, and what they would reject.

    Nobody has seen the others: a history neither begins nor ends with one.
    """
    taken = taken_of(history.events, shop.decoding, shop.received_ms, shop.rules.vocabulary)
    rejected = Rejections()
    rejected.add(taken.told.rejected)
    rejected.leave_out(history.skipped)
    kept = [history.events[at] for at in np.flatnonzero(taken.told.is_event).tolist()]
    return replace(history, events=kept), rejected


def span_of(history: History, split_ms: int) -> Span:
    """When a history begins and ends, and where it is split.

    Raises:
        OfflineError: the split is outside, or there are no events.
    """
    if not history.events:
        raise OfflineError("The files hold no event that can be used. Check them, and --columns.")
    return Span(history.events[0].event_time_ms, history.events[-1].event_time_ms, split_ms)


def weekly_rows(history: History, shop: Shop, split_day: int, told: Told | None = None) -> Weeks:
    """Live through a history, and keep rows of all active customers every seventh midnight, `split_day` among them."""
    making = RowsInTheMaking(shop.rules.outcomes, split_day)

    def look(moment: Moment) -> None:
        if making.wants(moment.time_ms):
            making.take(moment.time_ms, moment.customers, moment.states, moment.models)
        if told:
            told(moment.events, len(history.events))

    began_s = monotonic()
    with _no_garbage_looked_for():
        lived = live_through(history, shop, look)
    return Weeks(making.rows(), lived, len(history.events) / max(monotonic() - began_s, 1e-9))


@contextmanager
def _no_garbage_looked_for() -> Iterator[None]:
    """Python looks for cycles among all events and labels again and again, a tenth of the time; there are none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
