"""The kinds of files that can be read. A new one is a module with a `read` and one line here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from offline.history import History
from offline.sources import cdnow, generic, online_retail
from offline.sources.orders import history_of
from stream.errors import SourceError


class Source(Protocol):
    """Reads files of one kind. `columns` says which column of the files holds which of the source's own columns."""

    def __call__(self, files: Sequence[Path], currency: str, columns: Mapping[str, str]) -> pd.DataFrame:
        """The lines of all files together: a line table (see `offline.sources.orders`)."""
        ...


SOURCES: Mapping[str, Source] = {
    "online_retail": online_retail.read,
    "cdnow": cdnow.read,
    "generic": generic.read,
}


def read_history(
    files: Sequence[Path],
    source: str,
    currency: str,
    columns: Mapping[str, str] | None = None,
) -> History:
    """Read files of one kind as a history; arguments and errors as of `read_lines`."""
    return history_of(read_lines(files, source, currency, columns))


def read_lines(
    files: Sequence[Path],
    source: str,
    currency: str,
    columns: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read files of one kind as a line table (see `offline.sources.orders`).

    Args:
        files: CSV, Parquet or, with openpyxl installed, xlsx; they may overlap.
        source: a name in `SOURCES`.
        currency: the shop's reporting currency, for example "GBP".
        columns: the source's column -> the files' column, where they differ.

    Raises:
        SourceError: a file is missing, is not of this kind, or holds a value that cannot be read.
    """
    if source not in SOURCES:
        raise SourceError(f"Source '{source}' is not known. Known are: {', '.join(SOURCES)} (docs/your-own-data.md).")
    if not files:
        raise SourceError("No file was given. Name at least one CSV or Parquet file.")
    return SOURCES[source](files, currency, columns or {})
