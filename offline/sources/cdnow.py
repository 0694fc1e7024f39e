"""CDNOW: purchases at an American CD shop until June 1998 by those who first bought there in early 1997, in USD.

Fader and Hardie (2001), Forecasting Repeat Sales at CDNOW, Interfaces 31(3). A text file with the columns customer_id,
date, number_of_cds and dollar_value between blanks. It tells neither products nor times of day: what a customer bought
on one day is one order at its noon, UTC, and each line is one piece of the product "cd" at the line's value. An order
at midnight would be neither known to the snapshot of that midnight nor later than it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from offline.sources.columns import find_columns
from offline.sources.values import read_amounts, read_times_ms
from schemas.events import NOTHING
from schemas.units import DAY_MS
from stream.errors import SourceError

CURRENCY = "USD"
_DATE = r"^(\d{4})(\d\d)(\d\d)$"
SPELLINGS = {
    "customer_id": ["customer_id"],
    "date": ["date"],
    "value": ["dollar_value"],
}


def read(files: Sequence[Path], currency: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """The lines of the files together; a `Source`.

    Raises:
        SourceError: the shop's currency is not USD, or a file cannot be read.
    """
    if currency != CURRENCY:
        raise SourceError(f"CDNOW is in USD, but the reporting currency is {currency}. Set EBB_CURRENCY=USD.")
    lines = [_lines(number, Path(file), columns) for number, file in enumerate(files)]
    return pd.concat(lines, ignore_index=True)


def _lines(number: int, path: Path, mapping: Mapping[str, str]) -> pd.DataFrame:
    """A file as a line table (see `offline.sources.orders`)."""
    try:
        raw = pd.read_csv(path, sep=r"\s+", dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SourceError(f"{path} cannot be read as a text file of CDNOW: {error}") from error
    found = find_columns(list(raw.columns), SPELLINGS, list(SPELLINGS), mapping, path.name)
    customers, dates = raw[found["customer_id"]], raw[found["date"]]
    midnights_ms = read_times_ms(dates.str.replace(_DATE, r"\1-\2-\3", regex=True), path.name)
    return pd.DataFrame(
        {
            "file": np.full(len(raw), number),
            "event_id": customers + "-" + dates,
            "refund": False,
            "customer_id": customers,
            "time_ms": midnights_ms + DAY_MS // 2,
            "product_id": "cd",
            "quantity": 1,
            "unit_price": read_amounts(raw[found["value"]], path.name),
            "discount": NOTHING,
            "category": "",
            "channel": "online",
            "currency": CURRENCY,
            "purchase_id": "",
        }
    )
