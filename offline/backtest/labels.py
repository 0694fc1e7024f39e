"""What became of customer-weeks: the same declaration as the labels of the stream, counted over a whole history."""

import numpy as np

from offline.backtest.rows import BoolArray, FloatArray, IntArray, Rows
from schemas.units import DAY_MS
from stream.chunk import Rules
from stream.features.facts import EventFacts
from stream.outcomes.declaration import GRACE_MS, Outcome
from stream.outcomes.matching import matches

JUDGED_AT_LEAST = 200  # rows of days on which everybody's window is over, where windows are customers' own
_RANK_BITS = 32  # of so many events; as many customers fit beside them


class Happened:
    """What has happened of such events as an outcome counts, in any order.

    Args:
        outcome: what is asked, one of those of `rules`.
        rules: what is declared.
    """

    def __init__(self, outcome: Outcome, rules: Rules) -> None:
        self._outcome, self._rules = outcome, rules
        self._asked = rules.outcomes.names.index(outcome.name)
        self._rows: list[IntArray] = [np.zeros(0, np.int64)]
        self._times_ms: list[IntArray] = [np.zeros(0, np.int64)]
        self._amounts_minor: list[IntArray] = [np.zeros(0, np.int64)]

    def add(self, facts: EventFacts) -> None:
        """Take in events; their `row` is the customer's place."""
        everything = np.arange(len(facts))
        matched = matches(self._rules.outcomes, np.full(len(facts), self._asked), facts, everything)
        self._rows.append(facts.row[matched].astype(np.int64))
        self._times_ms.append(facts.time_ms[matched])
        self._amounts_minor.append(facts.amount_minor[matched])

    def counted(self, rows: Rows) -> tuple[IntArray, IntArray]:
        """How many events came within the window of each row, and their amount in minor units, shape (rows,) each."""
        times_ms, place = np.unique(np.concatenate(self._times_ms), return_inverse=True)
        keys = np.concatenate(self._rows) << _RANK_BITS | place
        order = np.argsort(keys)
        keys, amounts = keys[order], np.concatenate(self._amounts_minor)[order]
        amounts_minor = np.concatenate([[0], np.cumsum(amounts)])
        begin_ms = rows.day * DAY_MS
        first, last = (
            np.searchsorted(keys, rows.customer << _RANK_BITS | np.searchsorted(times_ms, until_ms, "right"))
            for until_ms in (begin_ms, begin_ms + rows.windows_days[self._outcome.name] * DAY_MS)
        )
        return last - first, amounts_minor[last] - amounts_minor[first]

    def values(self, rows: Rows) -> FloatArray:
        """1 where the outcome came true after the row's midnight, else 0. It means something for `known` rows alone."""
        hits, spent_minor = self.counted(rows)
        return self._rules.outcomes.values(np.full(len(hits), self._asked), hits, spent_minor)


def known(rows: Rows, outcome: Outcome, time_ms: int) -> BoolArray:
    """Whether what became of each row was known at a time: its window and the grace for late events were over.

    Of rows of customers who are not asked it is never known.

    Args:
        rows: customer-weeks.
        outcome: what is asked.
        time_ms: of the log.

    Returns:
        Shape (rows,).
    """
    window_days = rows.windows_days[outcome.name]
    found: BoolArray = (window_days > 0) & ((rows.day + window_days) * DAY_MS + GRACE_MS <= time_ms)
    return found


def longest_wait_days(outcome: Outcome) -> int:
    """After how many days everybody's window is over, with the grace for late events.

    >>> from stream.outcomes.declaration import CHURN_30D, LAPSED
    >>> longest_wait_days(CHURN_30D), longest_wait_days(LAPSED)
    (31, 181)
    """
    return outcome.horizon_days + GRACE_MS // DAY_MS


def settled(rows: Rows, outcome: Outcome, time_ms: int) -> BoolArray:
    """Whether what became of everybody asked on a row's day was known at a time: the longest window was over.

    Where windows are customers' own, those that are over first are those of frequent customers.
    """
    found: BoolArray = (rows.day + longest_wait_days(outcome)) * DAY_MS <= time_ms
    return found & known(rows, outcome, time_ms)


def judged_by(rows: Rows, outcome: Outcome, split_day: int, last_ms: int) -> BoolArray:
    """The rows from a day on that models are judged by: settled ones, so that nobody is missing on their days.

    Where hardly any are, all that are known: these are not everybody, which who shows figures of them has to say.

    Args:
        rows: of a history.
        outcome: what is asked.
        split_day: days since 1970.
        last_ms: the end of the history.
    """
    later = rows.day >= split_day
    whole: BoolArray = later & settled(rows, outcome, last_ms)
    return whole if int(whole.sum()) >= JUDGED_AT_LEAST else later & known(rows, outcome, last_ms)
