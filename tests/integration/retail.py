"""The beginning of the example history, for tests that need a real shop."""

from datetime import datetime
from functools import cache
from pathlib import Path

import pandas as pd

from offline.history import History
from offline.sources import read_history

EXAMPLE = Path(__file__).parents[2] / "examples" / "online_retail" / "online_retail_2009-12_2010-12.parquet"


@cache
def _whole() -> History:
    return read_history([EXAMPLE], "online_retail", "GBP")


def between(first_day: str, end_day: str) -> History:
    """The events from one day on and before another, YYYY-MM-DD."""
    first_ms, end_ms = (
        round(datetime.fromisoformat(f"{day}T00:00+00:00").timestamp() * 1000) for day in (first_day, end_day)
    )
    return History([event for event in _whole().events if first_ms <= event.event_time_ms < end_ms])


def first_events(count: int) -> History:
    """The first events: 2,500 are six weeks of December and January."""
    return History(_whole().events[:count])


def file_until(end_day: str, folder: Path) -> Path:
    """A file in a folder with the lines before a day, YYYY-MM-DD."""
    lines, path = pd.read_parquet(EXAMPLE), folder / "weeks.parquet"
    lines[lines["InvoiceDate"] < end_day].to_parquet(path)
    return path
