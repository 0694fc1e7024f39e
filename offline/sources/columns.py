"""Which column of a file is which: spellings, and the mapping a user gives with `--columns`."""

import re
from collections.abc import Mapping, Sequence

from stream.errors import SourceError

LISTED_AT_MOST = 500  # signs of a header: a file that is no table may have a line of megabytes


def parse_mapping(text: str) -> dict[str, str]:
    """Read what `--columns` was given.

    >>> parse_mapping("order_id=Order No, quantity=Qty")
    {'order_id': 'Order No', 'quantity': 'Qty'}

    Raises:
        SourceError: a part is not `ours=theirs`, or one name is given twice.
    """
    mapping: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        ours, _, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and theirs) or ours in mapping:
            raise SourceError(f"--columns: '{part}' is wrong. Write order_id=MyColumn,… with each of ours once.")
        mapping[ours] = theirs
    return mapping


def find_columns(
    header: Sequence[str],
    spellings: Mapping[str, Sequence[str]],
    required: Sequence[str],
    mapping: Mapping[str, str],
    file: str,
) -> dict[str, str]:
    """Match the columns of a file.

    Spellings match whatever their case, spaces and underscores; a column named in `mapping` must match exactly.

    Args:
        header: the file's columns.
        spellings: our column -> how files spell it.
        required: which of ours must be there.
        mapping: our column -> the file's column, as the user said.
        file: for messages.

    Returns:
        Our column -> the file's column, for those the file has.

    >>> find_columns(["InvoiceNo", "x"], {"order_id": ["Invoice", "Invoice No"]}, ["order_id"], {}, "a.csv")
    {'order_id': 'InvoiceNo'}

    Raises:
        SourceError: a required or mapped column is not there, or the mapping names one that is not ours.
    """
    _check_mapping(header, spellings, mapping, file)
    by_spelling = {_plain(name): name for name in reversed(header)}
    found = {}
    for ours, spelled in spellings.items():
        matches = [by_spelling[_plain(name)] for name in spelled if _plain(name) in by_spelling]
        if ours in mapping or matches:
            found[ours] = mapping.get(ours) or matches[0]
    missing = [" or ".join(spellings[ours]) for ours in required if ours not in found]
    if missing:
        example = next(ours for ours in required if ours not in found)
        raise SourceError(
            f"{file} has no column {', no '.join(missing)}. It has: {_listed(header)}. "
            f"Say which is which with --columns, for example --columns {example}=MyColumn."
        )
    return found


def _listed(header: Sequence[str]) -> str:
    """The columns of a file, which may be anything.

    >>> _listed(["Invoice", "two\\nlines"]), _listed([])
    ('Invoice, two\\\\nlines', 'nothing, it is empty')
    """
    text = ", ".join(header)[:LISTED_AT_MOST]
    readable = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return readable or "nothing, it is empty"


def _check_mapping(
    header: Sequence[str], spellings: Mapping[str, Sequence[str]], mapping: Mapping[str, str], file: str
) -> None:
    for ours, theirs in mapping.items():
        if ours not in spellings:
            raise SourceError(f"--columns: this source has no column '{ours}'. It has: {', '.join(spellings)}.")
        if theirs not in header:
            raise SourceError(f"--columns: {file} has no column '{theirs}'. It has: {_listed(header)}.")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
