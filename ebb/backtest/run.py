"""A backtest from start to end: live through the history, keep a row per customer and week, judge."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from ebb.backtest.machine import Moment, Shop, TimeMachine, live_through
from offline.backtest.batch import require_scikit_learn
from offline.backtest.labels import values_of
from offline.backtest.report import Report, Span, refuse_short, report
from offline.backtest.rows import Rows, RowsInTheMaking
from offline.history import History
from offline.verify import accepted
from stream.errors import OfflineError
from stream.features.stored import unpack
from stream.outcomes.declaration import Outcome

Told = Callable[[int, int], None]
"""Is told how many events have been applied, of how many."""


@dataclass(frozen=True)
class Lived:
    """What a run through a history leaves: rows of every week, the machine as it ended, and how fast it went."""

    rows: Rows
    machine: TimeMachine
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
    span = span_of(history, split_ms)
    refuse_short(outcome, span)
    lived = weekly_rows(history, shop, span.split_day, told)
    events = accepted(history, 1, shop.decoding, shop.received_ms).events
    value = values_of(lived.rows, outcome, events, shop.rules)
    return report(lived.rows, outcome, value, span, lived.events_per_s)


def span_of(history: History, split_ms: int) -> Span:
    """When a history begins and ends, and where it is split.

    Raises:
        OfflineError: the split is outside, or there are no events.
    """
    if not history.events:
        raise OfflineError("The files hold no event. Check them with `ebb replay`.")
    return Span(history.events[0].event_time_ms, history.events[-1].event_time_ms, split_ms)


def weekly_rows(history: History, shop: Shop, split_day: int, told: Told | None = None) -> Lived:
    """Live through a history, and keep rows of all active customers every seventh midnight, `split_day` among them."""
    making = RowsInTheMaking(shop.rules.outcomes, split_day)

    def look(moment: Moment) -> None:
        if making.wants(moment.time_ms):
            states = moment.stored.states
            making.take(moment.time_ms, list(states), unpack(list(states.values())), moment.models)
        if told:
            told(moment.events, len(history.events))

    began_s = monotonic()
    machine = live_through(history, shop, look)
    return Lived(making.rows(), machine, len(history.events) / max(monotonic() - began_s, 1e-9))
