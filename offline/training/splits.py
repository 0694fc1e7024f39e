"""What is learned from and what is judged: split by time, with a gap in which outcomes become known."""

from dataclasses import dataclass

import numpy as np

from offline.backtest.batch import Columns
from offline.backtest.labels import judged_by, known
from offline.backtest.report import day_text, nobody_asked, waits
from offline.backtest.rows import BoolArray, FloatArray, IntArray, Rows
from offline.training.table import Table
from offline.training.target import Target
from schemas.units import DAY_MS
from stream.errors import OfflineError
from stream.outcomes.declaration import GRACE_MS, Outcome

BLOCKS = 3  # of cross-validation: each is judged by a model of all that was known when it began
LEARNED_AT_LEAST = 200  # rows, as of the online models
OF_EACH_CLASS = 10  # rows
LEARNED_TO_JUDGED = 2.0
LEARNED_BEFORE_BLOCKS = 0.25  # of all rows: settings that suit a tenth of the rows are too careful for all


@dataclass(frozen=True)
class Split:
    """A day, and the rows on its two sides; those between are of outcomes that were not known yet.

    Attributes:
        day: days since 1970; rows from it on are judged.
        learned: shape (rows,), which of them were known on that day.
        judged: shape (rows,).
    """

    day: int
    learned: BoolArray
    judged: BoolArray


def split_at(rows: Rows, outcome: Outcome, day: int, last_ms: int) -> Split:
    """The rows known on a day, and those from it on that can be judged by when the history ends.

    Args:
        rows: customer-weeks.
        outcome: what is asked.
        day: days since 1970.
        last_ms: until when the history goes.
    """
    return Split(day, known(rows, outcome, day * DAY_MS), judged_by(rows, outcome, day, last_ms))


def split_day(rows: Rows, outcome: Outcome, last_ms: int) -> int | None:
    """The first day on which twice as many rows are known as are left to judge, or the last day of all.

    Returns:
        Days since 1970; None where there are no rows.
    """
    days = np.unique(rows.day)
    splits = (split_at(rows, outcome, day, last_ms) for day in days.tolist())
    enough = (split.day for split in splits if split.learned.sum() >= LEARNED_TO_JUDGED * split.judged.sum())
    return next(enough, int(days[-1])) if len(days) else None


def blocks(rows: Rows, value: FloatArray, outcome: Outcome) -> list[Split]:
    """Blocks of time within what is learned from, each behind what was known when it began.

    Args:
        rows: to learn from.
        value: what became of them.
        outcome: what is asked.

    Returns:
        At most `BLOCKS` splits with about as many judged rows each; fewer, or none, where the time is short.
    """
    days = np.unique(rows.day)
    splits = [_behind_and_after(rows, outcome, day) for day in days.tolist()]
    behind = [split for split in splits if _can_learn(value[split.learned])]
    if not behind:
        return []
    enough = [split for split in behind if split.learned.sum() >= LEARNED_BEFORE_BLOCKS * len(rows)]
    judged = np.sort(rows.day[(enough or behind)[0].judged])
    begins = np.unique(judged[(np.arange(BLOCKS) * len(judged)) // BLOCKS]).tolist()
    found = []
    for begin, end in zip(begins, [*begins[1:], int(days[-1]) + 1], strict=True):
        split = _behind_and_after(rows, outcome, begin)
        split = Split(begin, split.learned, split.judged & (rows.day < end))
        if _can_learn(value[split.learned]) and len(np.unique(value[split.judged] > 0)) == 2:
            found.append(split)
    return found


def _behind_and_after(rows: Rows, outcome: Outcome, day: int) -> Split:
    """Within what is learned from, by which models are compared with each other alone: all that is known counts."""
    return Split(day, known(rows, outcome, day * DAY_MS), rows.day >= day)


def _can_learn(value: FloatArray) -> bool:
    return len(value) >= LEARNED_AT_LEAST and min(_classes(value)) >= OF_EACH_CLASS


def _classes(value: FloatArray) -> tuple[int, int]:
    ones = int((value > 0).sum())
    return len(value) - ones, ones


def refuse(table: Table, target: Target, split: Split) -> None:
    """See that there is enough on both sides of a split.

    Raises:
        OfflineError: rows, a class or any movement of the columns is missing; says which, and what to do.
    """
    day = day_text(split.day * DAY_MS)
    for side, which in ((f"before {day}", split.learned), (f"from {day} on", split.judged)):
        if not which.any():
            raise OfflineError(f"No row {side} has a known {_short_of(table, target)}. {_better(table, target)}")
    learned, judged = table.value[split.learned], table.value[split.judged]
    for when, value in ((f"known before {day}", learned), (f"from {day} on", judged)):
        if min(_classes(value)) == 0:
            raise OfflineError(f"All {len(value):,} rows {when} {_all_alike(target, value)}")
    if len(learned) < LEARNED_AT_LEAST or min(_classes(learned)) < OF_EACH_CLASS:
        raise OfflineError(
            f"{len(learned):,} rows are known before {day}, {min(_classes(learned)):,} of the rarer kind: a model "
            f"takes {LEARNED_AT_LEAST} rows and {OF_EACH_CLASS} of each kind. Give more customers, a longer history, "
            "or a later --from."
        )
    if not len(moving(table.rows.columns[split.learned])):
        raise OfflineError(
            f"Every column has one value in all {len(learned):,} rows known before {day}: nothing tells customers "
            "apart. Check that times and amounts of the events are read (--columns)."
        )


def nothing_known(table: Table, target: Target) -> OfflineError:
    """What to say where no outcome is known by the end of a history."""
    if not table.asked:
        return nobody_asked(target.outcome)
    return OfflineError(
        f"No row has a known {_short_of(table, target)}. Give a longer history, or an --outcome of fewer days."
    )


def _short_of(table: Table, target: Target) -> str:
    span = f"{day_text(table.first_ms)} to {day_text(table.last_ms)}"
    return f"{target.outcome.name}: {waits(target.outcome)}, and the history goes from {span}"


def _all_alike(target: Target, value: FloatArray) -> str:
    days, remedy = target.outcome.horizon_days, "Choose another --from, or give a longer history."
    if target.is_amount and value[0] > 0:
        return (
            f"have some spend within {days} days: whether they spend, which the first of two models says, is no "
            "question. Ask of fewer days (--outcome spend_<days>d)."
        )
    alike = f"no spend within {days} days" if target.is_amount else f"{target.outcome.name} = {value[0]:g}"
    return f"have {alike}: there is nothing to tell apart. {remedy}"


def _better(table: Table, target: Target) -> str:
    """A day that would do."""
    day = split_day(table.rows, target.outcome, table.last_ms)
    split = None if day is None else split_at(table.rows, target.outcome, day, table.last_ms)
    if day is None or split is None or not split.learned.any() or not split.judged.any():
        return "Give a longer history, or an --outcome of fewer days."
    return f"Choose --from {day_text(day * DAY_MS)}."


def moving(columns: Columns) -> IntArray:
    """The places of the columns that do not have one value in all rows."""
    places: IntArray = np.flatnonzero(columns.min(axis=0) != columns.max(axis=0))
    return places


def gap_days(rows: Rows, outcome: Outcome) -> tuple[int, int]:
    """How many days after its midnight a row is known, at least and at most."""
    windows_days = rows.windows_days[outcome.name] + GRACE_MS // DAY_MS
    return int(windows_days.min()), int(windows_days.max())
