"""Files as tables of raw values: CSV, Parquet and, where openpyxl is installed, xlsx."""

import codecs
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from stream.errors import SourceError

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Table:
    """One table of a file: its columns, and how to load some of them. Values of a CSV are text, empty where blank."""

    name: str
    header: list[str]
    load: Callable[[list[str]], pd.DataFrame]


def open_tables(path: Path) -> Iterator[Table]:
    """The tables of a file: one, or one per sheet.

    Raises:
        SourceError: the file is missing, of an unknown kind, or broken.
    """
    if not path.is_file():
        raise SourceError(f"{path} is not a file. Check the path.")
    openers = {".csv": _open_csv, ".txt": _open_csv, ".tsv": _open_csv, ".parquet": _open_parquet, ".xlsx": _open_xlsx}
    opener = openers.get(path.suffix.lower())
    if opener is None:
        raise SourceError(f"{path}: a file named '*{path.suffix}' is not known. Known are: {', '.join(openers)}.")
    yield from opener(path)


def _open_parquet(path: Path) -> Iterator[Table]:
    try:
        schema = parquet.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, "Parquet", error) from error

    def load(columns: list[str]) -> pd.DataFrame:
        _refuse_nested(path, schema, columns)
        try:
            frame: pd.DataFrame = parquet.read_table(path, columns=columns).to_pandas(ignore_metadata=True)
        except (pa.ArrowException, OSError) as error:
            raise _broken(path, "Parquet", error) from error
        return frame

    yield Table(path.name, list(schema.names), load)


def _refuse_nested(path: Path, schema: pa.Schema, columns: list[str]) -> None:
    for name in columns:
        kind = schema.field(name).type
        if pa.types.is_nested(kind):
            raise SourceError(f"{path}, column '{name}' holds {kind}. Write one value in each row, such as a text.")


def _open_csv(path: Path) -> Iterator[Table]:
    with path.open("rb") as opened:
        beginning = opened.read(len(codecs.BOM_UTF8))
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError(f"{path} cannot be read as CSV: it is UTF-16. Save it as UTF-8.")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first_line = file.readline()
    delimiter = max(DELIMITERS, key=first_line.count)
    try:
        header = next(csv.reader([first_line], delimiter=delimiter), [])
    except csv.Error as error:
        raise _broken(path, "CSV", error) from error

    def load(columns: list[str]) -> pd.DataFrame:
        try:
            return _load_csv(path, delimiter, columns, "utf8")
        except pa.ArrowInvalid as error:
            if beginning == codecs.BOM_UTF8:
                raise SourceError(
                    f"{path} cannot be read as CSV: it begins as UTF-8, but: {error}. Save it as UTF-8."
                ) from error
            # Published CSVs of the nineties' encoding; anything else wrong with the file fails again.
            return _load_csv(path, delimiter, columns, "latin-1")

    yield Table(path.name, header, load)


def _load_csv(path: Path, delimiter: str, columns: list[str], encoding: str) -> pd.DataFrame:
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(encoding=encoding),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
            ),
        )
    except (pa.ArrowException, OSError) as error:
        if encoding == "utf8" and isinstance(error, pa.ArrowInvalid):
            raise
        raise _broken(path, "CSV", error) from error
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _broken(path: Path, kind: str, error: Exception) -> SourceError:
    said = str(error.args[0] if isinstance(error, KeyError) else error)  # of a KeyError str is a repr
    why = " ".join(said.split()).rstrip(" .")
    return SourceError(f"{path} cannot be read as {kind}: {why}. Mend the file, or name another.")


def _open_xlsx(path: Path) -> Iterator[Table]:
    if find_spec("openpyxl") is None:
        raise SourceError(f"{path}: reading xlsx needs openpyxl. Run 'pip install openpyxl', or save the file as CSV.")
    for sheet, frame in pd.read_excel(path, sheet_name=None, dtype=object).items():
        yield Table(f"{path.name}[{sheet}]", [str(name) for name in frame.columns], frame.__getitem__)
