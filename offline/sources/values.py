"""Raw values of a column as ids, amounts, whole numbers and times. Each distinct value is read once."""

import re
from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.money import BILLIONTHS
from schemas.units import DAY_MS
from stream.errors import SourceError

WHOLE_FLOAT = re.compile(r"-?\d+\.0+")
"""How tools write an integer column that has blanks: 17850.0."""

ISO_TIME = "ISO8601"
AMERICAN_TIMES = ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M")
"""Month first, as in the second published spelling of Online Retail."""


def read_ids(raw: "pd.Series[Any]") -> NDArray[np.object_]:
    """Ids as text without blanks around them; whole numbers without a point; a missing one is empty.

    >>> read_ids(pd.Series([17850.0, None])).tolist()
    ['17850', '']
    >>> read_ids(pd.Series([" C489449 ", "17850.0"], dtype=object)).tolist()
    ['C489449', '17850']
    >>> read_ids(pd.Series([b"17850", b"caf\\xe9"], dtype=object)).tolist()
    ['17850', 'café']
    """
    return _each_distinct(raw, _id_text)


def read_amounts(raw: "pd.Series[Any]", where: str) -> NDArray[np.object_]:
    """Amounts as the decimal strings of the wire, without trailing zeros, of at most nine decimals; a missing one is 0.

    >>> read_amounts(pd.Series([2.50, 0.1 + 0.2, -11062.06, None]), "a.parquet").tolist()
    ['2.5', '0.3', '-11062.06', '0']

    Raises:
        SourceError: a value is not a finite number; the message names it and its row.
    """
    return _each_distinct(raw, _amount, where)


def read_integers(raw: "pd.Series[Any]", where: str) -> NDArray[np.int64]:
    """Whole numbers.

    Raises:
        SourceError: a value is missing, not a whole number or above 64 bits; the message names it and its row.
    """
    if _are_int64(raw):
        return raw.to_numpy(dtype=np.int64)
    return _each_distinct(raw, _integer, where).astype(np.int64)


def read_times_ms(raw: "pd.Series[Any]", where: str) -> NDArray[np.int64]:
    """Times in ms since 1970. Text is ISO 8601 or month/day/year with hours and minutes; UTC where it names no zone.

    >>> read_times_ms(pd.Series(["1970-01-02 00:00:01", "1/2/1970 0:01", "86400000"]), "a.csv").tolist()
    [86401000, 86460000, 86400000]
    >>> read_times_ms(pd.Series(["1970-01-02 00:00:01 UTC", "1970-01-02 01:00:01+01:00"]), "a.csv").tolist()
    [86401000, 86401000]

    Raises:
        SourceError: a value is missing or no time; the message names it and its row.
    """
    if _are_int64(raw):
        return raw.to_numpy(dtype=np.int64)
    codes, distinct = pd.factorize(raw, use_na_sentinel=False)
    if pd.api.types.is_datetime64_any_dtype(distinct.dtype):
        times = pd.DatetimeIndex(pd.to_datetime(distinct, utc=True))
    else:
        times = pd.DatetimeIndex(_parse_times(pd.Series([_text(value) for value in distinct], dtype=object)))
    if times.hasnans:
        row = int(np.flatnonzero(times.isna()[codes])[0])
        raise _unreadable(raw, row, where, "a time such as 2010-12-01 08:26:00 or 12/1/2010 8:26 (month first)")
    milliseconds: NDArray[np.int64] = times.as_unit("ms").asi8
    return milliseconds[codes]


def _are_int64(raw: "pd.Series[Any]") -> bool:
    """Whether all are integers that need no look: unsigned ones may be too large."""
    if not pd.api.types.is_integer_dtype(raw.dtype) or raw.hasnans:
        return False
    return raw.dtype.kind != "u" or raw.empty or int(raw.max()) < 2**63


def at_noon_where_days(times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times of a column that names days alone, at the noon of each; times of any other column as they are.

    What is said of a customer at a midnight knows what came before it, and is about what comes after it: an order at
    the very midnight would be neither.

    >>> at_noon_where_days(np.array([86_400_000, 172_800_000])).tolist()
    [129600000, 216000000]
    >>> at_noon_where_days(np.array([86_400_000, 172_800_001])).tolist()
    [86400000, 172800001]
    """
    names_days = not np.any(times_ms % DAY_MS)
    return times_ms + DAY_MS // 2 if names_days else times_ms


def _parse_times(texts: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    """Try each way of writing a time on what the ways before could not read; NaT where none can."""
    numbers = texts.where(texts.str.fullmatch(r"-?\d+"))
    texts = texts.str.removesuffix(" UTC")  # as warehouses export times
    times = pd.to_datetime(pd.to_numeric(numbers), unit="ms", utc=True, errors="coerce")
    for way in (*AMERICAN_TIMES, ISO_TIME):
        unread = times.isna() & numbers.isna()
        times = times.where(~unread, pd.to_datetime(texts.where(unread), format=way, utc=True, errors="coerce"))
    return times


def _each_distinct(raw: "pd.Series[Any]", read: Callable[[Any], object], where: str = "") -> NDArray[np.object_]:
    """`read` applied to every value, once per distinct one. A ValueError of `read` says what the value should be."""
    codes, distinct = pd.factorize(raw, use_na_sentinel=False)
    values = np.empty(len(distinct), dtype=object)
    for code, (value, is_missing) in enumerate(zip(distinct, pd.isna(distinct), strict=True)):
        try:
            values[code] = read("" if is_missing else value)
        except ValueError as error:
            row = int(np.flatnonzero(codes == code)[0])
            raise _unreadable(raw, row, where, str(error)) from error
    return values[codes]


def _unreadable(raw: "pd.Series[Any]", row: int, where: str, wanted: str) -> SourceError:
    value = raw.iloc[row]
    return SourceError(f"{where}, column '{raw.name}', row {row + 1}: '{value}' is not {wanted}.")


def _text(value: Any) -> str:
    """A value as text without blanks around it. Bytes of Parquet are UTF-8, or of the nineties' encoding as in CSVs."""
    if not isinstance(value, bytes):
        return str(value).strip()
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _id_text(value: Any) -> str:
    text = _text(value)
    return text.partition(".")[0] if "." in text and WHOLE_FLOAT.fullmatch(text) else text


def _amount(value: Any) -> str:
    try:
        amount = Decimal(_text(value) or "0")
        if not amount.is_finite():
            raise ValueError("a finite number")
        if -int(amount.as_tuple().exponent) > BILLIONTHS:
            # Binary floats end in noise: 0.1 + 0.2 is 0.30000000000000004. The wire carries nine decimals.
            amount = round(amount, BILLIONTHS)
        return f"{amount.normalize():f}" if amount else "0"
    except DecimalException as error:  # no number, or one of too many digits
        raise ValueError("a decimal number such as 12.50") from error


def _integer(value: Any) -> int:
    try:
        amount = Decimal(_text(value))
        is_whole = amount.is_finite() and amount == amount.to_integral_value() and abs(amount) < 2**63
    except DecimalException as error:
        raise ValueError("a whole number") from error
    if not is_whole:
        raise ValueError("a whole number of at most 64 bits")
    return int(amount)
