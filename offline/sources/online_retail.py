"""Online Retail (II): invoice lines of a British gift wholesaler, December 2009 to December 2011, in GBP.

Chen, D. (2019), Online Retail II, UCI Machine Learning Repository, doi:10.24432/C5CG6D. Published in two spellings:
Invoice, Price, "Customer ID" and InvoiceNo, UnitPrice, CustomerID. One invoice is one event at its first line's time;
invoices that begin with C are refunds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from offline.sources.columns import find_columns
from offline.sources.tables import Table, open_tables
from offline.sources.values import read_amounts, read_ids, read_integers, read_times_ms
from schemas.events import NOTHING
from stream.errors import SourceError

CURRENCY = "GBP"
SPELLINGS = {
    "order_id": ["Invoice", "InvoiceNo"],
    "product_id": ["StockCode"],
    "quantity": ["Quantity"],
    "event_time": ["InvoiceDate"],
    "unit_price": ["Price", "UnitPrice"],
    "customer_id": ["Customer ID"],
}


def read(files: Sequence[Path], currency: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """The lines of the files together; a `Source`.

    Raises:
        SourceError: the shop's currency is not GBP, or a file cannot be read.
    """
    if currency != CURRENCY:
        raise SourceError(f"Online Retail is in GBP, but the reporting currency is {currency}. Set EBB_CURRENCY=GBP.")
    tables = [table for file in files for table in open_tables(Path(file))]
    lines = [_lines(number, table, columns) for number, table in enumerate(tables)]
    return pd.concat(lines, ignore_index=True)


def _lines(number: int, table: Table, mapping: Mapping[str, str]) -> pd.DataFrame:
    """A table as a line table (see `offline.sources.orders`)."""
    found = find_columns(table.header, SPELLINGS, list(SPELLINGS), mapping, table.name)
    raw = table.load(list(dict.fromkeys(found.values())))  # one may be two of ours
    invoices = read_ids(raw[found["order_id"]])
    return pd.DataFrame(
        {
            "file": np.full(len(raw), number),
            "event_id": invoices,
            "refund": _are_refunds(invoices),
            "customer_id": read_ids(raw[found["customer_id"]]),
            "time_ms": read_times_ms(raw[found["event_time"]], table.name),
            "product_id": read_ids(raw[found["product_id"]]),
            "quantity": read_integers(raw[found["quantity"]], table.name),
            "unit_price": read_amounts(raw[found["unit_price"]], table.name),
            "discount": NOTHING,
            "category": "",
            "channel": "online",
            "currency": CURRENCY,
            "purchase_id": "",
        }
    )


def _are_refunds(invoices: NDArray[np.object_]) -> NDArray[np.bool_]:
    codes, distinct = pd.factorize(invoices)
    return np.array([invoice[:1] in ("C", "c") for invoice in distinct], np.bool_)[codes]
