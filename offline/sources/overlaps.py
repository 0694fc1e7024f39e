"""Files that overlap: an order that is told twice counts once.

The two published years of Online Retail share nine days, and a popular CSV is both years one after the other.
"""

import pandas as pd

LINE = ["time_ms", "product_id", "quantity", "unit_price"]


def drop_repeats(lines: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep one copy of each order.

    Of several files the one with most lines of the order tells it (the earlier one of equals). Within a file a copy is
    recognised where time has gone back: the order's second half repeats its first.

    Args:
        lines: a line table (see `offline.sources.orders`).

    Returns:
        The lines that remain, and how many copies of orders were dropped.
    """
    lines, within = _drop_copies_within_files(lines)
    lines, between = _drop_copies_between_files(lines)
    return lines, within + between


def _drop_copies_between_files(lines: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    if lines["file"].nunique() < 2:
        return lines, 0
    counts = lines.groupby(["event_id", "file"], as_index=False).size()
    best = counts.sort_values(["size", "file"], ascending=[False, True]).drop_duplicates("event_id")
    told_by = lines["event_id"].map(best.set_index("event_id")["file"])
    return lines[lines["file"] == told_by], len(counts) - len(best)


def _drop_copies_within_files(lines: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """A file sorted by time has one run; two files put together have two."""
    run = (lines.groupby("file")["time_ms"].diff() < 0).astype(int).cumsum()
    if run.nunique() < 2:
        return lines, 0
    runs = run.groupby([lines["file"], lines["event_id"]])
    split = lines[runs.transform("min") < runs.transform("max")]
    halves = [_second_copy(order, run) for _, order in split.groupby(["file", "event_id"], sort=False)]
    copies = [half.index for half in halves if half is not None]
    dropped = set().union(*copies)
    return lines[~lines.index.isin(dropped)], len(copies)


def _second_copy(order: pd.DataFrame, run: "pd.Series[int]") -> pd.DataFrame | None:
    """The second half of an order's lines if it repeats the first in a later run, else None."""
    half = len(order) // 2
    first, second = order.iloc[:half], order.iloc[half:]
    if run[first.index[-1]] == run[second.index[0]]:
        return None
    same = sorted(first[LINE].itertuples(index=False)) == sorted(second[LINE].itertuples(index=False))
    return second if same else None
