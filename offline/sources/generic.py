"""A shop's own order lines in the plainest form: one row per line of an order (docs/your-own-data.md)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from offline.sources.columns import find_columns
from offline.sources.tables import Table, open_tables
from offline.sources.values import at_noon_where_days, read_amounts, read_ids, read_integers, read_times_ms
from schemas.envelope import Channel
from schemas.events import NOTHING
from stream.errors import SourceError

REQUIRED = ("order_id", "customer_id", "event_time", "product_id", "quantity", "unit_price")
OPTIONAL = ("discount", "category", "channel", "currency", "kind")
SPELLINGS = {name: [name] for name in (*REQUIRED, *OPTIONAL)}
KINDS = ("purchase", "refund")


def read(files: Sequence[Path], currency: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """The lines of the files together; a `Source`.

    Rows of kind refund under the order_id of a purchase become a refund `<order_id>:refund` of that purchase. A file
    that names days and no times of day has its orders at noon, UTC.

    Raises:
        SourceError: a file cannot be read, or a channel or kind is not known.
    """
    tables = [table for file in files for table in open_tables(Path(file))]
    lines = pd.concat(
        [_lines(number, table, currency, columns) for number, table in enumerate(tables)], ignore_index=True
    )
    purchases = set(lines.loc[~lines["refund"], "event_id"])
    of_purchase = lines["refund"] & lines["event_id"].isin(purchases) & (lines["event_id"] != "")
    lines.loc[of_purchase, "purchase_id"] = lines["event_id"]
    lines.loc[of_purchase, "event_id"] += ":refund"
    return lines


def _lines(number: int, table: Table, currency: str, mapping: Mapping[str, str]) -> pd.DataFrame:
    """A table as a line table (see `offline.sources.orders`)."""
    found = find_columns(table.header, SPELLINGS, REQUIRED, mapping, table.name)
    raw = table.load(list(dict.fromkeys(found.values())))  # one may be two of ours
    texts = {name: read_ids(raw[found[name]]) if name in found else np.full(len(raw), "") for name in SPELLINGS}
    discount = read_amounts(raw[found["discount"]], table.name) if "discount" in found else NOTHING
    return pd.DataFrame(
        {
            "file": np.full(len(raw), number),
            "event_id": texts["order_id"],
            "refund": _one_of(KINDS, texts["kind"], table.name, "kind") == "refund",
            "customer_id": texts["customer_id"],
            "time_ms": at_noon_where_days(read_times_ms(raw[found["event_time"]], table.name)),
            "product_id": texts["product_id"],
            "quantity": read_integers(raw[found["quantity"]], table.name),
            "unit_price": read_amounts(raw[found["unit_price"]], table.name),
            "discount": discount,
            "category": texts["category"],
            "channel": _one_of(get_args(Channel), texts["channel"], table.name, "channel"),
            "currency": np.where(texts["currency"] == "", currency, texts["currency"]),
            "purchase_id": "",
        }
    )


def _one_of(known: Sequence[str], values: NDArray[Any], where: str, column: str) -> NDArray[Any]:
    """The values in lower case, the first known one where they are blank."""
    lowered = np.char.lower(values.astype(str))
    filled = np.where(lowered == "", known[0], lowered)
    unknown = np.flatnonzero(~np.isin(filled, known))
    if len(unknown):
        row = int(unknown[0])
        raise SourceError(f"{where}, column '{column}', row {row + 1}: '{values[row]}' is none of {', '.join(known)}.")
    return filled
