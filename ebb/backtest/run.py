"""A backtest from start to end: live through the history, keep a row per customer and week, judge."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic

import msgspec
import numpy as np

from ebb.backtest.machine import Moment, live
from ebb.backtest.past import Past
from offline.backtest.labels import Happened
from offline.backtest.report import Report, Span, refuse_short, report
from offline.backtest.rows import Rows, RowsInTheMaking
from offline.features.at_instants import NO_EVENT
from offline.rejections import Rejections, rejected_first
from offline.scikit_learn import require_scikit_learn
from stream.chunk import Rules
from stream.errors import OfflineError
from stream.features.facts import EventFacts
from stream.outcomes.declaration import Outcome

Told = Callable[[int, int], None]
"""Is told how many events have been applied, of how many."""


@dataclass(frozen=True)
class Weeks:
    """What a run through a history leaves.

    Attributes:
        rows: of every week.
        customers: all who have come, in the order of the past's places; who has no row, too.
        events_per_s: how fast it went.
    """

    rows: Rows
    customers: Sequence[str]
    events_per_s: float


def backtest(
    past: Past, rejected: Rejections, rules: Rules, outcome: Outcome, split_ms: int, told: Told | None = None
) -> Report:
    """Judge the models of an outcome over a history.

    Args:
        past: the history.
        rejected: what of it does not count.
        rules: of what the deployment would be.
        outcome: what is predicted.
        split_ms: the midnight UTC from which on models are judged; batch models know what was known then.
        told: of progress.

    Raises:
        OfflineError: scikit-learn is missing, or the history has nothing to learn from or to judge by.
    """
    require_scikit_learn()
    with rejected_first(rejected):
        if not past.events:
            raise OfflineError(NO_EVENT)
        span = Span(past.first_ms, past.last_ms, split_ms)
        refuse_short(outcome, span)
        happened = Happened(outcome, rules)
        weeks = _weekly_rows(past, rules, span.split_day, told, happened.add)
        value = happened.values(_among(weeks.rows, weeks.customers))
        found = report(weeks.rows, outcome, value, span, weeks.events_per_s)
    return msgspec.structs.replace(found, left_out=rejected.said()) if rejected else found


def _among(rows: Rows, customers: Sequence[str]) -> Rows:
    """The same rows with the places of their customers among these."""
    places = {customer: place for place, customer in enumerate(customers)}
    place = np.array([places[customer] for customer in rows.customers], np.int64)
    return replace(rows, customers=customers, customer=place[rows.customer])


def _weekly_rows(
    past: Past,
    rules: Rules,
    split_day: int,
    told: Told | None = None,
    hears: Callable[[EventFacts], None] | None = None,
) -> Weeks:
    """Live through a history, and keep rows of all active customers every seventh midnight, `split_day` among them.

    Args:
        past: the history.
        rules: of what the deployment would be.
        split_day: days since 1970.
        told: of progress.
        hears: is told of the facts of each day; their `row` is a place among the customers.
    """
    making = RowsInTheMaking(rules.outcomes, split_day)

    def look(moment: Moment) -> None:
        if making.wants(moment.time_ms):
            making.take(moment.time_ms, moment.customers, moment.states, moment.models)
        if hears:
            hears(moment.facts)
        if told:
            told(moment.events, past.events)

    began_s = monotonic()
    with _no_garbage_looked_for():
        live(past, rules, look)
    events = past.events + past.guests
    return Weeks(making.rows(), past.customers, events / max(monotonic() - began_s, 1e-9))


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
